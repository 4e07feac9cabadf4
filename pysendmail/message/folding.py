"""Folding: header lines that are too long, continued on the next (RFC 5322 section 2.2.3).

A line is cut where a blank is, which changes nothing of its meaning, and in an address field also
behind a comma. Where neither is to be had the line stays as it is: anything else would change the
value. No character is ever cut in two, for a blank is part of no other character.
"""

from __future__ import annotations

from pysendmail.message.encode import CRLF, LINE_LIMIT
from pysendmail.message.lexer import BLANKS, tokens_of
from pysendmail.message.lines import LONGEST, survey
from pysendmail.message.message import Field
from pysendmail.message.rewrite import ADDRESS_FIELDS


def folded(field: Field) -> Field:
    """Return the field without lines that are too long, as far as it can be folded."""
    raw = field.raw
    # Nearly all are shorter as a whole than one line may be.
    if len(raw) <= LONGEST or not survey([raw]).long_line:
        return field
    places, new, start = places_to_fold(field), bytearray(), 0
    while start < len(raw):
        end = raw.find(CRLF, start)
        cut = place_to_cut(places, start, end)
        new += raw[start:cut] + CRLF
        if cut < end and raw[cut] not in BLANKS:
            new += b" "
        start = cut if cut < end else end + len(CRLF)
    return Field(field.name, bytes(new))


def places_to_fold(field: Field) -> bytearray:
    """Return, for each octet of a field, 1 where a line may be cut before it, else 0.

    That is behind commas between addresses, and before blanks with something on both sides.
    """
    raw, body = field.raw, field.body
    places, start = bytearray(len(raw)), len(raw) - len(body)
    if field.key in ADDRESS_FIELDS:
        for token in tokens_of(body):
            if token.kind == b",":
                places[start + token.end] = 1
    at = len(raw) - len(body.lstrip(BLANKS))
    while at < len(raw):
        blank = at
        while raw[at] in BLANKS:
            at += 1
        if at > blank and raw[at] != CRLF[0]:
            places[blank] = 1
        at += 1
    return places


def place_to_cut(places: bytearray, start: int, end: int) -> int:
    """Return where a line is cut, as late as will do or else as early as can be; `end`: nowhere."""
    # One octet is for the blank that a piece cut behind a comma has to begin with.
    if end - start < LINE_LIMIT:
        return end
    cut = places.rfind(1, start + 1, start + LINE_LIMIT)
    if cut < 0:
        cut = places.find(1, start + LINE_LIMIT, end)
    return cut if cut >= 0 else end
