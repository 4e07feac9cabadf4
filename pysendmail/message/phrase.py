"""Display names: a person's name as it may stand before an address (RFC 5322 section 3.2.5)."""

from __future__ import annotations

from binascii import b2a_base64

from pysendmail.message.address import ATEXT, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# Octets of a name that are kept: a name goes on one line, which may have 998 (RFC 5322, 2.1.1),
# and encoding makes it longer.
NAME_LIMIT = 256
# Octets of an encoded word (RFC 2047 section 2), `=?NAME?B?` and `?=` included.
WORD_LIMIT = 75

# The character sets of mail that have octets above 127, decoded in linear time. Python knows other
# ones, as idna, that take minutes for what an author may send.
CHARSETS = frozenset(
    [
        b"utf-8", b"big5", b"big5-hkscs", b"euc-jp", b"euc-kr", b"ks_c_5601-1987", b"shift_jis",
        b"gb2312", b"gbk", b"gb18030", b"koi8-r", b"koi8-t", b"koi8-u", b"tis-620",
        *[b"iso-8859-%d" % part for part in range(1, 17) if part != 12],
        *[b"windows-%d" % page for page in range(1250, 1259)],
    ]
)  # fmt: skip

# For octets that nobody says the character set of (RFC 1428 section 3).
UNKNOWN_CHARSET = b"unknown-8bit"

CONTROLS = bytes(range(32)) + b"\x7f"
AS_BLANKS = bytes.maketrans(CONTROLS, b" " * len(CONTROLS))


def format_phrase(name: bytes) -> bytes:
    """Return a name as a phrase: atoms, a quoted string, or encoded words for octets above 127.

    Control octets and runs of blanks become a blank. b"" for a name of nothing else.
    """
    # Cut first by octets, then by characters: half a character is none.
    words = name[: 4 * NAME_LIMIT].translate(AS_BLANKS).split()
    text = b" ".join(words)
    if not text.isascii():
        return b" ".join(encoded_words(text, limit=NAME_LIMIT))
    text = text[:NAME_LIMIT].rstrip()
    return quoted(text) if text.translate(None, ATEXT + b" ") else text


def encoded_words(text: bytes, *, charset: bytes = b"", limit: int | None = None) -> list[bytes]:
    """Return octets as encoded words, each of whole characters (RFC 2047 section 5).

    What is no UTF-8 may be in `charset`. Of the text no more than `limit` octets are taken.
    """
    name, characters = split_characters(text, charset)
    room = (WORD_LIMIT - len(b"=?%b?B??=" % name)) // 4 * 3  # as base64 makes four of three
    pieces = [b""]
    total = 0
    for character in characters:
        total += len(character)
        if limit is not None and total > limit:
            break
        if len(pieces[-1]) + len(character) > room:
            pieces.append(b"")
        pieces[-1] += character
    return [b"=?%b?B?%b?=" % (name, b2a_base64(piece, newline=False)) for piece in pieces]


def split_characters(text: bytes, charset: bytes) -> tuple[bytes, Iterator[bytes]]:
    """Return the character set that the text is in, and its characters, each as its octets.

    A set that mail does not use, or in which characters cannot stand alone, as those with shifts
    and marks of byte order, does not count: then each octet is a character of an unknown set.
    """
    for name in (b"utf-8", charset):
        if name.lower() not in CHARSETS:
            continue
        encoding = name.decode()
        if are_characters(text, encoding):
            return name, (character.encode(encoding) for character in text.decode(encoding))
    return UNKNOWN_CHARSET, (b"%c" % octet for octet in text)


def are_characters(text: bytes, encoding: str) -> bool:
    """Tell whether text in this encoding is its characters, one behind the other."""
    end = 0
    try:
        for character in text.decode(encoding):
            octets = character.encode(encoding)
            if not text.startswith(octets, end):
                return False
            end += len(octets)
    except UnicodeError:
        return False
    return end == len(text)
