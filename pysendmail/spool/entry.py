"""One message in the spool: the facts about it, and how they change.

`Entry` is a value: what happens to an entry makes a new one. A recipient is pending until it is
crossed off; the state of the entry follows from that (it is over when none is pending) and is
stored nowhere. Pure: no I/O, no clock.
"""

from __future__ import annotations

from pysendmail.message.outcome import DEFERRED
from pysendmail.message.queue_id import is_queue_id
from pysendmail.spool.errors import BadQueueId

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pysendmail.message.envelope import Envelope, Recipient
    from pysendmail.message.outcome import Outcome

# The next attempt of an expedited entry: before everything else, whatever the clock says.
AT_ONCE = 0.0

# What an administrator may do to an entry (see `contract.Spool.change`).
ACTIONS = ("hold", "release", "expedite", "remove")


def check_queue_id(queue_id: str) -> str:
    """Return the queue id, or raise BadQueueId. Done on every use: an id becomes a file name."""
    if not is_queue_id(queue_id):
        raise BadQueueId(queue_id)
    return queue_id


class Entry:
    """A message that waits. Times are seconds since the epoch, `size` is the message's octets.

    pending       recipients not yet crossed off, in the order of the envelope
    reasons       the last outcome of a pending recipient, by address; none before its first attempt
    attempts      how many attempts were made; the last one began at `last_attempt` (None: never)
    next_attempt  not to be tried before; `AT_ONCE` when expedited
    held          the administrator said: not until released
    warned        a delay warning has been sent
    extra         what a newer version wrote and this one does not know; kept
    """

    __slots__ = (
        "arrived",
        "attempts",
        "envelope",
        "extra",
        "held",
        "last_attempt",
        "next_attempt",
        "pending",
        "queue_id",
        "reasons",
        "size",
        "uid",
        "warned",
    )

    def __init__(
        self,
        queue_id: str,
        envelope: Envelope,
        *,
        arrived: float,
        uid: int,
        size: int,
        next_attempt: float,
        attempts: int = 0,
        held: bool = False,
        pending: tuple[Recipient, ...] | None = None,
        reasons: Mapping[bytes, Outcome] | None = None,
        last_attempt: float | None = None,
        warned: bool = False,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.queue_id = check_queue_id(queue_id)
        self.envelope = envelope
        self.arrived = arrived
        self.uid = uid
        self.size = size
        self.next_attempt = next_attempt
        self.attempts = attempts
        self.held = held
        self.pending = envelope.recipients if pending is None else pending
        self.reasons = dict(reasons or {})
        self.last_attempt = last_attempt
        self.warned = warned
        self.extra = dict(extra or {})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Entry):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]  # holds dicts

    def __repr__(self) -> str:
        return (
            f"<Entry {self.queue_id} from {self.envelope.sender!r}, {len(self.pending)} of "
            f"{len(self.envelope.recipients)} pending, {self.size} octets>"
        )

    def changed(self, **facts: Any) -> Entry:
        """Return the same entry with some facts changed."""
        known = {name: getattr(self, name) for name in self.__slots__}
        return Entry(**{**known, **facts})

    def pending_after(self, outcomes: Sequence[Outcome]) -> tuple[Recipient, ...]:
        """Return who is left when those are crossed off who were delivered or have failed.

        Who has no outcome stays. An outcome for somebody unknown changes nothing: in doubt a
        recipient is tried again.
        """
        if not outcomes:
            return self.pending
        last = {outcome.recipient: outcome.kind for outcome in outcomes}
        return tuple([one for one in self.pending if last.get(one.address, DEFERRED) == DEFERRED])

    def with_outcomes(self, outcomes: Sequence[Outcome], **facts: Any) -> Entry:
        """Return the entry for who is left after these outcomes, each with his latest reason.

        Other `facts` change with it.
        """
        pending = self.pending_after(outcomes)
        reasons = {**self.reasons, **{outcome.recipient: outcome for outcome in outcomes}}
        addresses = {recipient.address for recipient in pending}
        return self.changed(
            pending=pending,
            reasons={who: reasons[who] for who in addresses & reasons.keys()},
            **facts,
        )

    def settled(
        self,
        outcomes: Sequence[Outcome],
        next_attempt: float,
        *,
        now: float,
        warned: bool | None = None,
    ) -> Entry:
        """Return the entry after an attempt that ended `now` with these outcomes."""
        return self.with_outcomes(
            outcomes,
            attempts=self.attempts + 1,
            last_attempt=now,
            next_attempt=next_attempt,
            warned=self.warned if warned is None else warned,
        )


def entered(
    queue_id: str,
    envelope: Envelope,
    *,
    arrived: float,
    uid: int,
    size: int,
    next_attempt: float,
    outcomes: Sequence[Outcome],
    attempts: int,
) -> Entry:
    """Return the entry of a message that enters, perhaps after a first attempt (`outcomes`).

    Raises ValueError when no recipient is left to wait for: there is nothing to enter.
    """
    entry = Entry(
        queue_id,
        envelope,
        arrived=arrived,
        uid=uid,
        size=size,
        next_attempt=next_attempt,
        attempts=attempts,
        # That attempt was part of the submission: it ended when the message arrived, to a minute.
        last_attempt=arrived if attempts else None,
    )
    if outcomes:
        entry = entry.with_outcomes(outcomes)
    if not entry.pending:
        raise ValueError("an entry without a pending recipient")
    return entry
