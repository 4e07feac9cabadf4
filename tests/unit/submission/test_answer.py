"""The answer's bytes: records, and the exit status that ends them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pysendmail.submission.answer import Answer, format_answer, format_record


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


@given(st.sampled_from([b"o", b"e", b"x"]), st.binary(max_size=50))
def test_record_is_a_letter_and_a_line_ended_by_nul(letter: bytes, value: bytes) -> None:
    record = format_record(letter, value)
    assert record[:1] == letter
    assert record.index(b"\0") == len(record) - 1 == len(value) + 1
