"""`pysendmail status`: for a person and for a program."""

from __future__ import annotations

import json
import os

import pytest

from pysendmail import __version__
from pysendmail.daemon.status import next_attempt, report
from pysendmail.relay.policy import POLICY
from tests.unit.daemon.house import FakeRelay, make_state
from tests.unit.spool.samples import FIRST, enter


def lines(state, *records: bytes) -> list[bytes]:
    answer = list(report(state, list(records)))
    assert answer[-1] == (b"x", b"0")
    return [value for _, value in answer[:-1]]


def away() -> FakeRelay:
    relay = FakeRelay()
    relay.pool.report(relay.smarthosts[0], POLICY["access"], b"535 no\xff")
    return relay


def test_person_reads_lines() -> None:
    state = make_state()
    enter(state.spool, FIRST)
    assert lines(state) == [
        f"pysendmail {__version__}, pid {os.getpid()}".encode(),
        b"smarthost alpha:25: ready",
        b"queue: 1 waiting, next attempt in 0 s",
    ]


def test_smarthost_that_is_away_says_why() -> None:
    [_, line, queue] = lines(make_state(away()))
    assert line.startswith(b"smarthost alpha:25: away, next try in ")
    assert line.endswith(b" s: 535 no\\xff")
    assert queue == b"queue: 0 waiting"


def test_program_reads_json() -> None:
    [line] = lines(make_state(away()), b"j")
    facts = json.loads(line)
    assert (facts["waiting"], facts["next_attempt"]) == (0, None)
    [smarthost] = facts["smarthosts"]
    assert (smarthost["smarthost"], smarthost["state"]) == ("alpha:25", "away")
    assert 0 < smarthost["next_probe_s"] <= 5.0


@pytest.mark.parametrize(
    ("due", "pauses", "attempt"),
    [
        (None, [0.0], None),
        (150.0, [0.0], 150.0),
        (50.0, [0.0], 100.0),
        (50.0, [8.0, 5.0], 105.0),
        (150.0, [8.0, 5.0], 150.0),
        (50.0, [8.0, 0.0], 100.0),
        (50.0, [], None),
    ],
    ids=["nothing waits", "later", "due", "due, all away", "later, all away", "one works", "none"],
)
def test_what_is_due_waits_for_a_smarthost_that_is_tried(
    due: float | None, pauses: list[float], attempt: float | None
) -> None:
    assert next_attempt(due, pauses, 100.0) == attempt
