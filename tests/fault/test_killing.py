"""A few of the rounds in which shim and daemon are killed; `make kill` runs a thousand."""

from __future__ import annotations

import re

import pytest

from tests.fault import killing

ROUNDS = 12


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_kill_at_random_instants_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert killing.main([str(ROUNDS)]) == 0, capsys.readouterr().out
    said = capsys.readouterr().out
    counts = {what: int(count) for count, what in re.findall(r"^ *(\d+)  (.*)$", said, re.M)}
    assert counts["submitted"] == ROUNDS * killing.AT_ONCE
    assert counts["sendmail killed"] <= ROUNDS - counts["daemon killed"]
    assert counts["answered 0"] >= counts["submitted"] - ROUNDS
