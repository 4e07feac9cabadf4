"""What was said in secret in one session, kept out of what the server says.

A server that quotes the line it refuses would put the password into an error, a trace, a bounce.
So each word of a reply in which a secret is found is replaced: the lines of the login as they were
sent, and pieces of them since servers quote as much as fits into a line; and the password or token
in clear or in base64. Case counts for nothing, as some servers quote in capitals. What a server
makes of a secret beyond that, to tell it on purpose, cannot be recognised.
"""

from __future__ import annotations

from binascii import b2a_base64

HIDDEN = b"(not shown)"
# By so many octets a line of base64, or a piece of it, is recognised.
PIECE = 8
# Shorter secrets are found in half of all words, and to hide those would rather tell them.
SHORTEST = 4
_MARKS = b"\"'`<>()[]{}.,:;!?"


class Secrecy:
    """The secrets of one session."""

    __slots__ = ("_lines", "_secrets")

    def __init__(self) -> None:
        self._lines: dict[bytes, None] = {}
        self._secrets: dict[bytes, None] = {}  # in lower case, in the order they were said

    @property
    def empty(self) -> bool:
        """Whether nothing was said in secret yet."""
        return not (self._lines or self._secrets)

    def add_line(self, octets: bytes) -> None:
        """Remember a line, or the part of it that is secret."""
        line = octets.strip().lower()
        self._lines[line] = None
        self._add(line[:PIECE])

    def add_secret(self, secret: bytes) -> None:
        """Remember a password or token."""
        self._add(secret)
        self._add(b2a_base64(secret, newline=False).rstrip(b"="))

    def _add(self, text: bytes) -> None:
        if len(text) >= SHORTEST:
            self._secrets[text.lower()] = None

    def hide(self, text: bytes) -> bytes:
        """Return `text`, one line of the server's, without the words that tell a secret."""
        for secret in self._secrets:
            if secret in text.lower():
                text = _without(text, secret)
        if self._lines:
            text = b" ".join(HIDDEN if self._is_piece(word) else word for word in text.split(b" "))
        return text

    def _is_piece(self, word: bytes) -> bool:
        """Tell whether a word is, but for the marks around it, a part of a line that was said."""
        piece = word.strip(_MARKS).lower()
        return len(piece) >= PIECE and any(piece in line for line in self._lines)


def _without(text: bytes, secret: bytes) -> bytes:
    """Return `text` without the words that `secret` (lower case) is or is a part of."""
    lower = text.lower()
    kept = []
    position = 0
    while (found := lower.find(secret, position)) >= 0:
        start = max(lower.rfind(b" ", position, found) + 1, position)
        end = lower.find(b" ", found + len(secret))
        kept += [text[position:start], HIDDEN]
        position = len(text) if end < 0 else end
    return b"".join((*kept, text[position:]))
