"""Notices: the bounces and other reports of one entry, as messages that enter by the front door.

A notice is what `spool.Claim.settle` takes: (queue id, envelope, message, next attempt). None is
made for the null sender, nor where NOTIFY says that nobody wants to hear (RFC 3461 section 4.1).
"""

from __future__ import annotations

from pysendmail.message.address import parse_mailbox
from pysendmail.message.alias_file import read_aliases
from pysendmail.message.aliases import FORWARD, Aliases, resolve
from pysendmail.message.bounce import FAILURE, compose_report, reportable
from pysendmail.message.envelope import Recipient
from pysendmail.message.queue_id import new_queue_id
from pysendmail.message.rewrite import set_authors
from pysendmail.submission.accept import local_names
from pysendmail.submission.senders import MAILER_DAEMON, senders_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pysendmail.config.keys import Config
    from pysendmail.journal import Journal
    from pysendmail.message.bounce import Kind
    from pysendmail.message.envelope import Envelope
    from pysendmail.message.message import Message
    from pysendmail.message.outcome import Outcome
    from pysendmail.spool.contract import Notice


def notice(
    kind: Kind,
    envelope: Envelope,
    message: Message,
    outcomes: Sequence[Outcome],
    *,
    config: Config,
    arrived: float,
    now: float,
) -> list[Notice]:
    """Return the report of this kind as one that can be entered, addressed past the aliases.

    Nothing is returned where none is due.
    """
    if not reportable(kind, envelope, outcomes):
        return []
    queue_id = new_queue_id()
    composed = compose_report(
        kind,
        envelope,
        message,
        outcomes,
        queue_id=queue_id,
        hostname=config.hostname,
        origin=config.origin,
        arrived=arrived,
        now=now,
        until=arrived + config.lifetime,
    )
    if composed is None:
        return []
    own, report = composed
    senders = senders_of(config, MAILER_DAEMON)
    report = set_authors(report, senders.author_for, reply_to=False)
    sender = [parse_mailbox(recipient.address) for recipient in own.recipients]
    # The sender of most mail is a login name that was completed with the origin.
    local = config.replaced(
        local_domains=(*config.local_domains, config.origin.decode()), unknown_local=FORWARD
    )
    try:
        aliases = read_aliases(config.aliases)
    except OSError:
        aliases = Aliases()  # better a notice at the origin than an attempt that is not recorded
    found, _failures = resolve(sender, local_names(local, aliases))
    if found:
        own = own.with_recipients(tuple(Recipient(address) for address, _mailbox in found))
    return [(queue_id, own, report, now)]


def log_notices(journal: Journal, queue_id: str, notices: Sequence[Notice]) -> None:
    """Write which notices a message has caused."""
    for own_id, envelope, _message, _due in notices:
        journal.event(queue_id, "notice", id=own_id, to=envelope.recipients[0].address)


def log_untold(
    journal: Journal,
    queue_id: str,
    envelope: Envelope,
    failures: Sequence[Outcome],
    *,
    unwanted: bool = False,
) -> list[Outcome]:
    """Write, and return, of which failures no bounce tells; `unwanted`: the caller said so of them
    all.
    """
    told = {outcome for outcome, _ in reportable(FAILURE, envelope, () if unwanted else failures)}
    why = "not wanted (NOTIFY)" if envelope.sender else "the sender is null"
    untold = [outcome for outcome in failures if outcome not in told]
    for outcome in untold:
        journal.event(queue_id, "no bounce", to=outcome.recipient, why=why)
    return untold
