"""The scheduler: brings what is due to the workers, and keeps the house.

One thread. It sleeps until the next entry is due, a smarthost may be probed, or somebody rings the
spool's bell; at most half a minute, and a second where there is something to look at: connections
that are kept warm, entries that could not go yet, a drop directory that changes or is not watched.
While every smarthost is away nothing is claimed but what its sender has to hear of, so ten thousand
waiting entries cost next to nothing.
"""

from __future__ import annotations

import itertools
import threading
import time

from pysendmail.daemon.clock import STEP_S
from pysendmail.daemon.queue_runs import QueueRuns
from pysendmail.journal import ERROR, WARNING
from pysendmail.relay import retry
from pysendmail.spool.errors import SpoolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pysendmail.daemon.drop_intake import DropIntake
    from pysendmail.daemon.state import State
    from pysendmail.spool.entry import Entry

LOOK_S = 1.0  # how often the drop directory and the idle connections are looked at
REST_S = 30.0  # the same when there is nothing to see, as far as we are told
SHORTEST_S = LOOK_S / 20
MOMENT_S, GATHERING_S = 0.02, 1.0  # new messages that come so soon after one another share a run
HOUSEKEEPING_S = 3600.0
# After so many entries a sweep pauses, so that it takes no more than a tenth of one processor.
SWEEP_AT_ONCE, SWEEP_SHARE = 20, 0.1
GIVE_WAY_S = 0.01  # the pause at each entry, while others are being delivered
TELL_AGAIN_S = 600.0  # trouble that lasts
LATEST = 48  # a notice that no attempt occasions is late by up to one such part of its time


class Scheduler:
    """Runs the queue of one daemon until it is told to stop."""

    here = True  # see `control.Runner`

    def __init__(self, state: State, drops: DropIntake) -> None:
        self._state = state
        self._drops = drops
        self.runs = QueueRuns(state)
        self._stopping = threading.Event()
        self._told: dict[str, float] = {}  # steps in trouble, and when that was told
        self._next_sweep = float("-inf")  # by `time.monotonic`, as is the next
        self._next_notice = float("inf")  # some sender may have to hear of what merely waits
        self._clock_ahead = state.look_at_clock()

    def run(self) -> None:
        """Bring entries to the workers until `stop`; no trouble of one round ends the next."""
        while not self._stopping.is_set():
            self.gather()
            sound = [self._do(step) for step in (self.take_drops, self.runs.fill, self.keep_house)]
            if not (all(sound) and self._do(self._wait)):
                self._stopping.wait(LOOK_S)

    def gather(self) -> None:
        """Leave the processor to those who submit, until nobody has for a moment.

        Nobody waits for the messages that wait now; together they take less than one by one.
        """
        arrivals, seen = self._state.arrivals, 0
        end = time.monotonic() + GATHERING_S
        while len(arrivals) > seen and not self.runs.busy() and time.monotonic() < end:
            seen = len(arrivals)
            self._stopping.wait(MOMENT_S)

    def _do(self, step: Callable[[], None]) -> bool:
        """Take one step; what goes wrong in it is told, and stops no other.

        A full disk is told when it begins and again from time to time: not with each round.
        """
        journal, name, now = self._state.journal, step.__name__, time.monotonic()
        try:
            step()
        except (OSError, SpoolError) as error:
            if now - self._told.get(name, float("-inf")) > TELL_AGAIN_S:
                self._told[name] = now
                journal.spool_trouble(error)
        except Exception as error:
            journal.event("", "internal error", priority=ERROR, said=repr(error))
        else:
            if self._told.pop(name, None) is not None:
                journal.event("", "spool is well again")
            return True
        return False

    def _wait(self) -> None:
        self._state.spool.wait(self.pause())

    def stop(self) -> None:
        """End `run` soon."""
        self._stopping.set()
        self._state.spool.wake()

    def attempting(self, queue_id: str) -> bool:
        """Tell whether an entry is being attempted."""
        return self.runs.attempting(queue_id)

    def busy(self) -> bool:
        """Tell whether any entry stands in line or is being attempted."""
        return self.runs.busy()

    def drops_wait(self) -> bool:
        """Tell whether there may be something in the drop directory."""
        return self._drops.changed() or self._drops.holds_back()

    def retry_now(self) -> None:
        """Have smarthosts that are away tried again at once."""
        self._state.relay.pool.retry_now()

    def take_drops(self) -> None:
        """Take in the drop directory where it has changed."""
        if self._drops.changed():
            self._drops.sweep(time.time())

    def pause(self) -> float:
        """Return how long to wait for the bell: until something is due, at most REST_S.

        What is due now and was not dispatched is being waited for already; not without a pause.
        """
        if self._drops.under_way:
            return SHORTEST_S
        state = self._state
        now, due = time.time(), state.spool.next_due()
        if not state.workers.spare:
            return LOOK_S
        quiet = (due is None or due > now) and not state.relay.pool.warm()
        # Who changes it all the time is not to wake us all the time.
        quiet = quiet and not self._drops.changed()
        # First to be told of a change, then to look for one: so none comes in between.
        quiet = quiet and self._drops.watch() and not self._drops.changed()
        longest = REST_S if quiet else LOOK_S
        if due is None:
            return longest
        pause = max(due - now, state.relay.pool.next_probe())
        shortest = LOOK_S if self.runs.resting else SHORTEST_S
        return min(max(pause, shortest), longest)

    def keep_house(self) -> None:
        """End idle connections, look at the clock, and now and then sweep the spool."""
        state = self._state
        state.relay.pool.sweep()
        ahead = state.look_at_clock()
        step, self._clock_ahead = ahead - self._clock_ahead, ahead
        if abs(step) >= STEP_S:
            state.journal.event("", "clock was set", priority=WARNING, seconds=round(step))
        steady = time.monotonic()
        notices = steady >= self._next_notice and state.relay.pool.away()
        if step <= -STEP_S or steady >= self._next_sweep or notices:
            self._next_sweep, self._next_notice = steady + HOUSEKEEPING_S, float("inf")
            try:
                threading.Thread(target=self._sweep, name="sweep", daemon=True).start()
            except RuntimeError:
                self._next_sweep = steady  # no thread to be had now

    def _sweep(self) -> None:
        """Sweep the spool beside all else: it reads every entry, and mail does not wait for it.

        It pauses every few entries, and at each while entries are delivered: what goes in and out
        would have to share a processor with it. What a clock that was ahead would have wait for
        that time to come is made due.
        """
        state = self._state
        seen = Inspection(state)
        looked_at = itertools.count(1)
        rested = time.thread_time()

        def look(entry: Entry) -> None:
            nonlocal rested
            seen.look(entry)
            if self.runs.busy():
                self._stopping.wait(GIVE_WAY_S)
                rested = time.thread_time()
            elif not next(looked_at) % SWEEP_AT_ONCE:
                self._stopping.wait((time.thread_time() - rested) / SWEEP_SHARE)
                rested = time.thread_time()

        try:
            for found in state.spool.sweep(time.time(), look):
                state.journal.event(
                    "", "swept", priority=WARNING, name=found.name, found=found.text
                )
            if seen.stranded:
                state.spool.expedite(seen.stranded)
                why = "the clock was ahead"
                state.journal.event("", "due at once", entries=len(seen.stranded), why=why)
        except (OSError, SpoolError) as error:
            state.journal.spool_trouble(error)
        finally:
            self._next_notice = time.monotonic() + seen.pause
        if seen.overdue:
            state.workers.put(lambda: self.runs.deliver(self._unserved(seen.overdue)))

    def _unserved(self, overdue: list[str]) -> Iterator[str]:
        """Yield what no run of the queue attempts, for as long as no smarthost works.

        An attempt at it reaches nobody, or one is the probe, and its sender hears of it.
        """
        for queue_id in overdue:
            if not self._state.relay.pool.away():
                return
            yield queue_id


class Inspection:
    """What one sweep sees of the entries, and what is to be done with some of them.

    `stranded`: a clock that was ahead has set the time of their next attempt; `overdue`: it is time
    for their attempt, and for their sender to hear that they are late or fail; `pause`: in how many
    seconds there may be more of these.
    """

    __slots__ = ("_notices", "_pauses", "_soonest", "_state", "overdue", "pause", "stranded")

    def __init__(self, state: State) -> None:
        config = state.config
        self._state = state
        self._pauses = {"first": config.retry_first, "longest": config.retry_longest}
        self._notices = {"lifetime": config.lifetime, "after": config.delay_warning}
        self.stranded: list[str] = []
        self.overdue: list[str] = []
        fresh = retry.silence(age=0.0, warned=False, **self._notices)
        self._soonest = fresh / LATEST
        self.pause = fresh

    def look(self, entry: Entry) -> None:
        """Look at an entry that is in order."""
        now = time.time()
        if retry.stranded(due=entry.next_attempt, now=now, **self._pauses):
            self.stranded.append(entry.queue_id)
        elif not entry.held:
            age = self._state.age(entry.arrived)
            silence = retry.silence(age=age, warned=entry.warned, **self._notices)
            wait = max(silence, entry.next_attempt - now)
            if wait <= 0:
                self.overdue.append(entry.queue_id)
            self.pause = min(self.pause, max(wait, self._soonest))
