"""Notices: the bounces and delay warnings of one entry, as messages that enter by the front door.

A notice is what `spool.Claim.settle` takes: (queue id, envelope, message, next attempt). None is
made for the null sender, nor where NOTIFY says that nobody wants to hear (RFC 3461 section 4.1).
"""

from __future__ import annotations

from pysendmail.message.address import parse_mailbox
from pysendmail.message.alias_file import read_aliases
from pysendmail.message.aliases import FORWARD, resolve
from pysendmail.message.bounce import compose_bounce, compose_delay_warning
from pysendmail.message.envelope import Recipient
from pysendmail.message.queue_id import new_queue_id
from pysendmail.submission.accept import local_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeAlias

    from pysendmail.config.keys import Config
    from pysendmail.journal import Journal
    from pysendmail.message.envelope import Envelope
    from pysendmail.message.message import Message
    from pysendmail.message.outcome import Outcome
    from pysendmail.spool.contract import Notice

    Composed: TypeAlias = tuple[Envelope, Message] | None


def bounce(
    envelope: Envelope,
    message: Message,
    failures: Sequence[Outcome],
    *,
    config: Config,
    arrived: float,
    now: float,
) -> list[Notice]:
    """Return the bounce for these failures, or nothing where none is due."""
    return notice(compose_bounce, envelope, message, failures, config, arrived=arrived, now=now)


def delay_warning(
    envelope: Envelope,
    message: Message,
    deferrals: Sequence[Outcome],
    *,
    config: Config,
    arrived: float,
    now: float,
) -> list[Notice]:
    """Return the warning that a message is late, or nothing where none is wanted."""

    def compose(*facts: Any, **named: Any) -> Composed:
        return compose_delay_warning(*facts, until=arrived + config.lifetime, **named)

    return notice(compose, envelope, message, deferrals, config, arrived=arrived, now=now)


def notice(
    compose: Callable[..., Composed],
    envelope: Envelope,
    message: Message,
    outcomes: Sequence[Outcome],
    config: Config,
    *,
    arrived: float,
    now: float,
) -> list[Notice]:
    """Return a notice as one that can be entered, addressed past the aliases."""
    queue_id = new_queue_id()
    composed = compose(
        envelope,
        message,
        outcomes,
        queue_id=queue_id,
        hostname=config.hostname,
        origin=config.origin,
        arrived=arrived,
        now=now,
    )
    if composed is None:
        return []
    own, report = composed
    sender = [parse_mailbox(recipient.address) for recipient in own.recipients]
    # The sender of most mail is a login name that was completed with the origin.
    local = config.replaced(
        local_domains=(*config.local_domains, config.origin.decode()), unknown_local=FORWARD
    )
    found, _failures = resolve(sender, local_names(local, read_aliases(config.aliases)))
    if found:
        own = own.with_recipients(tuple(Recipient(address) for address, _mailbox in found))
    return [(queue_id, own, report, now)]


def log_notices(journal: Journal, queue_id: str, notices: Sequence[Notice]) -> None:
    """Write which notices a message has caused."""
    for own_id, envelope, _message, _due in notices:
        journal.event(queue_id, "notice", id=own_id, to=envelope.recipients[0].address)
