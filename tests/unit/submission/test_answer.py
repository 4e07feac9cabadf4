"""The answer's bytes and the exit status, which is made of outcomes by one table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.message.outcome import DEFERRED, DELIVERED, FAILED, Outcome
from pysendmail.submission.answer import Answer, format_answer
from pysendmail.submission.exit_status import exit_status


def failure(text: bytes, status: bytes = b"5.0.0", remote: bytes = b"mx") -> Outcome:
    return Outcome(b"a@b", FAILED, status, text, remote)


NO_USER = failure(b"550 5.1.1 who", b"5.1.1")
SPAM = failure(b"554 5.7.1 spam", b"5.7.1")
UNREADABLE = failure(b"the address cannot be read", b"5.1.3", b"")
GOOD = Outcome(b"a@b", DELIVERED, b"2.0.0", b"250 ok", b"mx")
LATER = Outcome(b"a@b", DEFERRED, b"4.0.0", b"450 later", b"mx")


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        pytest.param([GOOD], 0, id="delivered"),
        pytest.param([LATER], 0, id="queued"),
        pytest.param([NO_USER, LATER], 0, id="one queued"),
        pytest.param([SPAM, GOOD], 0, id="one delivered"),
        pytest.param([NO_USER], 67, id="550"),
        pytest.param([failure(b"551 gone")], 67, id="551"),
        pytest.param([failure(b"553 no")], 67, id="553"),
        pytest.param([NO_USER, failure(b"553 no")], 67, id="all dead"),
        pytest.param([SPAM], 69, id="other 5xx"),
        pytest.param([NO_USER, SPAM], 69, id="one dead, one refused"),
        pytest.param([failure(b"552 too big")], 69, id="552"),
        pytest.param([UNREADABLE], 65, id="our own verdict"),
        pytest.param([UNREADABLE, NO_USER], 69, id="unreadable and dead"),
        pytest.param([failure(b"SMTPUTF8 missing", b"5.6.7", b"")], 69, id="extension"),
    ],
)
def test_exit_status_tells_what_killed_them_all(outcomes: list[Outcome], status: int) -> None:
    assert exit_status(outcomes) == status


def test_answer_ends_with_its_exit_status() -> None:
    answer = Answer(67, output=[b"a... failed"], errors=[b"a: no"])
    assert format_answer(answer) == b"oa... failed\0ea: no\0x67\0"
    assert format_answer(Answer(0)) == b"x0\0"
    assert "67" in repr(answer)


@given(st.binary(max_size=50))
def test_line_never_ends_its_record(line: bytes) -> None:
    first, last, end = format_answer(Answer(1, errors=[line])).split(b"\0")
    assert not set(first) & set(b"\r\n")
    assert (first[:1], last, end) == (b"e", b"x1", b"")
