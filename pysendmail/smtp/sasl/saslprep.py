"""SASLprep: one form for strings that look the same (RFC 4013, a profile of RFC 3454).

ASCII without control characters is prepared already, so callers load this module, and with it the
tables of Unicode 3.2, for other strings only. Code points that Unicode 3.2 does not assign are let
through: what a client sends is a query (RFC 3454 section 7).
"""

from __future__ import annotations

import stringprep
from unicodedata import ucd_3_2_0

from ..errors import UsageError

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(value: bytes) -> bytes:
    """Return UTF-8 `value` prepared; raises `UsageError` for what RFC 4013 prohibits."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError("not UTF-8") from None
    mapped = "".join(
        " " if stringprep.in_table_c12(character) else character
        for character in text
        if not stringprep.in_table_b1(character)
    )
    prepared = ucd_3_2_0.normalize("NFKC", mapped)
    if any(prohibited(character) for character in prepared for prohibited in _PROHIBITED):
        raise UsageError("a character that SASLprep prohibits")
    _check_direction(prepared)
    return prepared.encode("utf-8")


def _check_direction(text: str) -> None:
    """Refuse a mixture of directions (RFC 3454 section 6)."""
    if not any(map(stringprep.in_table_d1, text)):
        return
    if any(map(stringprep.in_table_d2, text)):
        raise UsageError("a mixture of writing directions")
    if not (stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])):
        raise UsageError("a right-to-left string that does not begin and end so")
