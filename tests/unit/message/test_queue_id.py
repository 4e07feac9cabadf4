"""The queue id: its form, and that none comes twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.message.queue_id import QUEUE_ID_LENGTH, is_queue_id, new_queue_id


@pytest.mark.trap(26)
def test_new_queue_ids_are_queue_ids_and_differ() -> None:
    ids = {new_queue_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(is_queue_id(queue_id) for queue_id in ids)


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("0123456789ABCD", True),
        ("EF000000000000", True),
        ("", False),
        ("0123456789abcd", False),
        ("0123456789ABC", False),
        ("0123456789ABCDE", False),
        ("0123456789ABC\n", False),
        ("0123456789ABC\u0661", False),
        ("../0123456789A", False),
        (b"0123456789ABCD", False),
        (None, False),
    ],
    ids=repr,
)
def test_queue_id_is_fourteen_upper_case_hex_digits(name: object, good: bool) -> None:
    assert is_queue_id(name) == good


@given(st.text(alphabet="09AFafg/.\n", min_size=13, max_size=15))
def test_queue_id_is_a_harmless_file_name(name: str) -> None:
    if is_queue_id(name):
        assert len(name) == QUEUE_ID_LENGTH
        assert int(name, 16) >= 0
        assert name == name.upper()
