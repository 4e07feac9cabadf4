"""Dates of header fields, held against the standard library's reader."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.message.dates import format_date

NEW_YEAR_2024 = 1704067200


@pytest.mark.parametrize(
    ("offset_s", "date"),
    [
        pytest.param(0, b"Mon, 01 Jan 2024 00:00:00 +0000", id="utc"),
        pytest.param(3600, b"Mon, 01 Jan 2024 01:00:00 +0100", id="east"),
        pytest.param(-12600, b"Sun, 31 Dec 2023 20:30:00 -0330", id="half-hour-west"),
        pytest.param(-30, b"Mon, 01 Jan 2024 00:00:00 +0000", id="seconds-are-dropped"),
    ],
)
def test_date_is_of_the_zone(offset_s: int, date: bytes) -> None:
    assert format_date(NEW_YEAR_2024, offset_s) == date


def test_date_is_local_by_default() -> None:
    offset = time.localtime(NEW_YEAR_2024).tm_gmtoff
    assert format_date(NEW_YEAR_2024) == format_date(NEW_YEAR_2024, offset)


@given(st.integers(0, 2**32), st.integers(-14 * 60, 14 * 60))
def test_date_is_read_back_as_the_same_moment(now: int, minutes: int) -> None:
    date = parsedate_to_datetime(format_date(now + 0.5, minutes * 60).decode())
    assert date.timestamp() == now
