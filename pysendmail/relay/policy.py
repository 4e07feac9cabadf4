"""The whole policy for trouble, as one table: how far it reaches, who is next, how it ends.

A trouble is named here once; `opening_trouble` and `transaction_trouble` name what an exception of
the SMTP core means, `message_trouble` and `recipient_trouble` what a refusal in a transcript means.
Unknown means later: what nobody foresaw is deferred, never failed.
"""

from __future__ import annotations

from pysendmail.message.outcome import DEFERRED, FAILED
from pysendmail.smtp import (
    AuthenticationError,
    MissingExtension,
    ReplyError,
    SizeExceeded,
    TlsError,
    UsageError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pysendmail.smtp import Reply

SESSION, MESSAGE, RECIPIENT = "session", "message", "recipient"


class Rule:
    """What one kind of trouble does: its reach, whether the next smarthost may try, how it ends."""

    __slots__ = ("alarm", "kind", "may_duplicate", "reach", "status", "try_next")

    def __init__(
        self,
        reach: str,
        *,
        try_next: bool,
        kind: str,
        status: bytes,
        alarm: bool = False,
        may_duplicate: bool = False,
    ) -> None:
        self.reach = reach
        self.try_next = try_next
        self.kind = kind
        self.status = status  # RFC 3463, for when the smarthost gave none itself
        self.alarm = alarm  # somebody must repair something: said in the log and in `status`
        self.may_duplicate = may_duplicate  # the smarthost may have the message all the same


POLICY = {
    # cannot connect, timeout or loss before the final dot, bytes that are not SMTP
    "connection": Rule(SESSION, try_next=True, kind=DEFERRED, status=b"4.4.2"),
    # TLS or certificate fault, STARTTLS or AUTH missing; greeting, EHLO, STARTTLS or AUTH refused:
    # ours or the smarthost's fault and never the message's, so a 5xx here bounces nothing
    "access": Rule(SESSION, try_next=True, kind=DEFERRED, status=b"4.7.0", alarm=True),
    "leaving": Rule(SESSION, try_next=True, kind=DEFERRED, status=b"4.3.2"),  # 421 to anything
    # we send more than it wants of us
    "throttling": Rule(SESSION, try_next=True, kind=DEFERRED, status=b"4.7.0"),
    "message 4xx": Rule(MESSAGE, try_next=True, kind=DEFERRED, status=b"4.0.0"),
    "message 5xx": Rule(MESSAGE, try_next=False, kind=FAILED, status=b"5.0.0"),
    "recipient 4xx": Rule(RECIPIENT, try_next=True, kind=DEFERRED, status=b"4.0.0"),
    "recipient 5xx": Rule(RECIPIENT, try_next=False, kind=FAILED, status=b"5.1.0"),
    "extension": Rule(MESSAGE, try_next=True, kind=FAILED, status=b"5.6.7"),
    "size": Rule(MESSAGE, try_next=True, kind=FAILED, status=b"5.3.4"),
    # our own mistake, such as an address that cannot be written on the wire: not the smarthost's
    # fault, so it keeps its good name; unknown means later
    "ours": Rule(MESSAGE, try_next=False, kind=DEFERRED, status=b"4.3.5"),
    # the smarthost may have the message: nobody else may be given it now
    "after the dot": Rule(
        MESSAGE, try_next=False, kind=DEFERRED, status=b"4.4.2", may_duplicate=True
    ),
}


def opening_trouble(error: Exception) -> Rule:
    """Return the rule for what went wrong before a session was ready to take a message."""
    if isinstance(error, ReplyError):
        return POLICY["leaving"] if error.code == 421 else POLICY["access"]
    if isinstance(error, TlsError | AuthenticationError | MissingExtension):
        return POLICY["access"]
    return POLICY["connection"]


def transaction_trouble(error: Exception, *, may_be_duplicate: bool) -> Rule:
    """Return the rule for what ended a transaction in an open session."""
    if isinstance(error, MissingExtension):
        return POLICY["extension"]
    if isinstance(error, SizeExceeded):
        return POLICY["size"]
    if isinstance(error, UsageError):
        return POLICY["ours"]
    if may_be_duplicate:
        return POLICY["after the dot"]
    if isinstance(error, ReplyError):
        return POLICY["leaving"]
    return POLICY["connection"]


def message_trouble(reply: Reply, *, at_mail: bool) -> Rule:
    """Return the rule for a refusal of MAIL, DATA or the message itself.

    530 says that we should have logged in (RFC 4954 section 6), 503 that we are not where the
    smarthost believes us to be: neither is the message's fault. Nor are 454 and 432, by which
    Amazon SES and Exchange Online say that we are too fast, or a 4.7.x to MAIL, where neither
    recipient nor content has been seen. Later a 4.7.x is as often greylisting or a filter's: it
    slows down its message, and nobody can slow down those of others by it.
    """
    if reply.code == 530:
        return POLICY["access"]
    if reply.code == 503:
        return POLICY["connection"]
    if reply.code in (432, 454) or (at_mail and reply.enhanced.startswith(b"4.7.")):
        return POLICY["throttling"]
    return POLICY["message 4xx" if reply.code < 500 else "message 5xx"]


def recipient_trouble(reply: Reply) -> Rule:
    """Return the rule for a refusal of RCPT; 552 means "too many" there (RFC 5321, 4.5.3.1.10)."""
    temporary = reply.code < 500 or reply.code == 552
    return POLICY["recipient 4xx" if temporary else "recipient 5xx"]
