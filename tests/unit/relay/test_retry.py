"""When to try again: whatever the history and the clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.relay.retry import expired, next_attempt, silence, stranded, warning_due

NOW = st.floats(0, 4e9)
JITTER = st.floats(0, 1)
FIRST = st.floats(1, 86400)
ATTEMPTS = st.integers(0, 10**6)


@given(NOW, NOW, ATTEMPTS, FIRST, st.floats(1, 100), JITTER)
def test_pause_stays_within_its_bounds(
    now: float, arrived: float, attempts: int, first: float, factor: float, jitter: float
) -> None:
    longest = first * factor
    due = next_attempt(
        now=now, arrived=arrived, attempts=attempts, first=first, longest=longest, jitter=jitter
    )
    assert 0.75 * first - 1e-3 <= due - now <= 1.25 * longest + 1e-3


@given(ATTEMPTS, FIRST, JITTER)
def test_pause_never_shrinks_with_attempts(attempts: int, first: float, jitter: float) -> None:
    def pause(count: int) -> float:
        return next_attempt(
            now=9e4, arrived=0, attempts=count, first=first, longest=14400, jitter=jitter
        )

    assert pause(attempts) <= pause(attempts + 1)


@given(ATTEMPTS, FIRST, JITTER, JITTER)
def test_pause_grows_with_jitter(attempts: int, first: float, one: float, other: float) -> None:
    def pause(jitter: float) -> float:
        return next_attempt(
            now=9e4, arrived=0, attempts=attempts, first=first, longest=14400, jitter=jitter
        )

    assert (pause(one) <= pause(other)) or one > other


@pytest.mark.parametrize(
    ("attempts", "pause"), [(0, 300), (1, 300), (2, 600), (3, 1200), (6, 9600), (7, 14400)]
)
def test_pause_doubles_up_to_the_longest(attempts: int, pause: float) -> None:
    due = next_attempt(
        now=1e5, arrived=0, attempts=attempts, first=300, longest=14400, jitter=0.5
    )
    assert due == 1e5 + pause


def test_pause_doubles_at_the_ages_that_doubling_leads_to() -> None:
    now, pauses = 0.0, []
    for attempts in range(1, 8):
        due = next_attempt(
            now=now, arrived=0, attempts=attempts, first=300, longest=14400, jitter=0.5
        )
        pauses.append(due - now)
        now = due
    assert pauses == [300, 600, 1200, 2400, 4800, 9600, 14400]


def test_attempts_that_were_asked_for_do_not_lengthen_the_pause() -> None:
    due = next_attempt(now=600, arrived=0, attempts=20, first=300, longest=14400, jitter=0.5)
    assert due == 600 + 900


@given(NOW, ATTEMPTS, FIRST, st.floats(1, 100), JITTER)
def test_no_pause_of_ours_strands_an_entry(
    now: float, attempts: int, first: float, factor: float, jitter: float
) -> None:
    longest = first * factor
    due = next_attempt(
        now=now, arrived=0, attempts=attempts, first=first, longest=longest, jitter=jitter
    )
    assert not stranded(due=due - 1e-3, now=now, first=first, longest=longest)
    assert stranded(due=due, now=now - 2 * longest, first=first, longest=longest)


@given(st.floats(1, 1e7))
def test_life_ends_and_stays_ended(lifetime: float) -> None:
    assert not expired(age=lifetime - 1, lifetime=lifetime)
    assert expired(age=lifetime, lifetime=lifetime)
    assert expired(age=100 * lifetime, lifetime=lifetime)


@pytest.mark.parametrize(
    ("age", "after", "warned", "due"),
    [
        (14400, 14400, False, True),
        (14399, 14400, False, False),
        (99999, 14400, True, False),
        (99999, 0, False, False),
    ],
    ids=["in time", "too early", "already", "never"],
)
def test_warning_is_due_once(age: float, after: float, warned: bool, due: bool) -> None:
    assert warning_due(age=age, after=after, warned=warned) is due


@given(st.floats(0, 1e7), st.floats(1, 1e7), st.floats(0, 1e7), st.booleans())
def test_silence_ends_when_a_notice_is_due(
    age: float, lifetime: float, after: float, warned: bool
) -> None:
    over = silence(age=age, lifetime=lifetime, after=after, warned=warned) <= 0
    late = warning_due(age=age, after=after, warned=warned)
    assert over is (late or expired(age=age, lifetime=lifetime))
