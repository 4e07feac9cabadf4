"""The scheduler: brings what is due to the workers, and keeps the house.

One thread. It sleeps until the next entry is due, a smarthost may be probed, somebody rings the
spool's bell, or a second has passed (the drop directory is looked at then: its submitters have no
bell to ring). While every smarthost is away nothing is claimed, so ten thousand waiting entries
cost nothing.
"""

from __future__ import annotations

import threading
import time

from pysendmail.daemon.settle import settle
from pysendmail.journal import ERROR, WARNING
from pysendmail.message.outcome import DELIVERED
from pysendmail.relay.attempt import attempt
from pysendmail.spool.errors import SpoolError
from pysendmail.submission.answer import GRACE_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pysendmail.daemon.drop_intake import DropIntake
    from pysendmail.daemon.state import State
    from pysendmail.message.outcome import Outcome

LOOK_S = 1.0  # how often the drop directory and the idle connections are looked at
HOUSEKEEPING_S = 3600.0


class Scheduler:
    """Runs the queue of one daemon until it is told to stop."""

    def __init__(self, state: State, drops: DropIntake) -> None:
        self._state = state
        self._drops = drops
        self._in_hand: set[str] = set()
        self._resting: dict[str, float] = {}  # entries whose delivery failed in itself, until when
        # What was delivered and could not be written down, by entry and recipient: not sent again.
        self._unrecorded: dict[str, dict[bytes, Outcome]] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._swept = float("-inf")

    def run(self) -> None:
        """Bring entries to the workers until `stop`; no trouble of one round ends the next."""
        while not self._stopping.is_set():
            sound = [self._do(step) for step in (self.keep_house, self.take_drops, self.dispatch)]
            if not (all(sound) and self._do(self._wait)):
                self._stopping.wait(LOOK_S)

    def _do(self, step: Callable[[], None]) -> bool:
        """Take one step; what goes wrong in it is told, and stops no other."""
        journal = self._state.journal
        try:
            step()
        except (OSError, SpoolError) as error:
            journal.event("", "spool trouble", priority=WARNING, said=str(error))
        except Exception as error:
            journal.event("", "internal error", priority=ERROR, said=repr(error))
        else:
            return True
        return False

    def _wait(self) -> None:
        self._state.spool.wait(self.pause())

    def stop(self) -> None:
        """End `run` soon."""
        self._stopping.set()
        self._state.spool.wake()

    def attempting(self, queue_id: str) -> bool:
        """Tell whether an entry is in the workers' hands."""
        with self._lock:
            return queue_id in self._in_hand

    def busy(self) -> bool:
        """Tell whether any entry is in the workers' hands."""
        with self._lock:
            return bool(self._in_hand)

    def drops_wait(self) -> bool:
        """Tell whether there may be something in the drop directory."""
        return self._drops.changed()

    def retry_now(self) -> None:
        """Have smarthosts that are away tried again at once."""
        self._state.relay.pool.retry_now()

    def take_drops(self) -> None:
        """Take in the drop directory where it has changed."""
        if self._drops.changed():
            self._drops.sweep(time.time())

    def dispatch(self) -> None:
        """Give the workers as many due entries as they can begin at once."""
        state = self._state
        spare = state.workers.spare
        if not spare or not state.relay.pool.admits():
            return
        now = time.monotonic()
        with self._lock:
            self._resting = {name: end for name, end in self._resting.items() if end > now}
            out_of_sight = len(self._in_hand) + len(self._resting)
        for queue_id in state.spool.due(time.time(), spare + out_of_sight):
            with self._lock:
                if queue_id in self._in_hand or queue_id in self._resting or spare <= 0:
                    continue
                self._in_hand.add(queue_id)
            spare -= 1
            state.workers.put(self._delivery(queue_id))

    def pause(self) -> float:
        """Return how long to wait for the bell: until something is due, at most LOOK_S.

        What is due now and was not dispatched is being waited for already; not without a pause.
        """
        state = self._state
        due = state.spool.next_due()
        if due is None or not state.workers.spare:
            return LOOK_S
        pause = max(due - time.time(), state.relay.pool.next_probe())
        shortest = LOOK_S if self._resting else LOOK_S / 20
        return min(max(pause, shortest), LOOK_S)

    def keep_house(self) -> None:
        """End idle connections, and now and then sweep the spool."""
        state = self._state
        state.relay.pool.sweep()
        if time.monotonic() - self._swept < HOUSEKEEPING_S:
            return
        self._swept = time.monotonic()
        threading.Thread(target=self._sweep, name="sweep", daemon=True).start()

    def _sweep(self) -> None:
        """Sweep the spool beside all else: it reads every entry, and mail does not wait for it."""
        journal = self._state.journal
        try:
            for finding in self._state.spool.sweep(time.time()):
                journal.event("", "swept", priority=WARNING, name=finding.name, found=finding.text)
        except (OSError, SpoolError) as error:
            journal.event("", "spool trouble", priority=WARNING, said=str(error))

    def _delivery(self, queue_id: str) -> Callable[[], None]:
        def deliver() -> None:
            try:
                self.deliver(queue_id)
            except BaseException:
                rest = self._state.config.retry_first
                with self._lock:
                    self._resting[queue_id] = time.monotonic() + rest
                raise
            finally:
                with self._lock:
                    self._in_hand.discard(queue_id)
                self._state.spool.wake()

        return deliver

    def _answer_may_be_lost(self, arrived: float) -> bool:
        """Tell whether a daemon before us may have died with this entry's answer on its lips.

        Its caller then leaves the same message in the drop directory, and may do so after the
        entry is gone: the id must stay taken.
        """
        patience = self._state.config.wait + 2 * GRACE_S
        return 0 <= self._state.started - arrived < patience

    def deliver(self, queue_id: str) -> None:
        """Make one attempt at one entry, where nobody else has it."""
        state = self._state
        claim = state.spool.claim(queue_id)
        if claim is None:
            return
        try:
            entry, relay = claim.entry, state.relay
            delivered = self._unrecorded.get(queue_id, {})
            pending = tuple(r for r in entry.pending if r.address not in delivered)
            envelope = entry.envelope.with_recipients(pending)
            result = attempt(envelope, claim.message(), relay.smarthosts, relay.pool)
            result.outcomes += delivered.values()
            result.tried |= bool(delivered)
            if self._answer_may_be_lost(entry.arrived):
                self._do(lambda: state.spool.remember(queue_id, time.time()))
            self._unrecorded[queue_id] = {
                outcome.recipient: outcome
                for outcome in result.outcomes
                if outcome.kind == DELIVERED
            }
            settle(claim, result, config=relay.config, journal=state.journal, now=time.time())
            del self._unrecorded[queue_id]
        finally:
            claim.release()
