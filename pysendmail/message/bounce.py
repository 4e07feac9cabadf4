"""Bounces, delay warnings and success reports: messages that tell a sender what became of his.

A report is a message like any other and enters by the same door. It has the null sender, so it is
never answered by another one (RFC 5321 section 4.5.5), and what NOTIFY and RET asked for is
honoured (RFC 3461 section 6.2). Nothing is sent here.

`compose_report` returns None when nobody is to be told. It raises OSError when the original cannot
be read or the report not be kept, and ValueError for a sender that is no address.
"""

from __future__ import annotations

from pysendmail.message.content import Content
from pysendmail.message.dates import format_date
from pysendmail.message.envelope import Envelope, Recipient
from pysendmail.message.identity import format_message_id
from pysendmail.message.message import Message, format_field
from pysendmail.message.original import comes_back_whole, original_part
from pysendmail.message.outcome import DEFERRED, DELIVERED, FAILED
from pysendmail.message.report import find_boundary, multipart, status_part, text_part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pysendmail.message.message import Field
    from pysendmail.message.outcome import Outcome
    from pysendmail.message.report import Part, Reported


class Kind:
    """One kind of report: the outcomes it is about, the word of NOTIFY that asks for it, its words.

    `action` is that of RFC 3464 section 2.3.3; `opening` may name %(until)b, when the last attempt
    will be made.
    """

    __slots__ = ("action", "opening", "outcome", "subject", "wish")

    def __init__(
        self, outcome: str, wish: bytes, action: bytes, *, subject: bytes, opening: bytes
    ) -> None:
        self.outcome = outcome
        self.wish = wish
        self.action = action
        self.subject = subject
        self.opening = opening

    def __repr__(self) -> str:
        return f"<Kind {self.action.decode()}>"


FAILURE = Kind(
    FAILED,
    b"FAILURE",
    b"failed",
    subject=b"Undelivered mail returned to sender",
    opening=b"""\
Your message could not be delivered to everybody. Nothing more will be tried for
the recipients below; others, if there were any, are not concerned.
""",
)

DELAY = Kind(
    DEFERRED,
    b"DELAY",
    b"delayed",
    subject=b"Delayed mail (still being retried)",
    opening=b"""\
This is a warning only: you do not need to send your message again.

It has not been delivered to the recipients below yet. That is tried again and
again until
    %(until)b;
if it is in vain you will be told.
""",
)

# RFC 3461 section 5.2.2: success was asked for, and the next host cannot report it.
RELAYED = Kind(
    DELIVERED,
    b"SUCCESS",
    b"relayed",
    subject=b"Mail handed on (no further report)",
    opening=b"""\
You asked for a report of success. Your message was taken for the recipients
below by a server that gives no such reports: this is the last one, unless the
delivery fails further on.
""",
)


def compose_report(
    kind: Kind,
    envelope: Envelope,
    message: Message,
    outcomes: Sequence[Outcome],
    *,
    queue_id: str,
    arrived: float,
    now: float,
    until: float,
    hostname: bytes,
    origin: bytes,
    content: Callable[[], Content] = Content,
) -> tuple[Envelope, Message] | None:
    """Return the report on those of `outcomes` that are of this kind and the sender wants to hear
    of.

    `envelope` and `message` are the original's, `arrived` is when that came, `until` when its life
    ends; `queue_id` will be the report's own.
    """
    reported = reportable(kind, envelope, outcomes)
    if not reported:
        return None
    message = message.opened()
    # RFC 3461 section 4.3: only a failure gives back more than the header.
    whole = kind is FAILURE and comes_back_whole(envelope, message)
    opening = kind.opening % {b"until": format_date(until)}
    parts = [
        text_part(opening, hostname, reported, message, whole=whole),
        status_part(
            envelope,
            reported,
            action=kind.action,
            hostname=hostname,
            arrived=arrived,
            now=now,
            until=until if kind is DELAY else None,
        ),
        original_part(envelope, message, whole=whole),
    ]
    fields = report_fields(envelope, message, kind.subject, queue_id, now, hostname, origin)
    return assemble(envelope, fields, parts, queue_id, content)


def reportable(kind: Kind, envelope: Envelope, outcomes: Sequence[Outcome]) -> Reported:
    """Return the outcomes of that kind which the sender is to hear of, with their recipients.

    Without NOTIFY failures and delays are told, but no success (RFC 3461 section 4.1), and a host
    that can tells of that itself; the null sender hears of nothing.
    """
    concerned = [one for one in outcomes if one.kind == kind.outcome and not one.dsn]
    if not (concerned and envelope.sender):
        return []
    recipients = {recipient.address: recipient for recipient in envelope.recipients}
    reported = []
    for outcome in concerned:
        recipient = recipients.get(outcome.recipient)
        wishes = recipient.notify if recipient is not None else ()
        if kind.wish in wishes or (not wishes and kind is not RELAYED):
            reported.append((outcome, recipient))
    return reported


def report_fields(
    envelope: Envelope,
    message: Message,
    subject: bytes,
    queue_id: str,
    now: float,
    hostname: bytes,
    origin: bytes,
) -> list[Field]:
    """Return the fields of a report, without those of its frame."""
    fields = [
        format_field(b"Date", format_date(now)),
        format_field(b"From", b"Mail Delivery System <MAILER-DAEMON@%b>" % origin),
        format_field(b"To", b"<%b>" % envelope.sender),
        format_field(b"Subject", subject),
        format_field(b"Message-ID", format_message_id(queue_id, hostname, now)),
        format_field(b"Auto-Submitted", b"auto-replied"),  # RFC 3834 section 5
        format_field(b"MIME-Version", b"1.0"),
    ]
    original = message.find(b"Message-ID")
    if original is not None and is_message_id(original.value):
        fields += [
            format_field(b"In-Reply-To", original.value),
            format_field(b"References", original.value),
        ]
    return fields


def is_message_id(value: bytes) -> bool:
    """Tell whether a value may be repeated as the id of a message: short, one word, in brackets."""
    one_word = value.isascii() and len(value.split()) == 1 and len(value) <= 900
    return one_word and value.startswith(b"<") and value.endswith(b">")


def assemble(
    envelope: Envelope,
    fields: Sequence[Field],
    parts: Sequence[Part],
    queue_id: str,
    content: Callable[[], Content],
) -> tuple[Envelope, Message]:
    """Return envelope and message of the report; its body is kept in what `content` makes."""
    boundary = find_boundary(queue_id, parts)
    plain = all(part.ascii for part in parts)
    frame = [
        format_field(
            b"Content-Type",
            b'multipart/report; report-type=delivery-status;\r\n\tboundary="%b"' % boundary,
        ),
        format_field(b"Content-Transfer-Encoding", b"7bit" if plain else b"8bit"),
    ]
    body = content()
    try:
        for chunk in multipart(parts, boundary):
            body.write(chunk)
    except BaseException:
        body.close()
        raise
    to_sender = Envelope(
        b"",
        [Recipient(envelope.sender)],
        eight_bit=not (plain and envelope.sender.isascii()),
        smtputf8=not envelope.sender.isascii(),
    )
    return to_sender, Message([*fields, *frame], body)
