"""Folding: header lines that are too long, continued on the next (RFC 5322 section 2.2.3).

A line is cut where a blank is, which changes nothing of its meaning, and in an address field also
behind a comma. Where neither is to be had the line stays as it is: anything else would change the
value. No character is ever cut in two, for a blank is part of no other character.
"""

from __future__ import annotations

from pysendmail.message.encode import CRLF, LINE_LIMIT
from pysendmail.message.lexer import BLANKS, tokens_of
from pysendmail.message.message import Field
from pysendmail.message.rewrite import ADDRESS_FIELDS


def folded(field: Field) -> Field:
    """Return the field without lines that are too long, as far as it can be folded."""
    lines = field.raw.removesuffix(CRLF).split(CRLF)
    if max(map(len, lines)) <= LINE_LIMIT:
        return field
    commas: list[int] = []  # places behind them, in ascending order
    body = len(field.raw) - len(field.body)
    if field.key in ADDRESS_FIELDS:
        commas = [body + token.end for token in tokens_of(field.body) if token.kind == b","]
    pieces, start, passed = [], 0, 0
    for line in lines:
        end = start + len(line)
        places = set()
        while passed < len(commas) and commas[passed] <= end:
            places.add(commas[passed] - start)
            passed += 1
        places.discard(len(line))
        if len(line) <= LINE_LIMIT:
            pieces.append(line)
        else:
            places |= places_to_fold(line, body if start == 0 else 0)
            pieces += cut_at(line, sorted(places))
        start = end + len(CRLF)
    return Field(field.name, CRLF.join([*pieces, b""]))


def places_to_fold(line: bytes, start: int) -> set[int]:
    """Return where blanks begin that have something else before them, after `start`, and behind."""
    first = len(line) - len(line[start:].lstrip(BLANKS))
    last = len(line.rstrip(BLANKS))
    return {at for at in range(first, last) if line[at] in BLANKS and line[at - 1] not in BLANKS}


def cut_at(line: bytes, places: list[int]) -> list[bytes]:
    """Return the line cut at as few of the places as will do; all but the first begin blank."""
    pieces, start, before = [], 0, 0
    for place in [*places, len(line)]:
        # One octet is for the blank that a piece cut behind a comma has to begin with.
        if place - start >= LINE_LIMIT and before > start:
            pieces.append(line[start:before])
            start = before
        before = place
    pieces.append(line[start:])
    return [
        piece if number == 0 or piece[0] in BLANKS else b" " + piece
        for number, piece in enumerate(pieces)
    ]
