"""Outcomes, and bytes made fit for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.message.outcome import DEFERRED, FAILED, Outcome, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param(b"550 5.1.1 no such user", b"550 5.1.1 no such user", id="plain"),
        pytest.param(b"a\r\nBcc: x\tb", b"a  Bcc: x b", id="line-end"),
        pytest.param(b"\x1b[31mred\x07\0", rb"\x1b[31mred\x07\x00", id="escape-sequence"),
        pytest.param("Zoë".encode(), "Zoë".encode(), id="utf-8"),
        pytest.param(b"Zo\xeb", rb"Zo\xeb", id="latin-1"),
        pytest.param("a\u202eb\u2028c".encode(), rb"a\u202eb c", id="direction-and-line-separator"),
        pytest.param("\x9b2J".encode(), rb"\x9b2J", id="c1-control"),
        pytest.param(b"", b"", id="empty"),
    ],
)
def test_printable_is_one_harmless_line(text: bytes, shown: bytes) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        pytest.param(b"x" * 10, 10, b"x" * 10, id="fits"),
        pytest.param(b"x" * 11, 10, b"x" * 7 + b"...", id="cut"),
        pytest.param("ëëëëëë".encode(), 10, "ëëë".encode() + b"...", id="whole-characters"),
        pytest.param(b"xxxx", 2, b"..", id="tiny"),
    ],
)
def test_printable_is_cut_to_the_limit(text: bytes, limit: int, shown: bytes) -> None:
    assert printable(text, limit) == shown


@given(st.binary(max_size=300), st.integers(0, 60))
def test_printable_of_anything_is_printable_and_bounded(text: bytes, limit: int) -> None:
    shown = printable(text, limit)
    assert len(shown) <= limit
    assert shown.decode().isprintable()


def test_outcomes_are_equal_by_value() -> None:
    one = Outcome(b"a@x", DEFERRED, b"4.4.1", b"away")
    assert one == Outcome(b"a@x", DEFERRED, b"4.4.1", b"away")
    assert hash(one) == hash(Outcome(b"a@x", DEFERRED, b"4.4.1", b"away"))
    assert one != Outcome(b"a@x", FAILED, b"4.4.1", b"away")
    assert one != Outcome(b"a@x", DEFERRED, b"4.4.1", b"away", maybe_duplicate=True)
    assert one != "outcome"
    assert "4.4.1" in repr(one)
