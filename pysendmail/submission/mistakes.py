"""Mistakes of the caller: what can be told of a request without the configuration.

The drop door tells no more than that (`check`), and imports no more of ours. What a caller did
wrong raises `Refused` with the exit status and the line that he gets.
"""

from __future__ import annotations

from pysendmail.message import intake
from pysendmail.message.address import parse_lists
from pysendmail.message.content import Content
from pysendmail.message.envelope import RECIPIENTS_LIMIT
from pysendmail.message.outcome import FAILED, Outcome, printable
from pysendmail.message.trace import find_loop
from pysendmail.submission.exit_status import (
    EX_DATAERR,
    EX_UNAVAILABLE,
    EX_USAGE,
    Refused,
    failure_line,
    too_large,
)
from pysendmail.submission.request import BY_MAIL
from pysendmail.submission.senders import is_null_sender, parse_sender

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pysendmail.message.address import Mailbox
    from pysendmail.message.content import Readable
    from pysendmail.message.message import Message
    from pysendmail.submission.request import Request


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


def unusable(element: bytes) -> Outcome:
    """Return the outcome of something that cannot be read as an address."""
    return Outcome(printable(element, 200), FAILED, b"5.1.3", b"the address cannot be read", b"")
