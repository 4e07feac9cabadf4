"""The breaker: closed, open, probing, and the slope back."""

from __future__ import annotations

import pytest

from pysendmail.relay.breaker import FIRST_PAUSE_S, LONGEST_PAUSE_S, Breaker


def test_new_breaker_is_closed_and_wide() -> None:
    breaker = Breaker(widest=10)
    assert breaker.closed
    assert breaker.admits(0.0)
    assert breaker.width == 10


def test_after_trouble_width_doubles_by_each_success_up_to_the_widest() -> None:
    breaker = Breaker(widest=10)
    breaker.failed(100.0, b"refused")
    widths = []
    for _ in range(5):
        breaker.succeeded()
        widths.append(breaker.width)
    assert widths == [2, 4, 8, 10, 10]


def test_success_is_news_until_it_is_as_wide_as_can_be() -> None:
    breaker = Breaker(widest=4)
    assert not breaker.succeeded()
    breaker.failed(100.0, b"refused")
    assert [breaker.succeeded() for _ in range(3)] == [True, True, False]


def test_failure_opens_it_until_the_pause_is_over() -> None:
    breaker = Breaker(widest=10)
    breaker.failed(100.0, b"refused")
    assert not breaker.closed
    assert breaker.trouble == b"refused"
    assert not breaker.admits(100.0 + FIRST_PAUSE_S - 0.1)
    assert breaker.admits(100.0 + FIRST_PAUSE_S)


def test_only_one_probes() -> None:
    breaker = Breaker(widest=10)
    breaker.failed(100.0, b"refused")
    breaker.enter()
    assert not breaker.admits(200.0)
    breaker.leave()
    assert breaker.admits(200.0)


def test_others_may_come_along_with_a_probe_that_was_greeted() -> None:
    breaker = Breaker(widest=10)
    breaker.greet()
    assert not breaker.greeted  # it is no probe
    breaker.failed(100.0, b"refused")
    breaker.enter()
    breaker.greet()
    assert breaker.admits(100.0)
    breaker.failed(100.0, b"refused")
    assert not breaker.admits(100.0)


def test_pause_doubles_by_each_failed_probe_up_to_the_longest() -> None:
    breaker, now, pauses = Breaker(widest=10), 100.0, []
    for _ in range(8):
        breaker.failed(now, b"refused")
        pauses.append(breaker.until - now)
        now = breaker.until
        breaker.enter()
    assert pauses == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def test_many_that_fail_together_count_as_one() -> None:
    breaker = Breaker(widest=10)
    for moment in (100.0, 100.1, 100.2):
        breaker.failed(moment, b"refused")
    assert breaker.until - 100.2 == pytest.approx(FIRST_PAUSE_S)


def test_success_of_the_probe_closes_it_and_begins_small() -> None:
    breaker = Breaker(widest=10)
    for _ in range(4):
        breaker.succeeded()
    breaker.failed(100.0, b"refused")
    breaker.enter()
    breaker.succeeded()
    assert breaker.closed
    assert breaker.trouble == b""
    assert breaker.width == 2
