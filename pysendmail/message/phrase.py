"""Display names: a person's name as it may stand before an address (RFC 5322 section 3.2.5)."""

from __future__ import annotations

from binascii import b2a_base64

from pysendmail.message.address import ATEXT, quoted

# Octets of a name that are kept: a name goes on one line, which may have 998 (RFC 5322, 2.1.1),
# and encoding makes it longer.
NAME_LIMIT = 256
# Octets in an encoded word: 45 make 60 of base64, and 75 are allowed in all (RFC 2047 section 2).
WORD_OCTETS = 45

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


def encoded_words(text: bytes, *, limit: int | None = None) -> list[bytes]:
    """Return octets as encoded words, each of whole characters (RFC 2047 section 5).

    Of the text no more than `limit` octets are taken.
    """
    try:
        characters = [character.encode() for character in text.decode()]
        charset = b"utf-8"
    except UnicodeDecodeError:
        characters = [b"%c" % octet for octet in text]
        charset = b"unknown-8bit"  # RFC 1428 section 3
    pieces = [b""]
    total = 0
    for character in characters:
        total += len(character)
        if limit is not None and total > limit:
            break
        if len(pieces[-1]) + len(character) > WORD_OCTETS:
            pieces.append(b"")
        pieces[-1] += character
    return [b"=?%b?B?%b?=" % (charset, b2a_base64(piece, newline=False)) for piece in pieces]
