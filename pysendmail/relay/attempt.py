"""Attempts: envelopes and messages in, one outcome for each recipient out.

The smarthosts are asked in order; what each trouble means is `policy`'s affair. Exceptions of the
SMTP core end here: above this module there are only values. What is unforeseen (a bug) goes up,
and the message stays where it is.

The spool is not known here: who calls decides what becomes of the outcomes.
"""

from __future__ import annotations

from pysendmail.relay.ledger import Ledger
from pysendmail.relay.offer import Offered, Offers
from pysendmail.relay.policy import POLICY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from pysendmail.message.envelope import Envelope
    from pysendmail.message.message import Message
    from pysendmail.message.outcome import Outcome
    from pysendmail.relay.offer import Sessions
    from pysendmail.relay.smarthost import Smarthost

# Deliveries that wait for the second smarthost while the first is still being asked about others.
LEFT_OVER = 50


class Delivery:
    """One message bound for the smarthosts; `subject` is whatever its owner knows it by."""

    __slots__ = ("envelope", "message", "subject")

    def __init__(self, envelope: Envelope, message: Message, subject: Any = None) -> None:
        self.envelope = envelope
        self.message = message
        self.subject = subject


class Attempt:
    """What came of one attempt.

    `outcomes` in the envelope's order; `tried`: whether any smarthost was asked; `reach`: that of
    the last trouble (`policy.SESSION` when smarthosts were at fault and not the message).
    """

    __slots__ = ("outcomes", "reach", "tried")

    def __init__(self, outcomes: list[Outcome], *, tried: bool, reach: str) -> None:
        self.outcomes = outcomes
        self.tried = tried
        self.reach = reach


def attempt(
    envelope: Envelope,
    message: Message,
    smarthosts: Sequence[Smarthost],
    sessions: Sessions,
    *,
    deadline: float | None = None,
) -> Attempt:
    """Try each smarthost in turn until every recipient of one message has its last word.

    `deadline` (monotonic seconds) bounds the whole attempt, for when a caller is waiting. Raises
    what the message raises when it is read.
    """
    deliveries = (Delivery(envelope, message),)
    ((_, result),) = attempts(deliveries, smarthosts, sessions, deadline=deadline)
    if isinstance(result, Exception):
        raise result
    return result


def attempts(
    deliveries: Iterable[Delivery],
    smarthosts: Sequence[Smarthost],
    sessions: Sessions,
    *,
    deadline: float | None = None,
) -> Iterator[tuple[Delivery, Attempt | Exception]]:
    """Attempt one delivery after the other, many of them over the same session.

    Yields each, in no certain order, as soon as every recipient has its last word, with what came
    of it: an `Attempt`, or what its message raised when it was read. Deliveries are taken as the
    session can carry them; who stops offering some gets back all that were taken.
    """
    source = (Offered(delivery, Ledger(delivery.envelope.recipients)) for delivery in deliveries)
    for offered in _offer_along(smarthosts, source, sessions, deadline):
        ledger = offered.ledger
        if not smarthosts:
            ledger.troubled(ledger.open, POLICY["connection"], b"no smarthost is configured", b"")
        if offered.error is not None:
            yield offered.delivery, offered.error
        else:
            result = Attempt(ledger.outcomes(), tried=ledger.tried, reach=ledger.reach)
            yield offered.delivery, result


def _offer_along(
    smarthosts: Sequence[Smarthost],
    source: Iterator[Offered],
    sessions: Sessions,
    deadline: float | None,
) -> Iterator[Offered]:
    """Offer all of `source` to the first smarthost, and what that leaves open to the others."""
    if not smarthosts:
        yield from source
        return
    first, others = smarthosts[0], smarthosts[1:]
    while True:
        left: list[Offered] = []
        batch = _Batch(source, left)
        for offered in Offers(first, sessions, deadline).make(batch):
            if offered.ledger.open and offered.error is None and others:
                left.append(offered)
            else:
                yield offered
        yield from _offer_along(others, iter(left), sessions, deadline)
        if batch.exhausted:
            return


class _Batch:
    """Deliveries out of `source`, until it ends or until many are `left` over."""

    __slots__ = ("_left", "_source", "exhausted")

    def __init__(self, source: Iterator[Offered], left: list[Offered]) -> None:
        self._source = source
        self._left = left
        self.exhausted = False

    def __iter__(self) -> _Batch:
        return self

    def __next__(self) -> Offered:
        if len(self._left) >= LEFT_OVER:
            raise StopIteration
        try:
            return next(self._source)
        except StopIteration:
            self.exhausted = True
            raise
