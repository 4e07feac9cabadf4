"""SMTP before the doors: what a transaction asks for, and what its answer is as a reply.

For whoever owns a session of `smtp.server`: sendmail -bs, and the daemon's SMTP listener. The
message then goes the way of any other, so the reply to its end is the verdict: 250 means that
responsibility was taken, as exit status 0 does.
"""

from __future__ import annotations

from pysendmail.message.address import AddressError, parse_mailbox
from pysendmail.message.envelope import Recipient
from pysendmail.smtp.reply import Reply
from pysendmail.submission.answer import Answer
from pysendmail.submission.exit_status import (
    EX_CONFIG,
    EX_DATAERR,
    EX_IOERR,
    EX_NOPERM,
    EX_NOUSER,
    EX_TEMPFAIL,
    Refused,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pysendmail.smtp.server import Transaction

# Exit status -> code and enhanced status (RFC 5321 section 4.2.3, RFC 3463); all others are final.
_CODES = {
    EX_DATAERR: (554, b"5.6.0"),
    EX_NOUSER: (550, b"5.1.1"),
    EX_NOPERM: (550, b"5.7.1"),
    EX_IOERR: (451, b"4.3.0"),
    EX_TEMPFAIL: (452, b"4.3.0"),
    EX_CONFIG: (451, b"4.3.5"),
}
_FINAL = (554, b"5.0.0")


def is_address(address: bytes) -> bool:
    """Tell whether this is the one address it should be, bare or with a domain."""
    try:
        parse_mailbox(address)
    except AddressError:
        return False
    return True


def wishes_of(transaction: Transaction) -> dict[str, Any]:
    """Return the facts of a `Request` that MAIL and RCPT have said, and none that they left out.

    NOTIFY that every RCPT has said is the request's own: it then holds for addresses, too, that
    lead to no recipient.
    """
    recipients = [Recipient(one.address, one.notify, one.orcpt) for one in transaction.recipients]
    wishes: dict[str, Any] = {"sender": transaction.sender, "recipients": tuple(recipients)}
    for name in ("body_type", "ret", "envid"):
        if value := getattr(transaction, name):
            wishes[name] = value
    notify = {one.notify for one in recipients}
    if () not in notify:
        wishes["notify"] = notify.pop() if len(notify) == 1 else ()
    return wishes


def reply_to(
    hand_over: Callable[[], Answer],
    queue_id: str,
    note: Callable[[Exception], None] = lambda _error: None,
) -> Reply:
    """Have a message taken, and return what is said to its end.

    Programs look for the queue id in it. What goes wrong in ourselves is noted, and told as
    something that passes: the client tries again, and at worst the message comes twice.
    """
    try:
        answer = hand_over()
    except Refused as refused:
        answer = Answer(refused.status, errors=[refused.line])
    except Exception as error:
        note(error)
        told = f"{type(error).__name__}: {error}".encode("utf-8", "replace")
        answer = Answer(EX_TEMPFAIL, errors=[told])
    return format_verdict(answer, queue_id)


def format_verdict(answer: Answer, queue_id: str) -> Reply:
    """Return an answer as a reply."""
    if answer.status == 0:
        return Reply(250, (b"2.0.0 Ok: queued as " + queue_id.encode(),))
    code, enhanced = _CODES.get(answer.status, _FINAL)
    text = answer.errors[0] if answer.errors else b"The message was not taken"
    return Reply(code, (b"%b %b" % (enhanced, text),))
