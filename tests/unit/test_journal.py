"""The log: one line for each event, whatever is in it, and never an error."""

from __future__ import annotations

import json
import os

import pytest

from pysendmail.journal import JSON, STDERR, WARNING, Journal, shown, write_error
from pysendmail.message.outcome import DEFERRED, DELIVERED, Outcome

HOSTILE = b"a\nFAKE: line \x1b[2J"


def test_event_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    Journal(STDERR, "pysendmaild", {}).event("ID", "submitted", uid=7, sender=b"a@b", tag=HOSTILE)
    assert capfd.readouterr().err == (
        'pysendmaild: ID: submitted uid=7 sender=a@b tag="a FAKE: line \\\\x1b[2J"\n'
    )


def test_priority_stands_in_front_for_journald(capfd: pytest.CaptureFixture[str]) -> None:
    journal = Journal(STDERR, "pysendmaild", {"JOURNAL_STREAM": "1:2"})
    journal.event("", "smarthost away", priority=WARNING)
    assert capfd.readouterr().err == "<4>smarthost away\n"


def test_json_is_one_object_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    journal = Journal(JSON, "pysendmaild", {})
    journal.event("ID", "submitted", tag=HOSTILE, delay=0.5)
    journal.event("", "ready")
    first, second = map(json.loads, capfd.readouterr().err.splitlines())
    assert (first["queue_id"], first["event"], first["delay"]) == ("ID", "submitted", 0.5)
    assert first["tag"] == HOSTILE.decode()
    assert "queue_id" not in second


def test_outcomes_say_who_said_what(capfd: pytest.CaptureFixture[str]) -> None:
    Journal(STDERR, "d", {}).outcomes(
        "ID",
        [
            Outcome(b"a@b", DELIVERED, b"2.0.0", b"250 ok", b"mx"),
            Outcome(b"c@d", DEFERRED, b"4.4.2", b"lost", b"", True),
        ],
        arrived=100.0,
        now=101.5,
    )
    assert capfd.readouterr().err.splitlines() == [
        'd: ID: delivered to=a@b smarthost=mx status=2.0.0 delay=1.5 said="250 ok"',
        "d: ID: deferred (may be duplicate) to=c@d smarthost=- status=4.4.2 delay=1.5 said=lost",
    ]


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        (b"", '""'),
        ("x=y", '"x=y"'),
        (b'say "hi"', '"say \\"hi\\""'),
        ("\udcff", "\\udcff"),
        (3, "3"),
        (b"plain", "plain"),
    ],
    ids=repr,
)
def test_fact_is_quoted_where_it_must_be(fact: bytes | str | int, text: str) -> None:
    assert shown(fact) == text


def test_log_that_nobody_reads_is_no_error() -> None:
    saved = os.dup(2)
    try:
        os.close(2)
        write_error("lost\n")
    finally:
        os.dup2(saved, 2)
        os.close(saved)
