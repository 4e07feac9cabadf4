"""Runs of the queue: due entries stand in line, and a few sessions work the line off.

Beside the line are the arrivals, entries that are new: one of these and one of the line are taken
in turns, and of the arrivals one of each submitter, so that nobody's new message waits behind all
that others have waiting.

A run is one worker's: it takes entry after entry, hands them to `relay.attempts`, which streams
them over one session after the other, and settles each when its verdict comes. It begins with one
run, and while those there are would be at the line for long they double, within what the workers
have to spare. A run ends with the line, when no smarthost may be tried, after a reload, and when a
caller waits for a worker.

An entry whose delivery fails in itself, or whose attempt cannot be recorded, rests for a while;
what was delivered of it is remembered meanwhile and not sent again.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque

from pysendmail.daemon.removals import Removals
from pysendmail.daemon.settle import settle
from pysendmail.message.outcome import DELIVERED
from pysendmail.relay.attempt import Attempt, Delivery, attempts
from pysendmail.relay.policy import MESSAGE
from pysendmail.spool.errors import SpoolError
from pysendmail.submission.answer import GRACE_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pysendmail.daemon.state import Relay, State
    from pysendmail.message.outcome import Outcome
    from pysendmail.spool.contract import Claim

    Claims = dict[str, Claim]  # what one run has in hand

# How many due entries stand in line at most, and with how few left it is filled again.
LINE, LOW = 500, 100
# No further run where those under way need no longer for the line than this: near a smarthost they
# keep a processor busy already, and more of them would only take it from each other.
SECONDS_PER_LINE = 1.0
# So long after runs began it shows how fast they are; a shorter time shows only what else the
# machine does. While they have done nothing at all they wait for a smarthost that is far away.
PACE_S, OPENING_S = 0.25, 0.05
# Fewer entries than this in line are not worth one more session, however slow.
ENTRIES_PER_RUN = 25
# How many entries a run claims ahead at most, how soon they must have been taken, and how long it
# keeps them where they are not: whoever waits for a run to end waits for that much more.
AHEAD, AHEAD_S, AHEAD_KEPT_S = 16, 0.01, 1.0


class QueueRuns:
    """The queue's deliveries of one daemon."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._removals = Removals(state.spool, state.journal)
        self._line: deque[str] = deque()
        self._in_line: set[str] = set()
        self._in_hand: set[str] = set()
        self._arrival_next = False
        self._runs = 0
        self._paced = 0.0  # when runs began last, by `time.monotonic`, or their pace was looked at
        self._done = 0  # how many entries they are done with since
        self._resting: dict[str, float] = {}  # until when, by `time.monotonic`
        # What was delivered of an entry and could not be written down: not sent again.
        self._unrecorded: dict[str, list[Outcome]] = {}

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
            starting = min(self._wanted(time.monotonic()), spare)
            self._runs += starting
        for begun in range(starting):
            try:
                state.workers.put(self._run)
            except RuntimeError:  # no thread to be had now
                with self._lock:
                    self._runs -= starting - begun
                return

    def _wanted(self, now: float) -> int:
        """Return how many runs more the line is worth."""
        passed, waiting = now - self._paced, len(self._line) + len(self._state.arrivals)
        if not self._runs:
            wanted = min(waiting, 1)
        elif passed < (PACE_S if self._done else OPENING_S):
            return 0
        elif waiting * passed > SECONDS_PER_LINE * self._done:
            wanted = min(waiting // ENTRIES_PER_RUN, self._runs)
        else:
            wanted = 0
        self._paced, self._done = now, 0
        return wanted

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
                queue_id = self._next_entry()
                if queue_id is None:
                    return
                self._in_hand.add(queue_id)
                low = len(self._line) == LOW
            if low:
                state.spool.wake()
            yield queue_id

    def _next_entry(self) -> str | None:
        """Return who is next, in line or of the arrivals; None when nobody waits."""
        arrivals = self._state.arrivals
        self._arrival_next = not self._arrival_next
        while self._line or arrivals:
            queue_id = arrivals.take() if self._arrival_next or not self._line else None
            if queue_id is None and self._line:
                queue_id = self._line.popleft()
                if queue_id not in self._in_line:
                    continue  # it was taken as an arrival
                arrivals.discard(queue_id)
            if queue_id is not None and queue_id not in self._in_hand:
                self._in_line.discard(queue_id)
                return queue_id
        return None

    def deliver(self, queue_ids: Iterable[str]) -> None:
        """Make one attempt at each of these entries, where nobody else has it."""
        relay = self._state.relay
        claims: Claims = {}
        try:
            deliveries = Ahead(
                self._claim(queue_ids, claims),
                lambda unsent: self._give_back(unsent.subject, claims),
                # Of what is claimed past a rate nothing may go out.
                most=1 if relay.config.messages_per_minute else AHEAD,
            )
            for delivery, result in attempts(deliveries, relay.smarthosts, relay.pool):
                self._conclude(delivery.subject, result, claims)
                deliveries.prepare()
        finally:
            for claim in list(claims.values()):  # a bug broke the run off
                self._let_rest(claim.entry.queue_id)
                self._end(claim, claims)
            self._removals.sync()

    def _claim(self, queue_ids: Iterable[str], claims: Claims) -> Iterator[Delivery]:
        """Claim entry after entry and yield what is to be delivered of it."""
        for queue_id in queue_ids:
            try:
                claim = self._state.spool.claim(queue_id)
                if claim is None:
                    self._forget(queue_id)
                    continue
                claims[queue_id] = claim
                pending = claim.entry.pending_after(self._unrecorded.get(queue_id, ()))
                envelope = claim.entry.envelope.with_recipients(pending)
                delivery = Delivery(envelope, claim.message(), claim)
            except Exception as error:
                self._fail(queue_id, error, claims)
                continue
            if pending:
                yield delivery
            else:
                self._conclude(claim, Attempt([], tried=True, reach=MESSAGE), claims)

    def _conclude(self, claim: Claim, result: Attempt | Exception, claims: Claims) -> None:
        """Record what came of the attempt at one entry."""
        queue_id = claim.entry.queue_id
        try:
            if isinstance(result, Exception):
                raise result
            self._settle(claim, result)
        except Exception as error:
            self._fail(queue_id, error, claims)
        else:
            self._end(claim, claims)

    def _settle(self, claim: Claim, result: Attempt) -> None:
        state, queue_id = self._state, claim.entry.queue_id
        delivered = self._unrecorded.get(queue_id, ())
        result.outcomes += delivered
        result.tried |= bool(delivered)
        if self._answer_may_be_lost(claim.entry.arrived):
            try:
                state.spool.remember(queue_id, time.time())
            except (OSError, SpoolError) as error:
                state.journal.spool_trouble(error)
        self._unrecorded[queue_id] = [one for one in result.outcomes if one.kind == DELIVERED]
        over = settle(
            claim,
            result,
            config=state.relay.config,
            journal=state.journal,
            now=time.time(),
            age=state.age(claim.entry.arrived),
            sync=False,
        )
        self._unrecorded.pop(queue_id, None)  # who claimed it since may have been quicker
        if over:
            self._removals.note()

    def _answer_may_be_lost(self, arrived: float) -> bool:
        """Tell whether a daemon before us may have died with this entry's answer on its lips.

        Its caller then leaves the same message in the drop directory, and may do so after the
        entry is gone: the id must stay taken.
        """
        patience = self._state.config.wait + 2 * GRACE_S
        return 0 <= self._state.started - arrived < patience

    # --- the ends of an entry

    def _fail(self, queue_id: str, error: Exception, claims: Claims) -> None:
        """Tell of a delivery that failed in itself, and let its entry rest."""
        self._state.workers.failed(error)
        self._let_rest(queue_id)
        claim = claims.get(queue_id)
        if claim is None:
            self._forget(queue_id)
        else:
            self._end(claim, claims)

    def _let_rest(self, queue_id: str) -> None:
        with self._lock:
            self._resting[queue_id] = time.monotonic() + self._state.config.retry_first

    def _end(self, claim: Claim, claims: Claims) -> None:
        self._forget(self._release(claim, claims))

    def _give_back(self, claim: Claim, claims: Claims) -> None:
        """Leave an entry that was not attempted to whichever run is first to take one."""
        queue_id = self._release(claim, claims)
        with self._lock:
            self._in_hand.discard(queue_id)
            if self._runs:  # who clears the line in the end; without one it is found as due
                self._in_line.add(queue_id)
                self._line.appendleft(queue_id)

    def _release(self, claim: Claim, claims: Claims) -> str:
        claim.release()
        del claims[claim.entry.queue_id]
        return claim.entry.queue_id

    def _forget(self, queue_id: str) -> None:
        with self._lock:
            self._in_hand.discard(queue_id)
            self._done += 1


class Ahead:
    """Deliveries, the next of which are at hand when they are asked for.

    A verdict is read while the smarthost is at work on the next message: that is the time to claim
    what follows, one as a rule. Where a session takes them quickly it is several, for the same
    thing done time after time is in the processor's caches; `most` of them, and no more than are
    taken in about AHEAD_S, since nobody else can deliver them meanwhile. Should the smarthost turn
    slow, they are given back, the last one first, and it begins with one.
    """

    def __init__(
        self,
        deliveries: Iterator[Delivery],
        give_back: Callable[[Delivery], None],
        *,
        most: int = AHEAD,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._deliveries = deliveries
        self._give_back = give_back
        self._most = most
        self._clock = clock
        self._ready: deque[Delivery] = deque()
        self._count = 1  # of those that were last prepared
        self._prepared = float("-inf")

    def prepare(self) -> None:
        """Have some at hand, if any is left."""
        if self._ready:
            return
        now = self._clock()
        quick = now - self._prepared < AHEAD_S
        self._count = min(self._count * 2, self._most) if quick else max(self._count // 2, 1)
        self._prepared = now
        self._ready.extend(itertools.islice(self._deliveries, self._count))

    def __iter__(self) -> Ahead:
        return self

    def __next__(self) -> Delivery:
        if len(self._ready) > 1 and self._clock() - self._prepared > AHEAD_KEPT_S:
            while self._ready:
                self._give_back(self._ready.pop())
            self._count = 1
        self.prepare()
        if not self._ready:
            raise StopIteration
        return self._ready.popleft()
