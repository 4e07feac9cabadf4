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


def test_unknown_phase_is_refused() -> None:
    with pytest.raises(UsageError, match="hallo"):
        Timeouts(hallo=1)
