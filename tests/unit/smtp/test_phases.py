from __future__ import annotations

import pytest

from pysendmail.smtp import Timeouts, UsageError
from pysendmail.smtp.phases import BLOCK, DATA, FINAL, GREETING, MAIL, PHASES, QUIT, RCPT


@pytest.mark.parametrize(
    ("phase", "minimum"),
    [(GREETING, 300), (MAIL, 300), (RCPT, 300), (DATA, 120), (BLOCK, 180), (FINAL, 600)],
    ids=repr,
)
def test_default_is_no_less_than_rfc_5321_asks(phase, minimum: int) -> None:
    assert Timeouts().seconds(phase) >= minimum


def test_only_the_wait_after_the_end_of_data_is_marked() -> None:
    assert [phase for phase in PHASES if phase.after_end_of_data] == [FINAL]


def test_timeouts_are_changed_by_name() -> None:
    timeouts = Timeouts(quit=1.5)
    assert timeouts.seconds(QUIT) == 1.5
    assert timeouts.seconds(FINAL) == 600
    assert "'quit': 1.5" in repr(timeouts)


def test_one_number_bounds_every_phase_and_makes_no_farewell_longer() -> None:
    assert {Timeouts.of(60).seconds(phase) for phase in PHASES if phase is not QUIT} == {60}
    assert Timeouts.of(60).seconds(QUIT) == 5
    assert Timeouts.of(1).seconds(QUIT) == 1


def test_timeouts_are_made_of_what_the_caller_gives() -> None:
    timeouts = Timeouts(quit=1)
    assert Timeouts.of(timeouts) is timeouts
    assert Timeouts.of(None).seconds(FINAL) == 600


def test_unknown_phase_is_refused() -> None:
    with pytest.raises(UsageError, match="hallo"):
        Timeouts(hallo=1)
