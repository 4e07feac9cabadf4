"""The parts of a delivery report: text for people and fields for programs; and their frame.

RFC 3464 names the fields, RFC 6522 the frame, RFC 6533 what changes where addresses are not ASCII.
Text that came from elsewhere is made printable here, so nothing a server says can start a field.
"""

from __future__ import annotations

from pysendmail.message.advice import advice_on
from pysendmail.message.dates import format_date
from pysendmail.message.outcome import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pysendmail.message.envelope import Envelope, Recipient
    from pysendmail.message.message import Message
    from pysendmail.message.outcome import Outcome

    # What is reported, and for whom as the envelope has him; None when it has him not.
    Reported = Sequence[tuple[Outcome, Recipient | None]]

TEXT_WIDTH = 76  # where what people read is broken, at blanks


class Part:
    """One body part: its type with parameters, and a function that yields its octets anew.

    `ascii` tells whether it holds no octet above 127; if it does, `beyond_ascii` is its type where
    that is another.
    """

    __slots__ = ("ascii", "chunks", "kind")

    def __init__(
        self, kind: bytes, chunks: Callable[[], Iterable[bytes]], *, beyond_ascii: bytes = b""
    ) -> None:
        self.chunks = chunks
        self.ascii = all(chunk.isascii() for chunk in chunks())
        self.kind = kind if self.ascii else beyond_ascii or kind

    def __repr__(self) -> str:
        return f"<Part {self.kind.decode()}>"


def text_part(
    opening: bytes, hostname: bytes, reported: Reported, message: Message, *, whole: bool
) -> Part:
    """Return the part that people read; `opening` (its lines end with LF) says what happened.

    `whole` tells whether the whole message comes back.
    """

    def chunks() -> Iterator[bytes]:
        yield joined([b"This is the mail system at host %b." % hostname, b""])
        yield joined(opening.split(b"\n"))
        for outcome, recipient in reported:
            yield joined(recipient_text(outcome, recipient, hostname))
        yield joined(original_text(message, whole=whole))

    kind = b"text/plain; charset="
    return Part(kind + b"us-ascii", chunks, beyond_ascii=kind + b"utf-8")


def joined(lines: Iterable[bytes]) -> bytes:
    """Return lines as octets, each with its end."""
    return b"".join([line + b"\r\n" for line in lines])


def recipient_text(outcome: Outcome, recipient: Recipient | None, hostname: bytes) -> list[bytes]:
    """Return what people read of one recipient, and an empty line."""
    said = b"%b said: " % printable(outcome.remote, 255) if outcome.remote else b""
    return [
        recipient_line(outcome, recipient),
        *filled(said + printable(outcome.text)),
        *filled(advice_on(outcome, hostname)),
        b"",
    ]


def original_text(message: Message, *, whole: bool) -> Iterator[bytes]:
    """Yield what people read of the message that the report is about."""
    attached = b"message" if whole else b"header of the message"
    yield b"The %b is attached. It was this one:" % attached
    for name in (b"Subject", b"Date", b"To", b"Message-ID"):
        field = message.find(name)
        if field is not None:
            yield b"    %b: %b" % (name, printable(field.value, 200))


def recipient_line(outcome: Outcome, recipient: Recipient | None) -> bytes:
    """Return who was to get it, and whom the sender had named where that is another."""
    line = b"<%b>" % printable(outcome.recipient, 400)
    named = recipient.orcpt.partition(b";")[2] if recipient is not None else b""
    if named and named != outcome.recipient:
        line += b" (you wrote to <%b>)" % printable(named, 400)
    return line


def filled(text: bytes) -> list[bytes]:
    """Return the lines of a paragraph, indented; no word is broken."""
    lines: list[bytes] = []
    for word in text.split():
        if lines and len(lines[-1]) + 1 + len(word) <= TEXT_WIDTH:
            lines[-1] += b" " + word
        else:
            lines.append(b"    " + word)
    return lines


def status_part(
    envelope: Envelope,
    reported: Reported,
    *,
    action: bytes,
    hostname: bytes,
    arrived: float,
    now: float,
    until: float | None = None,
) -> Part:
    """Return the part that programs read: a block for the message, and one for each recipient."""
    dates = [b"Last-Attempt-Date: " + format_date(now)]
    if until is not None:
        dates.append(b"Will-Retry-Until: " + format_date(until))

    def chunks() -> Iterator[bytes]:
        yield joined(message_block(envelope, hostname, arrived))
        for outcome, recipient in reported:
            yield joined([b"", *recipient_block(outcome, recipient, action), *dates])

    return Part(b"message/delivery-status", chunks, beyond_ascii=b"message/global-delivery-status")


def message_block(envelope: Envelope, hostname: bytes, arrived: float) -> list[bytes]:
    """Return the fields of RFC 3464 section 2.2."""
    block = [b"Reporting-MTA: dns; " + hostname]
    if envelope.envid:
        block.append(b"Original-Envelope-Id: " + plain(envelope.envid))
    block.append(b"Arrival-Date: " + format_date(arrived))
    return block


def recipient_block(outcome: Outcome, recipient: Recipient | None, action: bytes) -> list[bytes]:
    """Return the fields of RFC 3464 section 2.3, but for the dates."""
    block = []
    if recipient is not None and recipient.orcpt:
        kind, _, original = recipient.orcpt.partition(b";")
        block.append(b"Original-Recipient: %b; %b" % (plain(kind), printable(original, 600)))
    # RFC 6533 section 3: an address that is not ASCII has a type of its own.
    kind = b"rfc822" if outcome.recipient.isascii() else b"utf-8"
    block += [
        b"Final-Recipient: %b; %b" % (kind, printable(outcome.recipient, 600)),
        b"Action: " + action,
        b"Status: " + plain(outcome.status),
    ]
    if outcome.remote:
        kind = b"x-unix" if outcome.remote.startswith(b"/") else b"dns"  # a socket has no name
        block.append(b"Remote-MTA: %b; %b" % (kind, plain(outcome.remote)))
    # RFC 3464 section 2.3.6: `smtp` says that it is an SMTP reply.
    source = b"smtp" if outcome.remote else b"x-pysendmail"
    block.append(b"Diagnostic-Code: %b; %b" % (source, plain(outcome.text)))
    return block


def plain(text: bytes) -> bytes:
    """Return octets as one printable line of ASCII, not too long for a field."""
    return printable(printable(text).decode().encode("ascii", "backslashreplace"), 900)


def find_boundary(queue_id: str, parts: Sequence[Part]) -> bytes:
    """Return a boundary made from `queue_id` that occurs in none of the parts (RFC 2046, 5.1.1)."""
    number = 0
    while True:
        boundary = b"=_%b_%d" % (queue_id.encode(), number)
        if not any(occurs(boundary, part.chunks()) for part in parts):
            return boundary
        number += 1


def occurs(needle: bytes, chunks: Iterable[bytes]) -> bool:
    """Tell whether the chunks hold `needle`, perhaps cut in two."""
    end = b""
    for chunk in chunks:
        text = end + chunk
        if needle in text:
            return True
        end = text[1 - len(needle) :]
    return False


def multipart(parts: Sequence[Part], boundary: bytes) -> Iterator[bytes]:
    """Yield the body of the report, each part's encoding declared as it is."""
    for part in parts:
        encoding = b"7bit" if part.ascii else b"8bit"
        yield b"--%b\r\nContent-Type: %b\r\nContent-Transfer-Encoding: %b\r\n\r\n" % (
            boundary,
            part.kind,
            encoding,
        )
        yield from part.chunks()
        yield b"\r\n"
    yield b"--%b--\r\n" % boundary
