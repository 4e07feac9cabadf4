"""The rate: so many messages a minute, evenly, and never more however they come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.relay.rate import BUCKET_S, Rate


def sent_at_once(rate: Rate, now: float) -> int:
    """Send for as long as there is no pause, at most a thousand; return how many went."""
    for number in range(1000):
        if rate.pause(now):
            return number
        rate.count(now)
    return 1000


@pytest.mark.parametrize(("per_minute", "burst"), [(1, 1), (30, 1), (60, 1), (600, 10), (0, 1000)])
def test_bucket_holds_a_second_and_one_message_at_least(per_minute: int, burst: int) -> None:
    assert sent_at_once(Rate(per_minute=per_minute), 5000.0) == burst


@pytest.mark.parametrize(("per_minute", "pause"), [(1, 60.0), (30, 2.0), (60, 1.0), (600, 0.1)])
def test_pause_of_an_empty_bucket_is_that_of_one_message(per_minute: int, pause: float) -> None:
    rate = Rate(per_minute=per_minute)
    sent_at_once(rate, 5000.0)
    assert rate.pause(5000.0) == pytest.approx(pause)
    assert rate.pause(5000.0 + pause + 0.001) == 0.0


def test_bucket_is_no_fuller_after_a_long_silence() -> None:
    rate = Rate(per_minute=600)
    rate.count(5000.0)
    assert sent_at_once(rate, 90_000.0) == 10


@given(
    per_minute=st.integers(1, 5000),
    steps=st.lists(st.floats(0.0, 20.0), min_size=1, max_size=60),
)
def test_no_minute_has_more_than_the_rate_and_a_bucket(per_minute: int, steps: list[float]) -> None:
    rate, now, sent = Rate(per_minute=per_minute), 5000.0, list[float]()
    for step in steps:
        now += step
        sent += [now] * sent_at_once(rate, now)
    bucket = max(per_minute / 60 * BUCKET_S, 1.0)
    for first in set(sent):
        assert sum(first <= moment < first + 60.0 for moment in sent) <= per_minute + bucket + 1e-6


def test_who_sends_whenever_there_is_no_pause_gets_the_whole_rate() -> None:
    rate, now, sent = Rate(per_minute=90), 0.0, 0
    while now < 3600.0:
        now += rate.pause(now)
        rate.count(now)
        sent += 1
    assert sent == pytest.approx(90 * 60, abs=2)
