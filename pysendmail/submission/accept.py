"""Acceptance: from a request and raw octets to an envelope and a message that may go out.

One story, told the same way behind all three doors: read the message, find the recipients, complete
and rewrite the header. What a caller did wrong raises `Refused` with the exit status and the line
that he gets; nothing has been queued then. A bad address among good ones is no reason to refuse: it
is a failure that the sender hears of by a bounce.
"""

from __future__ import annotations

from pysendmail.message import intake
from pysendmail.message.address import (
    RECIPIENTS_LIMIT,
    AddressError,
    parse_lists,
    parse_mailbox,
    qualify,
)
from pysendmail.message.aliases import LocalNames, resolve
from pysendmail.message.content import Content
from pysendmail.message.envelope import Envelope, Recipient
from pysendmail.message.outcome import FAILED, Outcome, printable
from pysendmail.message.trace import find_loop
from pysendmail.submission.completion import completions
from pysendmail.submission.exit_status import (
    EX_DATAERR,
    EX_UNAVAILABLE,
    EX_USAGE,
    Refused,
    exit_status,
    failure_line,
    is_address_at_fault,
    too_large,
)
from pysendmail.submission.request import BY_MAIL, EIGHT_BIT, MODES
from pysendmail.submission.senders import find_sender, is_null_sender, parse_sender

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pysendmail.config.keys import Config
    from pysendmail.message.address import Mailbox
    from pysendmail.message.aliases import Aliases
    from pysendmail.message.content import Readable
    from pysendmail.message.message import Message
    from pysendmail.submission.request import Request
    from pysendmail.submission.submitter import Submitter


# ORCPT may have 500 octets (RFC 3461 section 4.2): xtext makes up to three of one, and the form for
# addresses that are not ASCII (RFC 6533 section 3) up to six.
ORCPT_LIMIT, ORCPT_UTF8_LIMIT = 160, 80


class Accepted:
    """A submission that was found in order at the epoch second `arrived`.

    `envelope` has no recipients when all of them are in `failures`, the outcomes of addresses that
    cannot be used. `mode` is the delivery mode that was asked for, or else configured.
    """

    __slots__ = ("arrived", "envelope", "failures", "message", "mode", "request", "submitter")

    def __init__(
        self,
        request: Request,
        submitter: Submitter,
        envelope: Envelope,
        message: Message,
        failures: list[Outcome],
        *,
        mode: bytes,
        arrived: float,
    ) -> None:
        self.request = request
        self.mode = mode
        self.submitter = submitter
        self.envelope = envelope
        self.message = message
        self.failures = failures
        self.arrived = arrived

    @property
    def told_by_bounce(self) -> bool:
        """Whether a failure is the aliases' fault, which the caller can do nothing about."""
        return not all(map(is_address_at_fault, self.failures))

    def require_recipients(self) -> None:
        """Raise Refused where the caller has named nobody who could get the message.

        Nothing is queued then. Who wants to hear of failures by mail gets a bounce instead.
        """
        told = self.told_by_bounce or is_told_by_mail(self.request)
        if not self.envelope.recipients and not told:
            raise Refused(exit_status(self.failures), failure_line(self.failures))


def accept(
    request: Request,
    raw: Readable,
    submitter: Submitter,
    *,
    config: Config,
    aliases: Aliases,
    now: float,
    content: Callable[[], Content],
    limit: int | None,
) -> Accepted:
    """Return what the request asks for, ready to go out; raises Refused.

    `content` makes the place where the message is kept, `limit` is its largest size in octets
    (None: it has been measured before). `now` is the epoch second of the arrival.
    """
    message = read(raw, limit=limit, content=content)
    refuse_loop(request, message)
    recipients, failures = recipients_of(request, message, config, aliases)
    sender = find_sender(request, submitter, config)
    *_, (_reason, message) = completions(
        request, message, submitter, sender, config=config, now=now, content=content
    )
    envelope = Envelope(
        sender.envelope,
        recipients,
        ret=request.ret,
        envid=request.envid,
        eight_bit=request.body_type == EIGHT_BIT
        or not all(chunk.isascii() for chunk in message.chunks()),
        smtputf8=not all(
            address.isascii() for address in (sender.envelope, *(one.address for one in recipients))
        ),
    )
    mode = request.mode or MODES[config.delivery_mode]
    return Accepted(request, submitter, envelope, message, failures, mode=mode, arrived=now)


def check(request: Request, raw: Readable, *, limit: int) -> list[Outcome]:
    """Raise Refused for mistakes that can be told without the configuration: the drop door's.

    Returns the failures that make the message one for nobody, where a bounce is to tell of them.
    """
    message = read(raw, limit=limit, content=Content)
    refuse_loop(request, message)
    parse_sender(request)
    mailboxes, bad = asked_recipients(request, message)
    message.close()
    if mailboxes or request.recipients:
        return []
    failures = [unusable(element) for element in bad]
    if not is_told_by_mail(request):
        raise Refused(EX_DATAERR, failure_line(failures))
    return failures


def is_told_by_mail(request: Request) -> bool:
    """Tell whether the sender shall hear of a failure by a bounce, and can have one."""
    has_none = request.notify == (b"NEVER",) or is_null_sender(request)
    return request.error_mode in BY_MAIL and not has_none


def read(raw: Readable, *, limit: int | None, content: Callable[[], Content]) -> Message:
    """Return the message in canonical form."""
    if limit is None:
        limit = raw.size * 2 + 2  # line ends may grow
    try:
        return intake.read_message(raw.chunks(), limit=limit, content=content)
    except intake.MessageTooLarge as error:
        raise too_large(limit) from error
    except intake.MessageError as error:
        raise Refused(EX_DATAERR, printable(str(error).encode())) from error


def refuse_loop(request: Request, message: Message) -> None:
    """Raise Refused for a message that goes round in a circle (RFC 3463: 5.4.6)."""
    if loop := find_loop(message.fields, request.hops):
        raise Refused(EX_UNAVAILABLE, b"5.4.6 this message goes round in a circle: " + loop)


def recipients_of(
    request: Request, message: Message, config: Config, aliases: Aliases
) -> tuple[list[Recipient], list[Outcome]]:
    """Return who gets the message, each once, and the failures; raises Refused where nobody is."""
    mailboxes, bad = asked_recipients(request, message)
    wishes: dict[Mailbox, Recipient] = {}
    for one in request.recipients:
        try:
            wishes.setdefault(parse_mailbox(one.address), one)
        except AddressError:
            bad.append(one.address)
    found, failures = resolve(
        [*mailboxes, *wishes], local_names(config, None if request.literal else aliases)
    )
    recipients = [
        recipient_of(address, qualify(mailbox, config.origin), request.notify, wishes.get(mailbox))
        for address, mailbox in found
    ]
    return recipients, failures + [unusable(element) for element in bad]


def why_nobody(address: bytes, config: Config, aliases: Aliases) -> bytes:
    """Return why nobody would get mail for this one address and its sender is to know, else b""."""
    found, failures = resolve([parse_mailbox(address)], local_names(config, aliases))
    if found or not failures or not all(map(is_address_at_fault, failures)):
        return b""
    return failure_line(failures)


def asked_recipients(request: Request, message: Message) -> tuple[list[Mailbox], list[bytes]]:
    """Return the recipients of command line and, with -t, header; raises Refused where none is."""
    mailboxes, bad = parse_lists(request.operands)
    if request.from_header:
        found, unreadable = intake.recipients_of(message)
        mailboxes += found
        bad += unreadable
    if len(mailboxes) + len(bad) + len(request.recipients) > RECIPIENTS_LIMIT:
        raise Refused(EX_DATAERR, b"more than %d recipients" % RECIPIENTS_LIMIT)
    if not mailboxes and not bad and not request.recipients:
        where = b" in the message header" if request.from_header else b""
        raise Refused(EX_USAGE, b"No recipient addresses found" + where)
    return mailboxes, bad


def local_names(config: Config, aliases: Aliases | None) -> LocalNames:
    """Return which names are local here, and what they stand for."""
    return LocalNames(
        aliases,
        origin=config.origin,
        hostname=config.hostname,
        root=config.root,
        domains=[domain.encode() for domain in config.local_domains],
        unknown=config.unknown_local,
    )


def recipient_of(
    address: bytes, original: bytes, notify: tuple[bytes, ...], wish: Recipient | None
) -> Recipient:
    """Return one recipient; his original address is the one that the sender wrote.

    That and NOTIFY go with the message to everybody whom an alias stands for (RFC 3461 sections 4.2
    and 5.2.7); a `wish` of his own goes before what holds for all.
    """
    kind, limit = (b"rfc822", ORCPT_LIMIT) if original.isascii() else (b"utf-8", ORCPT_UTF8_LIMIT)
    orcpt = kind + b";" + original if len(original) <= limit else b""
    if wish is None:
        return Recipient(address, notify, orcpt)
    return Recipient(address, wish.notify or notify, wish.orcpt or orcpt)


def unusable(element: bytes) -> Outcome:
    """Return the outcome of something that cannot be read as an address."""
    return Outcome(printable(element, 200), FAILED, b"5.1.3", b"the address cannot be read", b"")
