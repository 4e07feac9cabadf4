"""Transfer encodings: quoted-printable and base64 (RFC 2045 sections 6.7 and 6.8), as streams.

Each function takes the chunks of one part's content, canonical, and yields it encoded: nothing
above 127, no line longer than 76 octets, and who decodes it gets the very content. The two `mended`
forms take what is encoded already; they break the lines that are too long, encode or drop what
should not be there, and leave the rest as it is. Memory is bounded however long a line is.

No line that is written anew begins with `--`, so none becomes a delimiter of the multipart around
the part (RFC 2046 section 5.1.1), whatever its boundary is.
"""

from __future__ import annotations

from binascii import b2a_base64, b2a_qp  # built in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CRLF = b"\r\n"

# RFC 5322 section 2.1.1: octets in a line, without its CRLF.
LINE_LIMIT = 998

ENCODED_LINE = 76
OCTETS_IN_LINE = 57  # as base64 they make a whole line

# A longer line is taken in pieces of this length: whole lines of base64, and what makes them.
PIECE = ENCODED_LINE * OCTETS_IN_LINE * 15

HIGH = bytes(range(128, 256))
HEXADECIMAL = b"0123456789ABCDEFabcdef"

# What base64 is not made of and decoders leave out; a `-` might come to stand as in a delimiter.
MEANINGLESS = b"-" + HIGH


def quoted_printable(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield text as quoted-printable; its line ends stay line ends."""
    for block, goes_on in blocks_of_lines(chunks):
        encoded = b2a_qp(block)
        if not block.endswith(CRLF):
            encoded = encoded.replace(b"\n", CRLF)  # without an example it breaks lines by LF
        yield CRLF.join([softly_broken(line) for line in encoded.split(CRLF)])
        if goes_on:
            yield b"=\r\n"


def softly_broken(line: bytes) -> bytes:
    """Return an encoded line as lines that are short enough, none of them like a delimiter.

    Those of binascii may be too long: it counts a blank at the end of a line as one octet.
    """
    pieces = []
    line = unlike_delimiter(line)
    while len(line) > ENCODED_LINE:
        cut = place_to_cut(line, ENCODED_LINE - 1)
        pieces.append(line[:cut])
        line = unlike_delimiter(line[cut:])
    return b"=\r\n".join([*pieces, line])


def unlike_delimiter(line: bytes) -> bytes:
    """Return an encoded line that does not begin with `--`."""
    return b"=2D" + line[1:] if line.startswith(b"--") else line


def base64(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield octets as base64, without an end of the last line."""
    rest, between = b"", b""
    for chunk in chunks:
        rest += chunk
        whole = len(rest) - len(rest) % OCTETS_IN_LINE
        if whole:
            yield between + base64_lines(rest[:whole])
            rest, between = rest[whole:], CRLF
    if rest:
        yield between + base64_lines(rest)


def base64_lines(octets: bytes) -> bytes:
    """Return octets as lines of base64, without an end of the last one."""
    starts = range(0, len(octets), OCTETS_IN_LINE)
    return CRLF.join(
        [b2a_base64(octets[start : start + OCTETS_IN_LINE], newline=False) for start in starts]
    )


def mended_quoted_printable(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield quoted-printable, octets above 127 encoded and overlong lines given soft breaks."""
    held = b""  # the beginning of an `=XX` whose rest is in the next piece
    continued = False
    for block, goes_on in blocks_of_lines(chunks):
        block = held + block
        cut = place_to_cut(block, len(block)) if goes_on else len(block)
        held = block[cut:]
        first, *others = block[:cut].split(CRLF)
        first = unlike_delimiter(first) if continued else first
        yield CRLF.join([mended_line(line) for line in (first, *others)])
        continued = goes_on
        if goes_on:
            yield b"=\r\n"


def mended_line(line: bytes) -> bytes:
    """Return one line of quoted-printable in order."""
    if not line.isascii():
        line = with_whole_escapes(unlike_delimiter(line))
        line = b"".join([b"%c" % octet if octet < 128 else b"=%02X" % octet for octet in line])
    return line if len(line) <= LINE_LIMIT else softly_broken(line)


def with_whole_escapes(line: bytes) -> bytes:
    """Return a line with every `=` encoded that begins no `=XX` and is no soft break.

    Decoders take it for itself (RFC 2045 section 6.7): also once there are escapes behind it.
    """
    before, *pieces = line.split(b"=")
    for number, piece in enumerate(pieces, 1):
        escape = len(piece) > 1 and not piece[:2].translate(None, HEXADECIMAL)
        soft_break = number == len(pieces) and not piece.strip(b" \t")
        pieces[number - 1] = (b"=" if escape or soft_break else b"=3D") + piece
    return before + b"".join(pieces)


def place_to_cut(line: bytes, position: int) -> int:
    """Return where quoted-printable may be cut, at `position` or just before: not in an `=XX`."""
    escape = line.rfind(b"=", position - 2, position)
    return escape if escape >= 0 else position


def mended_base64(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield base64, overlong lines broken, octets above 127 and `-` dropped: those mean nothing."""
    for block, goes_on in blocks_of_lines(chunks):
        lines = block.translate(None, MEANINGLESS).split(CRLF)
        yield CRLF.join([broken_line(line) for line in lines])
        if goes_on:
            yield CRLF


def broken_line(line: bytes) -> bytes:
    """Return a line of base64 as one or several."""
    if len(line) <= LINE_LIMIT:
        return line
    starts = range(0, len(line), ENCODED_LINE)
    return CRLF.join([line[start : start + ENCODED_LINE] for start in starts])


def blocks_of_lines(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield the text in blocks that end at the end of a line, and whether the last line goes on.

    Of a line longer than a piece, pieces: those go on. The last line of all may have no end.
    """
    rest = b""
    for chunk in chunks:
        text = rest + chunk
        end = text.rfind(CRLF) + 2
        if end >= 2:
            yield text[:end], False
            text = text[end:]
        while len(text) > PIECE:
            yield text[:PIECE], True
            text = text[PIECE:]
        rest = text
    if rest:
        yield rest, False
