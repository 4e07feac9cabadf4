"""Ages by a clock that is set, to and fro, while nobody but us looks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.daemon.clock import MOST_PERIODS, STEP_S, Clock

DAY = 86400.0
YEARS = 55 * 365 * DAY


class World:
    """True time, a time of day that can be set, and a clock that looks once a second."""

    def __init__(self) -> None:
        self.steady = 5000.0
        self.ahead = 1.7e9
        self.clock = Clock(self.now, self.steady)

    @property
    def now(self) -> float:
        return self.steady + self.ahead

    def live_on(self, seconds: float) -> None:
        self.clock.look(self.now, self.steady)
        self.steady += seconds
        self.clock.look(self.now, self.steady)

    def set_clock(self, by: float) -> None:
        self.ahead += by
        self.steady += 0.5
        assert self.clock.look(self.now, self.steady) == pytest.approx(self.ahead)

    def age(self, arrived: float) -> float:
        return self.clock.age(arrived, self.steady)


def test_age_of_a_steady_clock_is_what_has_passed() -> None:
    world = World()
    before, arrived = world.now - 3 * DAY, world.now
    world.live_on(3600.0)
    assert world.age(arrived) == pytest.approx(3600.0)
    assert world.age(before) == pytest.approx(3 * DAY + 3600.0)


@pytest.mark.trap(27)
@pytest.mark.parametrize("jump", [30 * DAY, -30 * DAY, YEARS, -YEARS, 61.0])
def test_step_makes_nothing_older_or_younger(jump: float) -> None:
    world = World()
    arrived = world.now
    world.live_on(600.0)
    world.set_clock(jump)
    world.live_on(600.0)
    assert world.age(arrived) == pytest.approx(1200.5)
    meanwhile = world.now
    world.live_on(600.0)
    world.set_clock(-jump)
    assert world.age(meanwhile) == pytest.approx(600.5)
    assert world.age(arrived) == pytest.approx(1801.0)


def test_what_came_between_step_and_look_has_its_age() -> None:
    for jump in (30 * DAY, -30 * DAY):
        world = World()
        world.live_on(600.0)
        world.ahead += jump
        arrived = world.now
        world.set_clock(0.0)
        assert world.age(arrived) == pytest.approx(0.5)


def test_clock_that_is_brought_into_line_has_no_steps() -> None:
    world = World()
    arrived = world.now
    for _ in range(100):
        world.set_clock(STEP_S / 10)
    assert len(world.clock._periods) == 1
    assert world.age(arrived) == pytest.approx(100 * (0.5 + STEP_S / 10))


def test_clock_that_is_set_for_ever_takes_no_memory() -> None:
    world = World()
    for _ in range(3 * MOST_PERIODS):
        world.live_on(600.0)
        arrived = world.now
        world.set_clock(DAY)
    world.live_on(600.0)
    assert len(world.clock._periods) == MOST_PERIODS
    assert world.age(arrived) == pytest.approx(600.5)


STEPS = st.lists(st.tuples(st.floats(-YEARS, YEARS), st.floats(0, DAY)), max_size=10)


@given(STEPS, st.floats(0, DAY))
def test_no_steps_make_anything_older_than_it_is(
    steps: list[tuple[float, float]], waited: float
) -> None:
    world = World()
    arrived, came = world.now, world.steady
    for jump, seconds in steps:
        world.set_clock(jump if abs(jump) > STEP_S else 0.0)
        world.live_on(seconds)
    world.live_on(waited)
    assert world.age(arrived) <= world.steady - came + 1e-3
