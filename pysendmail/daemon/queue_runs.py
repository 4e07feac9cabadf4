"""Runs of the queue: due entries stand in line, and a few sessions work the line off.

A run is one worker's: it takes entry after entry, hands them to `relay.attempts`, which streams
them over one session after the other, and settles each when its verdict comes. As many runs go on
as the line is long, within what the workers have to spare. A run ends with the line, when no
smarthost may be tried, after a reload, and when a caller waits for a worker.

An entry whose delivery fails in itself, or whose attempt cannot be recorded, rests for a while;
what was delivered of it is remembered meanwhile and not sent again.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from pysendmail.daemon.settle import settle
from pysendmail.message.outcome import DELIVERED
from pysendmail.relay.attempt import Attempt, Delivery, attempts
from pysendmail.relay.policy import MESSAGE
from pysendmail.spool.errors import SpoolError
from pysendmail.submission.answer import GRACE_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pysendmail.daemon.state import Relay, State
    from pysendmail.message.outcome import Outcome
    from pysendmail.spool.contract import Claim

# How many due entries stand in line at most, and with how few left it is filled again.
LINE, LOW = 500, 100
# So many entries in line are worth one more session.
ENTRIES_PER_RUN = 25
# Removals are synced together: a power cut may bring so many delivered messages out again, or what
# was delivered in so many seconds.
REMOVALS_PER_SYNC = 50
SECONDS_PER_SYNC = 0.5


class QueueRuns:
    """The queue's deliveries of one daemon."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._line: deque[str] = deque()
        self._in_line: set[str] = set()
        self._in_hand: set[str] = set()
        self._runs = 0
        self._resting: dict[str, float] = {}  # until when, by `time.monotonic`
        # What was delivered and could not be written down, by entry and recipient: not sent again.
        self._unrecorded: dict[str, dict[bytes, Outcome]] = {}

    # --- for the scheduler

    def attempting(self, queue_id: str) -> bool:
        """Tell whether an entry is being attempted."""
        with self._lock:
            return queue_id in self._in_hand

    def busy(self) -> bool:
        """Tell whether any entry stands in line or is being attempted."""
        with self._lock:
            return bool(self._in_line or self._in_hand or self._runs)

    @property
    def resting(self) -> bool:
        """Whether entries rest, which the spool still shows as due."""
        with self._lock:
            return bool(self._resting)

    def fill(self) -> None:
        """Put what is due in line, where the line is short, and start the runs it is worth."""
        state = self._state
        spare = state.workers.spare
        if not (spare or self._runs) or not state.relay.pool.admits():
            return
        if len(self._line) <= LOW:
            self._line_up()
        with self._lock:
            wanted = -(-len(self._line) // ENTRIES_PER_RUN) - self._runs
            starting = max(min(wanted, spare), 0)
            self._runs += starting
        for _ in range(starting):
            state.workers.put(self._run)

    def _line_up(self) -> None:
        now = time.monotonic()
        with self._lock:
            self._resting = {name: end for name, end in self._resting.items() if end > now}
            out_of_sight = len(self._in_line) + len(self._in_hand) + len(self._resting)
        due = self._state.spool.due(time.time(), LINE + out_of_sight)
        with self._lock:
            for queue_id in due:
                known = queue_id in self._in_line or queue_id in self._in_hand
                if len(self._line) < LINE and not known and queue_id not in self._resting:
                    self._line.append(queue_id)
                    self._in_line.add(queue_id)

    # --- one run

    def _run(self) -> None:
        try:
            self.deliver(self._take(self._state.relay))
        finally:
            with self._lock:
                self._runs -= 1
                if not self._runs:
                    # Whoever is left in line is still due; nobody must stand there unserved.
                    self._line.clear()
                    self._in_line.clear()
            self._state.spool.wake()

    def _take(self, relay: Relay) -> Iterator[str]:
        """Yield one entry of the line after the other, for as long as this run shall go on."""
        state = self._state
        while relay is state.relay and relay.pool.admits() and not state.workers.pressed:
            with self._lock:
                if not self._line:
                    return
                queue_id = self._line.popleft()
                self._in_line.discard(queue_id)
                self._in_hand.add(queue_id)
                low = len(self._line) == LOW
            if low:
                state.spool.wake()
            yield queue_id

    def deliver(self, queue_ids: Iterable[str]) -> None:
        """Make one attempt at each of these entries, where nobody else has it."""
        relay = self._state.relay
        run = _Run(self._state)
        try:
            deliveries = self._claim(queue_ids, run)
            for delivery, result in attempts(deliveries, relay.smarthosts, relay.pool):
                self._conclude(delivery.subject, result, run)
        finally:
            for claim in list(run.claims.values()):  # a bug broke the run off
                self._let_rest(claim.entry.queue_id)
                self._end(claim, run)
            run.sync()

    def _claim(self, queue_ids: Iterable[str], run: _Run) -> Iterator[Delivery]:
        """Claim entry after entry and yield what is to be delivered of it."""
        for queue_id in queue_ids:
            try:
                claim = self._state.spool.claim(queue_id)
                if claim is None:
                    self._forget(queue_id)
                    continue
                run.claims[queue_id] = claim
                delivered = self._unrecorded.get(queue_id, {})
                pending = tuple(r for r in claim.entry.pending if r.address not in delivered)
                envelope = claim.entry.envelope.with_recipients(pending)
                delivery = Delivery(envelope, claim.message(), claim)
            except Exception as error:
                self._fail(queue_id, error, run)
                continue
            if pending:
                yield delivery
            else:
                self._conclude(claim, Attempt([], tried=True, reach=MESSAGE), run)

    def _conclude(self, claim: Claim, result: Attempt | Exception, run: _Run) -> None:
        """Record what came of the attempt at one entry."""
        queue_id = claim.entry.queue_id
        try:
            if isinstance(result, Exception):
                raise result
            self._settle(claim, result, run)
        except Exception as error:
            self._fail(queue_id, error, run)
        else:
            self._end(claim, run)

    def _settle(self, claim: Claim, result: Attempt, run: _Run) -> None:
        state, queue_id = self._state, claim.entry.queue_id
        delivered = self._unrecorded.get(queue_id, {})
        result.outcomes += delivered.values()
        result.tried |= bool(delivered)
        if self._answer_may_be_lost(claim.entry.arrived):
            try:
                state.spool.remember(queue_id, time.time())
            except (OSError, SpoolError) as error:
                state.note_spool_trouble(error)
        self._unrecorded[queue_id] = {
            outcome.recipient: outcome for outcome in result.outcomes if outcome.kind == DELIVERED
        }
        config, journal = state.relay.config, state.journal
        over = settle(claim, result, config=config, journal=journal, now=time.time(), sync=False)
        del self._unrecorded[queue_id]
        if over:
            run.note_removal()

    def _answer_may_be_lost(self, arrived: float) -> bool:
        """Tell whether a daemon before us may have died with this entry's answer on its lips.

        Its caller then leaves the same message in the drop directory, and may do so after the
        entry is gone: the id must stay taken.
        """
        patience = self._state.config.wait + 2 * GRACE_S
        return 0 <= self._state.started - arrived < patience

    # --- the ends of an entry

    def _fail(self, queue_id: str, error: Exception, run: _Run) -> None:
        """Tell of a delivery that failed in itself, and let its entry rest."""
        self._state.workers.failed(error)
        self._let_rest(queue_id)
        claim = run.claims.get(queue_id)
        if claim is None:
            self._forget(queue_id)
        else:
            self._end(claim, run)

    def _let_rest(self, queue_id: str) -> None:
        with self._lock:
            self._resting[queue_id] = time.monotonic() + self._state.config.retry_first

    def _end(self, claim: Claim, run: _Run) -> None:
        claim.release()
        del run.claims[claim.entry.queue_id]
        self._forget(claim.entry.queue_id)

    def _forget(self, queue_id: str) -> None:
        with self._lock:
            self._in_hand.discard(queue_id)


class _Run:
    """What one run has in hand: its claims, and removals that are not synced yet."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._removals = 0
        self._since = 0.0
        self.claims: dict[str, Claim] = {}

    def note_removal(self) -> None:
        """Count an entry whose removal waits for a sync, and sync when that is due."""
        now = time.monotonic()
        if not self._removals:
            self._since = now
        self._removals += 1
        if self._removals >= REMOVALS_PER_SYNC or now - self._since >= SECONDS_PER_SYNC:
            self.sync()

    def sync(self) -> None:
        """Make the removals durable."""
        if self._removals:
            self._removals = 0
            try:
                self._state.spool.sync()
            except (OSError, SpoolError) as error:
                self._state.note_spool_trouble(error)
