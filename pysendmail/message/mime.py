"""The parts of a MIME message, found in its octets (RFC 2045, RFC 2046); nothing is decoded here.

A leaf is a part that is neither multipart nor a whole message: text, an image, anything. `leaves`
tells where each leaf has its header and its content, so that one can be written anew and all other
octets copied. What must not be written anew is not among them: everything in a signed or encrypted
part, a type whose encoding we may not choose, and what is not well-formed.

One pass over the body, without recursion. Memory is bounded: a message of more parts, deeper
nesting or larger part headers than any real one has is `Unreadable`, and to be left alone.
"""

from __future__ import annotations

from pysendmail.message.address import unquoted
from pysendmail.message.lexer import BLANKS, QUOTED, split_parameters, tokens_of
from pysendmail.message.message import MessageError, parse_fields
from pysendmail.message.rewrite import is_signed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pysendmail.message.content import Readable
    from pysendmail.message.message import Field, Message

DEPTH_LIMIT = 50
PARTS_LIMIT = 10_000
PART_HEADER_LIMIT = 64 * 1024
HEADERS_LIMIT = 2 * 1024 * 1024  # of all parts together
# Lines that begin with two hyphens: each may be a delimiter and has to be looked at.
DASHED_LINES_LIMIT = 200_000
# RFC 2046 section 5.1.1 allows a boundary 70 octets; some programs take more.
DELIMITER_LIMIT = 500

PLAIN, RFC822, DIGEST = b"text/plain", b"message/rfc822", b"multipart/digest"

# What a signature or an encryption covers to the last octet (RFC 1847, RFC 8551, RFC 3156).
SEALED = (
    b"multipart/signed",
    b"multipart/encrypted",
    b"application/pkcs7-mime",
    b"application/x-pkcs7-mime",
)

# The parameters of Content-Type that are looked at.
PARAMETERS = (b"boundary", b"charset")

# The encodings that are none (RFC 2045 section 6.2); b"" where no field says anything.
IDENTITY = (b"", b"7bit", b"8bit", b"binary")


class Unreadable(ValueError):
    """The structure is beyond what is looked at: a message to be left as it is."""


class Leaf:
    """A part with a content of its own: where it is in the body, and what its header says.

    The header, with the empty line after it, is from `header` to `start`; the content from `start`
    to `end`, the CRLF before the next delimiter not counted. `header` is -1 where the leaf is the
    whole body and the message's own fields are its header. `type` and `encoding` are in lower case;
    `type` is b"" when there is no Content-Type. `of_message`: its header is that of a message.
    """

    __slots__ = ("encoding", "end", "header", "of_message", "start", "type")

    def __init__(
        self,
        start: int,
        *,
        header: int = -1,
        type: bytes = b"",
        encoding: bytes = b"",
        of_message: bool = False,
    ) -> None:
        self.start = start
        self.end = start
        self.header = header
        self.type = type
        self.encoding = encoding
        self.of_message = of_message

    def __repr__(self) -> str:
        return (
            f"Leaf({self.start}, {self.end}, header={self.header}, type={self.type!r},"
            f" encoding={self.encoding!r}, of_message={self.of_message})"
        )


def leaves(message: Message) -> list[Leaf]:
    """Return the leaves that may be written anew, in their order; raises Unreadable, OSError."""
    body = message.body
    scan = Scan(body)
    scan.open_message(message.fields)
    if scan.boundaries:
        for number, (start, end, text) in enumerate(dashed_lines(body)):
            if number >= DASHED_LINES_LIMIT:
                raise Unreadable("too many lines that may be delimiters")
            scan.take(start, end, text)
    scan.close_leaf(body.size)
    return scan.leaves


class Scan:
    """The state of one pass: the boundaries of the multiparts that are open, and the open leaf."""

    __slots__ = ("_body", "_headers", "_leaf", "_parts", "_types", "boundaries", "leaves")

    def __init__(self, body: Readable) -> None:
        self._body = body
        self._parts = 0
        self._headers = 0  # octets
        self._leaf: Leaf | None = None
        self._types: list[bytes] = []  # of the open multiparts, from the outermost
        self.boundaries: dict[bytes, int] = {}  # each with its depth, in that order
        self.leaves: list[Leaf] = []

    def take(self, start: int, end: int, text: bytes) -> None:
        """Take a line that may be a delimiter; `text` is what follows the hyphens."""
        depth, closing = self.boundaries.get(text), False
        if depth is None and text.endswith(b"--"):
            depth, closing = self.boundaries.get(text[:-2]), True
        if depth is None:
            return
        self.close_leaf(start - 2)
        self._close_multiparts(depth if closing else depth + 1)
        if not closing:
            default = RFC822 if self._types[depth] == DIGEST else PLAIN
            self._open_part(end, default)

    def close_leaf(self, end: int) -> None:
        """End the open leaf; one without content is of no interest."""
        if self._leaf is not None and self._leaf.start < end:
            self._leaf.end = end
            self.leaves.append(self._leaf)
        self._leaf = None

    def open_message(self, fields: Sequence[Field]) -> None:
        """Begin the message that the whole body belongs to."""
        self._open_entity(fields, 0, header=-1, of_message=True)

    def _open_part(self, header: int, default: bytes) -> None:
        """Begin the part whose header begins there."""
        found = self._read_header(header)
        if found is not None:
            self._open_entity(*found, header=header, of_message=False, default=default)

    def _open_entity(
        self,
        fields: Sequence[Field],
        start: int,
        *,
        header: int,
        of_message: bool,
        default: bytes = PLAIN,
    ) -> None:
        """Begin what has these fields and a content from `start` on, a message within included."""
        while True:
            content_type = body_of(fields, b"content-type")
            kind, parameters = parse_content_type(content_type)
            kind = kind or default
            encoding = words_of(body_of(fields, b"content-transfer-encoding")).lower()
            if kind in SEALED or (of_message and is_signed(fields)):
                return
            if kind != RFC822 or encoding not in IDENTITY:
                break
            found = self._read_header(start)
            if found is None:
                return
            header, of_message, default = start, True, PLAIN
            fields, start = found
        if kind.startswith(b"multipart/"):
            if encoding in IDENTITY:
                self._open_multipart(kind, parameters.get(b"boundary", b""))
        elif not kind.startswith(b"message/"):
            self._leaf = Leaf(
                start,
                header=header,
                type=kind if content_type else b"",
                encoding=encoding,
                of_message=of_message,
            )

    def _read_header(self, start: int) -> tuple[list[Field], int] | None:
        """Return the fields of one more part or message, and where its content begins."""
        found = read_fields(self._body, start)
        self._parts += 1
        self._headers += found[1] - start if found else 0
        if self._parts > PARTS_LIMIT or self._headers > HEADERS_LIMIT:
            raise Unreadable("too many parts, or too large headers of parts")
        return found

    def _open_multipart(self, kind: bytes, boundary: bytes) -> None:
        if not boundary:
            return
        if boundary in self.boundaries or len(self.boundaries) >= DEPTH_LIMIT:
            raise Unreadable("nested too deep, or with one boundary for two multiparts")
        self.boundaries[boundary] = len(self._types)
        self._types.append(kind)

    def _close_multiparts(self, depth: int) -> None:
        """Close the multiparts from this depth on."""
        while len(self._types) > depth:
            self._types.pop()
            self.boundaries.popitem()


def dashed_lines(body: Readable) -> Iterator[tuple[int, int, bytes]]:
    """Yield each line that begins with two hyphens: its start, its end, what is between them.

    The end is behind the CRLF; hyphens and final blanks are not in the text. Lines too long to be
    delimiters are left out.
    """
    window, base, position = b"\r\n", -2, 0  # `base`: where in the body the window begins
    for chunk in body.chunks():
        window = window[position:] + chunk
        base, position = base + position, 0
        while (found := window.find(b"\r\n--", position)) >= 0:
            end = window.find(b"\r\n", found + 4, found + DELIMITER_LIMIT)
            if end < 0 and len(window) < found + DELIMITER_LIMIT:
                break  # its end is in the next chunk
            if end >= 0:
                yield base + found + 2, base + end + 2, window[found + 4 : end].rstrip(BLANKS)
            position = found + 4 if end < 0 else end
        position = max(position, found if found >= 0 else len(window) - 3)


def read_fields(body: Readable, start: int) -> tuple[list[Field], int] | None:
    """Return the fields of the header at `start`, and where the content begins.

    None when it is no header; raises Unreadable for one that is too large.
    """
    text = b"\r\n"  # so that an empty header ends like any other
    for chunk in body.chunks(start):
        text += chunk
        end = text.find(b"\r\n\r\n")
        if end >= 0 or len(text) > PART_HEADER_LIMIT:
            break
    else:
        return None
    if not 0 <= end <= PART_HEADER_LIMIT:
        raise Unreadable("a part with too large a header")
    try:
        return parse_fields(text[2 : end + 2]), start + end + 2
    except MessageError:
        return None


def body_of(fields: Sequence[Field], key: bytes) -> bytes:
    """Return the body of the first field of this name, b"" when there is none."""
    for field in fields:
        if field.key == key:
            return field.body
    return b""


def words_of(text: bytes, *, before: bytes = b"") -> bytes:
    """Return the words of a structured text, up to a mark, without blanks and comments."""
    words = bytearray()
    for token in tokens_of(text):
        if token.kind == before:
            break
        words += text[token.start : token.end]
    return bytes(words)


def parse_content_type(text: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """Return the type, in lower case, and boundary and charset of a Content-Type body (RFC 2045,
    section 5.1).

    The type is b"" where it cannot be read. Of parameters with one name the first counts.
    """
    kind = words_of(text, before=b";").lower()
    parameters: dict[bytes, bytes] = {}
    for first, last in split_parameters(text):
        name, _, value = text[first.start : last.end].partition(b"=")
        if last.kind == QUOTED:
            value = unquoted(text[last.start : last.end])
        if (name := name.strip().lower()) in PARAMETERS:
            parameters.setdefault(name, value.strip(BLANKS))
    return kind if b"/" in kind else b"", parameters


def charset_parameter(fields: Sequence[Field]) -> bytes:
    """Return the character set that a header declares for its content, b"" for none."""
    return parse_content_type(body_of(fields, b"content-type"))[1].get(b"charset", b"")
