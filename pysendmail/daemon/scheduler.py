"""The scheduler: brings what is due to the workers, and keeps the house.

One thread. It sleeps until the next entry is due, a smarthost may be probed, somebody rings the
spool's bell, or a second has passed (the drop directory is looked at then: its submitters have no
bell to ring). While every smarthost is away nothing is claimed, so ten thousand waiting entries
cost nothing.
"""

from __future__ import annotations

import threading
import time

from pysendmail.daemon.queue_runs import QueueRuns
from pysendmail.journal import ERROR, WARNING
from pysendmail.relay import retry
from pysendmail.spool.errors import EntryBusy, SpoolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pysendmail.daemon.drop_intake import DropIntake
    from pysendmail.daemon.state import State
    from pysendmail.spool.entry import Entry

LOOK_S = 1.0  # how often the drop directory and the idle connections are looked at
SHORTEST_S = LOOK_S / 20
HOUSEKEEPING_S = 3600.0
TELL_AGAIN_S = 600.0  # trouble that lasts
CLOCK_STEP_S = 60.0  # a clock that goes back by more has been set


class Scheduler:
    """Runs the queue of one daemon until it is told to stop."""

    def __init__(self, state: State, drops: DropIntake) -> None:
        self._state = state
        self._drops = drops
        self.runs = QueueRuns(state)
        self._stopping = threading.Event()
        self._told: dict[str, float] = {}  # steps in trouble, and when that was told
        self._swept = float("-inf")
        self._clock_ahead = float("-inf")  # of the monotonic clock, at the last look

    def run(self) -> None:
        """Bring entries to the workers until `stop`; no trouble of one round ends the next."""
        while not self._stopping.is_set():
            sound = [self._do(step) for step in (self.keep_house, self.take_drops, self.runs.fill)]
            if not (all(sound) and self._do(self._wait)):
                self._stopping.wait(LOOK_S)

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
        """Return how long to wait for the bell: until something is due, at most LOOK_S.

        What is due now and was not dispatched is being waited for already; not without a pause.
        """
        if self._drops.under_way:
            return SHORTEST_S
        state = self._state
        due = state.spool.next_due()
        if due is None or not state.workers.spare:
            return LOOK_S
        pause = max(due - time.time(), state.relay.pool.next_probe())
        shortest = LOOK_S if self.runs.resting else SHORTEST_S
        return min(max(pause, shortest), LOOK_S)

    def keep_house(self) -> None:
        """End idle connections, and now and then sweep the spool."""
        state = self._state
        state.relay.pool.sweep()
        ahead = time.time() - time.monotonic()
        set_back = ahead < self._clock_ahead - CLOCK_STEP_S
        self._clock_ahead = ahead
        if not set_back and time.monotonic() - self._swept < HOUSEKEEPING_S:
            return
        self._swept = time.monotonic()
        threading.Thread(target=self._sweep, name="sweep", daemon=True).start()

    def _sweep(self) -> None:
        """Sweep the spool beside all else: it reads every entry, and mail does not wait for it."""
        state, config = self._state, self._state.relay.config
        pauses = {"first": config.retry_first, "longest": config.retry_longest}
        stranded: list[str] = []

        def look(entry: Entry) -> None:
            if retry.stranded(due=entry.next_attempt, now=time.time(), **pauses):
                stranded.append(entry.queue_id)

        try:
            for found in state.spool.sweep(time.time(), look):
                state.journal.event(
                    "", "swept", priority=WARNING, name=found.name, found=found.text
                )
            for queue_id in stranded:
                self._bring_back(queue_id)
        except (OSError, SpoolError) as error:
            state.journal.spool_trouble(error)

    def _bring_back(self, queue_id: str) -> None:
        """Make due what a clock that was ahead would have wait for that time to come."""
        try:
            self._state.spool.change(queue_id, "expedite")
        except EntryBusy:
            return  # it gets a new time from who has it in hand
        self._state.journal.event(queue_id, "due at once", why="the clock was ahead")
