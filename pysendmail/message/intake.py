"""Intake: from whatever octets a program wrote to a message in canonical form.

Programs write LF, CRLF or both, leave out the header, the empty line or the last line end, and put
mailbox lines (`From alice Mon Jan …`) first. All of it is taken; nothing but line ends, NULs and
those mailbox lines is changed. How the input is cut into chunks makes no difference, and memory is
bounded by the header's limit.

Raises MessageError for a header beyond its limits and MessageTooLarge for a message beyond `limit`.
Dots are not looked at: they belong to the transport.
"""

from __future__ import annotations

from pysendmail.message.address import parse_lists
from pysendmail.message.message import Message, MessageError, find_field_name, parse_field

__all__ = ["MessageError", "MessageTooLarge", "read_message", "recipients_of", "strip"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pysendmail.message.address import Mailbox
    from pysendmail.message.content import Content, Readable
    from pysendmail.message.message import Field

# The header is held in memory, as objects; these bound it, at many times what real mail has.
HEADER_LIMIT = 1024 * 1024
FIELDS_LIMIT = 10_000

# How many octets of a line tell what it is: a field name has fewer (message.NAME_LIMIT).
TELLING = 1000

# Spaces for a run of CRs are given out in pieces of this length.
PIECE = 64 * 1024

EMPTY_LINES = (b"\n\n", b"\n\r\n")

# What a line of the header is.
FIELD, FOLDED, MAILBOX_LINE, EMPTY, BODY = "field", "folded", "mailbox line", "empty", "body"

# What only concerned the way here: hidden recipients, and what the last server will write itself.
STRIPPED = (b"bcc", b"resent-bcc", b"return-path", b"content-length")

RECIPIENT_FIELDS = (b"to", b"cc", b"bcc")
RESENT_RECIPIENT_FIELDS = (b"resent-to", b"resent-cc", b"resent-bcc")


class MessageTooLarge(MessageError):
    """The message is longer than allowed; it has not been read to its end."""


def read_message(chunks: Iterable[bytes], *, limit: int, content: Callable[[], Content]) -> Message:
    """Return the message in `chunks`, its body in what `content` makes.

    `limit` bounds the octets read as well as those kept. When anything is raised, the content has
    been closed.
    """
    body = content()
    header = HeaderReader()
    try:
        for block in canonical(bounded(chunks, limit), limit):
            rest = block if header.ended else header.feed(block)
            if rest:
                body.write(rest)
        return Message(header.fields(), body)
    except BaseException:
        body.close()
        raise


def bounded(chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """Yield the chunks; raises MessageTooLarge once they are more than `limit` octets."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise MessageTooLarge(f"the message is larger than {limit} octets")
        yield chunk


def canonical(chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """Yield the same text with CRLF as line end, without NULs and lone CRs.

    CRs before an LF are part of the line end however many they are. Any other CR becomes a space:
    as a line end it would make a field, or a line, that the author did not write. The last line
    gets its end.
    """
    return bounded(canonical_blocks(chunks), limit)


def canonical_blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Do what `canonical` promises, without the limit."""
    held = 0  # CRs at the end of what was read: the next octet tells what they mean
    line_open = False
    for chunk in chunks:
        text = chunk.replace(b"\0", b"")
        block = text.rstrip(b"\r")
        if not block:
            held += len(text)
            continue
        if not block.lstrip(b"\r").startswith(b"\n"):
            yield from spaces(held)
        held = len(text) - len(block)
        yield with_crlf(block)
        line_open = not block.endswith(b"\n")
    if line_open:
        yield b"\r\n"


def spaces(count: int) -> Iterator[bytes]:
    """Yield that many spaces, in pieces."""
    while count > 0:
        yield b" " * min(count, PIECE)
        count -= PIECE


def with_crlf(block: bytes) -> bytes:
    """Return a block that neither begins inside a line end nor ends with CR in canonical form."""
    if b"\r" not in block:
        return block.replace(b"\n", b"\r\n")
    if b"\r\r" in block:
        # Line by line, since replacing would need as many passes as the longest run has CRs.
        block = b"\n".join([line.rstrip(b"\r") for line in block.split(b"\n")])
    else:
        block = block.replace(b"\r\n", b"\n")
    return block.replace(b"\r", b" ").replace(b"\n", b"\r\n")


class HeaderReader:
    """Takes canonical blocks until the header has ended, and keeps its lines.

    The header ends at an empty line, or before the first line that can be neither a field nor the
    continuation of one: what follows is body, even on the first line.
    """

    __slots__ = ("_buffer", "_raws", "_searched", "_size", "ended")

    def __init__(self) -> None:
        self.ended = False
        self._buffer = bytearray()  # of the lines, those which have not been told apart yet
        self._searched = 0  # so much of the buffer holds no line end
        self._size = 0  # octets of header before the buffer
        self._raws: list[bytearray] = []

    def feed(self, block: bytes) -> bytes:
        """Take a block; return what of it, and of those before, is body."""
        self._buffer += block
        start, kind = 0, ""
        while not self.ended:
            end = self._buffer.find(b"\n", max(start, self._searched)) + 1
            telling = min(end or len(self._buffer), start + TELLING)
            kind = self._kind(bytes(self._buffer[start:telling]), whole=end > 0)
            if kind in (EMPTY, BODY):
                self.ended = True
                start = end if kind == EMPTY else start
            elif end:
                self._keep(kind, bytes(self._buffer[start:end]))
                start = end
            else:
                break
        if not self.ended:
            self._wait(start, kind)
            return b""
        rest = bytes(self._buffer[start:])
        self._buffer = bytearray()
        return rest

    def fields(self) -> list[Field]:
        """Return the fields of the header, once all has been fed."""
        return [parse_field(bytes(raw)) for raw in self._raws]

    def _kind(self, line: bytes, *, whole: bool) -> str:
        """Tell what the line is that begins so; "" when more must be seen and there may be more."""
        if line.startswith((b" ", b"\t")):
            return FOLDED if self._raws else BODY
        if not self._raws and is_mailbox_line(line):
            return MAILBOX_LINE
        if find_field_name(line) is not None:
            return FIELD
        if not whole and len(line) < TELLING:
            return ""
        return EMPTY if line.startswith(b"\r\n") else BODY

    def _keep(self, kind: str, line: bytes) -> None:
        """Keep a whole line of the header."""
        self._size += len(line)
        if kind == FIELD:
            self._raws.append(bytearray(line))
        elif kind == FOLDED:
            self._raws[-1] += line
        if self._size > HEADER_LIMIT or len(self._raws) > FIELDS_LIMIT:
            raise MessageError("the message header is too large")

    def _wait(self, start: int, kind: str) -> None:
        """Forget the lines that were kept; what remains is the beginning of one, of that kind."""
        del self._buffer[:start]
        self._searched = len(self._buffer)
        if kind and self._size + len(self._buffer) > HEADER_LIMIT:
            raise MessageError("the message header is too large")


def is_mailbox_line(line: bytes) -> bool:
    """Tell whether this is the first line of a message in a mailbox file, quoted or not.

    The field `From : alice`, with the blank of the obsolete syntax, is none.
    """
    unquoted = line.lstrip(b">")
    return unquoted.startswith(b"From ") and not unquoted[5:].lstrip(b" \t").startswith(b":")


def header_size(readable: Readable) -> int:
    """Return about how many octets a message that was not taken in yet has as its header.

    That is up to the first empty line, HEADER_LIMIT at most, and 0 where no field is at the
    beginning. Rather too many than too few. Raises OSError when it cannot be read.
    """
    size, end = 0, b"\n"
    for chunk in readable.chunks():
        text = end + chunk.replace(b"\0", b"")
        if not size and not begins_header(text[1:].replace(b"\r", b" ")):  # as it is taken in
            return 0
        empty = [place + 1 for mark in EMPTY_LINES if (place := text.find(mark)) >= 0]
        size += min(empty, default=len(text)) - len(end)
        if empty or size >= HEADER_LIMIT:
            break
        end = text[-2:]
    return min(size, HEADER_LIMIT)


def begins_header(text: bytes) -> bool:
    """Tell whether a message that begins so has a header."""
    line = text[:TELLING].partition(b"\n")[0]
    return is_mailbox_line(line) or find_field_name(line) is not None


def recipients_of(message: Message) -> tuple[list[Mailbox], list[bytes]]:
    """Return the mailboxes in the recipient fields, and what in them cannot be read as one.

    If the message was resent to anybody, those of the resending only (RFC 5322 section 3.6.6). When
    there are more than a message may have, the fields behind are not read.
    """
    resent = [field for field in message.fields if field.key in RESENT_RECIPIENT_FIELDS]
    named = resent or [field for field in message.fields if field.key in RECIPIENT_FIELDS]
    return parse_lists(field.body for field in named)


def strip(message: Message) -> Message:
    """Return the message without the fields that must not leave, Bcc above all."""
    return message.with_fields([field for field in message.fields if field.key not in STRIPPED])
