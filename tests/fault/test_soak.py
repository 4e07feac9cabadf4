"""A moment of the soak; `make soak` goes on for an hour."""

from __future__ import annotations

import pytest

from tests.fault import soak


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_mail_through_all_doors_arrives_while_smarthosts_come_and_daemons_go(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = soak.main(["9", "4"])
    assert status == 0, capsys.readouterr().out
