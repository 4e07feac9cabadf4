"""A message: header fields and a body, as the bytes they came as; nothing is ever re-serialised.

Canonical form, kept by everything in this package: every line ends with CRLF, no CR or LF stands
alone, there is no NUL. A field holds the very bytes that were written, so what we do not touch
stays fit for its signatures. Values: what changes a header makes a new message that shares the
body.
"""

from __future__ import annotations

from pysendmail.message.slices import Octets, Slice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pysendmail.message.content import Readable

# What is read as a header: all that intake lets pass, and the fields that were added.
HEADER_LIMIT = 2 * 1024 * 1024

# RFC 5322 section 2.2: a field name is of printable US-ASCII without the colon. A longer line than
# 998 octets (section 2.1.1) is not allowed, so no longer name either.
NAME_OCTETS = bytes(code for code in range(33, 127) if code != ord(":"))
NAME_LIMIT = 998


class MessageError(ValueError):
    """The octets cannot be taken as a message; str() says why, in a phrase for people."""


class Field:
    """One header field. `name` is as written, `key` the same in lower case, `raw` the whole field.

    `raw` includes name, colon, folding and the final CRLF.
    """

    __slots__ = ("key", "name", "raw")

    def __init__(self, name: bytes, raw: bytes) -> None:
        self.name = name
        self.key = name.lower()
        self.raw = raw

    def __repr__(self) -> str:
        return f"Field({self.name!r}, {self.raw!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Field) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    @property
    def body(self) -> bytes:
        """What follows the colon, with its folding and the final CRLF."""
        return self.raw.partition(b":")[2]

    @property
    def value(self) -> bytes:
        """The body unfolded (RFC 5322 section 2.2.3), without outer blanks."""
        return self.body.replace(b"\r\n", b"").strip(b" \t")

    def with_body(self, body: bytes) -> Field:
        """Return the same field with another body, which ends with CRLF."""
        return Field(self.name, self.raw.partition(b":")[0] + b":" + body)


class Message:
    """Header fields and body."""

    __slots__ = ("body", "fields")

    def __init__(self, fields: Iterable[Field], body: Readable) -> None:
        self.fields = tuple(fields)
        self.body = body

    def __repr__(self) -> str:
        return f"<Message of {len(self.fields)} fields and {self.body.size} octets of body>"

    @property
    def header(self) -> bytes:
        """All fields joined, without the empty line after them."""
        return b"".join([field.raw for field in self.fields])

    @property
    def size(self) -> int:
        """The octets of the whole message."""
        return len(self.header) + len(b"\r\n") + self.body.size

    def find(self, name: bytes) -> Field | None:
        """Return the first field of this name, in any case, or None."""
        key = name.lower()
        for field in self.fields:
            if field.key == key:
                return field
        return None

    def all(self, name: bytes) -> list[Field]:
        """Return all fields of this name, in any case."""
        key = name.lower()
        return [field for field in self.fields if field.key == key]

    def chunks(self) -> Iterator[bytes]:
        """Yield the whole message, in pieces of bounded length; may be called again and again."""
        yield from Octets(self.header + b"\r\n").chunks()
        yield from self.body.chunks()

    def with_fields(self, fields: Iterable[Field]) -> Message:
        """Return a message with these fields and the same body."""
        return Message(fields, self.body)

    def opened(self) -> Message:
        """Return the message as one whose header is at hand as often as one looks at it."""
        return self

    def close(self) -> None:
        """Close the body, which other messages may share."""
        self.body.close()


class MessageAtRest(Message):
    """A message that lies whole, in canonical form, in `whole`; nearly always it is sent as it is.

    So its header is not looked at before somebody asks, and not held in between: who asks often has
    it `opened`. What has no header that could be read, since the disk has damaged it, is all body.
    """

    __slots__ = ("_whole",)

    def __init__(self, whole: Readable) -> None:
        self._whole = whole

    def __repr__(self) -> str:
        return f"<MessageAtRest of {self._whole.size} octets>"

    @property
    def fields(self) -> tuple[Field, ...]:  # type: ignore[override]
        """The fields of the header; raises OSError from reading."""
        return self.opened().fields

    @property
    def body(self) -> Readable:  # type: ignore[override]
        """What follows the header and the empty line; raises OSError from reading."""
        return self.opened().body

    @property
    def size(self) -> int:
        """The octets of the whole message."""
        return self._whole.size

    def chunks(self) -> Iterator[bytes]:
        """Yield the whole message, in pieces of bounded length; may be called again and again."""
        return self._whole.chunks()

    def opened(self) -> Message:
        """Return the message with its header in hand; raises OSError."""
        try:
            header = read_header(self._whole)
            fields = parse_fields(header)
        except MessageError:
            return Message((), self._whole)
        return Message(fields, Slice(self._whole, len(header) + len(b"\r\n")))

    def close(self) -> None:
        """Close the whole, and with it the body."""
        self._whole.close()


def format_field(name: bytes, value: bytes) -> Field:
    """Return a field made by us; `value` may be folded.

    Raises ValueError for a value that would not be one field: the last guard against header
    injection.
    """
    if is_split_field(value):
        raise ValueError(f"a value of {name!r} that is more than one field: {value!r}")
    return Field(name, b"%b: %b\r\n" % (name, value))


def is_split_field(value: bytes) -> bool:
    """Tell whether a value holds a NUL or a line end that is no folding (RFC 5322, 2.2.3)."""
    unfolded = value.replace(b"\r\n ", b"").replace(b"\r\n\t", b"")
    return unfolded.translate(None, b"\r\n\0") != unfolded


def find_field_name(line: bytes) -> bytes | None:
    """Return the field name a line begins with, None when it begins no field.

    Blanks before the colon are of the obsolete syntax (RFC 5322 section 4.5) and tolerated. A line
    that begins with two hyphens is a MIME boundary, whatever follows.
    """
    colon = line.find(b":", 0, NAME_LIMIT)
    if colon < 0 or line.startswith(b"--"):
        return None
    name = line[:colon].rstrip(b" \t")
    return name if name and not name.translate(None, NAME_OCTETS) else None


def read_header(readable: Readable) -> bytes:
    """Return the header, final CRLF included; raises MessageError when no empty line ends it."""
    text = bytearray(b"\r\n")  # so that an empty header ends like any other
    for chunk in readable.chunks():
        searched = max(len(text) - len(b"\r\n\r"), 0)
        text += chunk
        end = text.find(b"\r\n\r\n", searched)
        if end >= 0:
            return bytes(text[2 : end + 2])
        if len(text) > HEADER_LIMIT:
            break
    raise MessageError("the header has no end")


def parse_fields(header: bytes) -> list[Field]:
    """Return the fields of a canonical header; raises MessageError for a line that is in none."""
    fields, start = [], 0
    while (end := end_of_field(header, start)) > start:
        fields.append(parse_field(header[start:end]))
        start = end
    return fields


def end_of_field(header: bytes, start: int) -> int:
    """Return where the field at `start` ends: with the first line that no blank continues."""
    end = start
    while (line_end := header.find(b"\r\n", end)) >= 0:
        end = line_end + len(b"\r\n")
        if header[end : end + 1] not in (b" ", b"\t"):
            break
    return end


def parse_field(raw: bytes) -> Field:
    """Return one field from its bytes; raises MessageError."""
    name = find_field_name(raw)
    if name is None:
        raise MessageError("a line of the header is no field")
    return Field(name, raw)
