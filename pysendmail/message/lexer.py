"""Words of structured header fields: atoms, quoted strings, domain literals, and marks.

Comments and blanks are left out (RFC 5322 section 3.2.2), folding included. Nothing fails here: an
open quote or comment and a control octet are tokens of the kind BAD. One pass, nesting is counted
and not recursed into.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# Kinds of tokens; a mark (one of `@<>,;:`) is its own kind. Dots and backslashes are part of atoms,
# and so is everything above 127.
ATOM = b"atom"
QUOTED = b"quoted"
DOMAIN_LITERAL = b"literal"
STRAY = b"stray"  # a bracket or parenthesis without its other half; people write them in names
BAD = b"bad"

BLANKS = b" \t"
MARKS = b"@<>,;:"
CONTROLS = bytes(code for code in (*range(32), 127) if code not in BLANKS)
# What ends an atom.
NOT_ATOM = frozenset(BLANKS + MARKS + b'()[]"' + CONTROLS)
STRAYS = b")[]"
# What cannot stand in a domain literal (RFC 5321 section 4.1.3), or ends it. Quotes and angle
# brackets could, but no literal has them, and on a command line they would mean something else.
NOT_LITERAL = frozenset(BLANKS + CONTROLS + b'[]\\"<>' + bytes(range(128, 256)))


class Token:
    """One word or mark; `start` and `end` are its place in the text."""

    __slots__ = ("end", "kind", "start")

    def __init__(self, kind: bytes, start: int, end: int) -> None:
        self.kind = kind
        self.start = start
        self.end = end

    def __repr__(self) -> str:
        return f"Token({self.kind!r}, {self.start}, {self.end})"


def tokens_of(text: bytes) -> Iterator[Token]:
    """Yield the tokens of a field body or of any other text, whatever it holds."""
    # Folding becomes blanks of the same length, so that places stay true. Any other CR or LF is a
    # control octet.
    text = text.replace(b"\r\n ", b"   ").replace(b"\r\n\t", b"   ").removesuffix(b"\r\n")
    position, length = 0, len(text)
    while position < length:
        octet = text[position]
        if octet in BLANKS:
            position += 1
        elif octet == 0x28:  # (
            end = end_of_comment(text, position)
            if end < 0:
                yield Token(BAD, position, length)
                return
            position = end
        else:
            token = next_token(text, position, octet)
            yield token
            position = token.end


def split_parameters(text: bytes) -> Iterator[tuple[Token, Token]]:
    """Yield of each parameter of a MIME field, behind a semicolon, the first and the last token."""
    first = last = None
    started = False  # what stands before the first semicolon is no parameter
    for token in tokens_of(text):
        if token.kind != b";":
            first, last = first or token, token
            continue
        if started and first and last:
            yield first, last
        first, started = None, True
    if started and first and last:
        yield first, last


def next_token(text: bytes, start: int, octet: int) -> Token:
    """Return the token at `start`, where neither a blank nor a comment is."""
    if octet in MARKS:
        return Token(text[start : start + 1], start, start + 1)
    if octet == 0x22:  # "
        return quoted_token(text, start)
    if octet == 0x5B:  # [
        end = end_of_literal(text, start)
        if end > 0:
            return Token(DOMAIN_LITERAL, start, end)
    if octet in STRAYS:
        return Token(STRAY, start, start + 1)
    end, length = start, len(text)
    while end < length and text[end] not in NOT_ATOM:
        end += 1
    return Token(ATOM, start, end) if end > start else Token(BAD, start, start + 1)


def quoted_token(text: bytes, start: int) -> Token:
    """Return the quoted string at `start`, BAD if it has no end or holds a control octet."""
    position, length, kind = start + 1, len(text), QUOTED
    while position < length:
        octet = text[position]
        if octet == 0x22:
            return Token(kind, start, position + 1)
        if octet == 0x5C:  # a backslash: the next octet is no mark, but may be a control
            position += 1
            octet = text[position] if position < length else 0
        if octet in CONTROLS:
            kind = BAD
        position += 1
    return Token(BAD, start, length)


def end_of_literal(text: bytes, start: int) -> int:
    """Return where the domain literal at `start` ends, -1 when it is none."""
    end, length = start + 1, len(text)
    while end < length and text[end] not in NOT_LITERAL:
        end += 1
    return end + 1 if end > start + 1 and text[end : end + 1] == b"]" else -1


def end_of_comment(text: bytes, start: int) -> int:
    """Return where the comment at `start` ends, nested ones counted; -1 when it does not."""
    depth, position, length = 0, start, len(text)
    while position < length:
        octet = text[position]
        if octet == 0x5C:
            position += 1
        elif octet == 0x28:
            depth += 1
        elif octet == 0x29:
            depth -= 1
            if not depth:
                return position + 1
        position += 1
    return -1
