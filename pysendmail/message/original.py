"""What a report gives back of the message it is about: all of it, or its header.

Nothing that comes back has too long a line, whatever the original has.
"""

from __future__ import annotations

from pysendmail.message.encode import LINE_LIMIT
from pysendmail.message.report import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pysendmail.message.envelope import Envelope
    from pysendmail.message.message import Message

# A longer original comes back as its header only, even if all of it was asked for; and of a header
# only as much as this.
FULL_LIMIT = 1024 * 1024
HEADER_LIMIT = 64 * 1024


def comes_back_whole(envelope: Envelope, message: Message) -> bool:
    """Tell whether a failure gives the whole message back: RET=FULL asked for it, and it is short.

    Nor may it have too long a line, for no encoding can be put around it (RFC 2046 section 5.2.1).
    """
    asked = envelope.ret == b"FULL" and message.size <= FULL_LIMIT
    return asked and longest_line(message.chunks()) <= LINE_LIMIT


def original_part(envelope: Envelope, message: Message, *, whole: bool) -> Part:
    """Return the message or its header, with the types of RFC 6533 where that is beyond ASCII."""
    header = message.header
    international = envelope.smtputf8 and not header.isascii() and is_utf8(header)
    if whole:
        return Part(b"message/global" if international else b"message/rfc822", message.chunks)
    kind = b"message/global-headers" if international else b"text/rfc822-headers"
    short = folded(first_fields(message))
    return Part(kind, lambda: [short])


def is_utf8(octets: bytes) -> bool:
    """Tell whether these octets are UTF-8 (RFC 6532 section 3.1)."""
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True


def longest_line(chunks: Iterable[bytes]) -> int:
    """Return the length of the longest line without its CRLF; beyond the limit the first such."""
    longest, rest = 0, b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\r\n")
        # What is left may end with the CR of a line end that is cut in two.
        longest = max(longest, len(rest) - 1, *map(len, lines))
        if longest > LINE_LIMIT:
            break
    return longest


def first_fields(message: Message) -> bytes:
    """Return the fields of a message, as many as have room."""
    header = b""
    for field in message.fields:
        if len(header) + len(field.raw) > HEADER_LIMIT:
            break
        header += field.raw
    return header


def folded(header: bytes) -> bytes:
    """Return a header without too long lines: broken at a blank, or within a word if need be."""
    lines = []
    for line in header.split(b"\r\n"):
        while len(line) > LINE_LIMIT:
            cut = line.rfind(b" ", LINE_LIMIT // 2, LINE_LIMIT)
            if cut < 0:
                cut = end_of_character(line, LINE_LIMIT)
            lines.append(line[:cut])
            line = b" " + line[cut:].lstrip(b" ")
        lines.append(line)
    return b"\r\n".join(lines)


def end_of_character(text: bytes, limit: int) -> int:
    """Return the last place up to `limit` where no character of UTF-8 is cut in two."""
    for place in range(limit, limit - 4, -1):
        if text[place] & 0xC0 != 0x80:
            return place
    return limit  # it is no UTF-8
