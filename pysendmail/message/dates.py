"""Dates as in header fields: RFC 5322 section 3.3, never in the words of a locale."""

from __future__ import annotations

import time

DAYS = (b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun")
MONTHS = (
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
)  # fmt: skip


def format_date(now: float, offset_s: int | None = None) -> bytes:
    """Return an epoch time as `Mon, 01 Jan 2024 12:00:00 +0100`.

    `offset_s` is the zone's distance from UTC in seconds, by default the local zone's at that time;
    seconds that make no whole minute are left out, since the format has no place for them.
    """
    if offset_s is None:
        offset_s = time.localtime(now).tm_gmtoff
    minutes = abs(offset_s) // 60
    sign = -1 if offset_s < 0 else 1
    date = time.gmtime(now + sign * minutes * 60)
    return b"%b, %02d %b %d %02d:%02d:%02d %b%02d%02d" % (
        DAYS[date.tm_wday],
        date.tm_mday,
        MONTHS[date.tm_mon - 1],
        date.tm_year,
        date.tm_hour,
        date.tm_min,
        date.tm_sec,
        b"-" if sign < 0 and minutes else b"+",
        *divmod(minutes, 60),
    )
