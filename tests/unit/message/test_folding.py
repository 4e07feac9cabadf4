"""Header lines that are too long."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.message.encode import LINE_LIMIT
from pysendmail.message.folding import folded
from pysendmail.message.message import Field, parse_field


def field(body: bytes, name: bytes = b"Subject") -> Field:
    return parse_field(name + b":" + body + b"\r\n")


def lines_of(one: Field) -> list[bytes]:
    return one.raw.removesuffix(b"\r\n").split(b"\r\n")


@pytest.mark.parametrize(
    "body", [b" short", b"", b" a\r\n b", b" " + b"x" * 989, b" " + b"x" * 2000, b"x" + b" " * 2000]
)
def test_field_in_order_or_without_a_place_to_fold_is_left_as_it_is(body: bytes) -> None:
    one = field(body)
    assert folded(one) == one


def test_long_line_is_folded_at_the_last_blank_that_fits() -> None:
    one = folded(field(b" " + b"word " * 400 + b"end"))
    assert all(len(line) <= LINE_LIMIT for line in lines_of(one))
    assert len(lines_of(one)) == 3
    assert one.value == b"word " * 400 + b"end"


def test_character_is_never_cut() -> None:
    one = folded(field(" grüße".encode() * 300))
    for line in lines_of(one):
        line.decode()
        assert len(line) <= LINE_LIMIT


def test_list_without_blanks_is_folded_behind_commas_but_not_in_names() -> None:
    addresses = b",".join(b'"a,b%d"<x%d@example.org>' % (n, n) for n in range(100))
    one = folded(field(b" " + addresses, b"To"))
    assert all(len(line) <= LINE_LIMIT for line in lines_of(one))
    assert one.raw.replace(b"\r\n ", b"") == b"To: " + addresses + b"\r\n"
    assert all(line.endswith(b">,") for line in lines_of(one)[:-1])


def test_commas_of_other_fields_are_no_places_to_fold() -> None:
    one = field(b" " + b"a,b" * 500, b"X-List")
    assert folded(one) == one


def test_word_that_is_too_long_stays_and_the_others_are_folded() -> None:
    one = folded(field(b" a " + b"x" * 1500 + b" b" * 600))
    assert [len(line) > LINE_LIMIT for line in lines_of(one)] == [False, True, False, False]


def test_comma_at_the_end_of_a_line_is_no_place_to_fold() -> None:
    line = b",".join(b"x%d@example.org" % n for n in range(70)) + b","
    one = folded(field(b" " + line + b"\r\n " + line, b"To"))
    assert all(0 < len(line) <= LINE_LIMIT for line in lines_of(one))
    assert one.raw.replace(b"\r\n ", b"") == b"To: " + line + line + b"\r\n"


def test_many_long_lines_of_commas_cost_little() -> None:
    one = folded(field(b" " + b"\r\n ".join([b"a@b," * 260] * 900), b"To"))
    assert all(len(line) <= LINE_LIMIT for line in lines_of(one))


WORDS = st.lists(
    st.tuples(st.sampled_from([b" ", b"\t", b"   ", b" \t"]), st.integers(0, 700)), max_size=12
)


@given(WORDS, st.sampled_from([b"Subject", b"To", b"References"]))
def test_folding_changes_nothing_but_lines(words: list[tuple[bytes, int]], name: bytes) -> None:
    one = field(b"".join(blanks + b"x" * length for blanks, length in words), name)
    result = folded(one)
    assert result.raw.replace(b"\r\n", b"") == one.raw.replace(b"\r\n", b"")
    assert all(line.strip() for line in lines_of(result))
    assert all(len(line) <= LINE_LIMIT for line in lines_of(result)) or len(one.raw) > LINE_LIMIT
    assert folded(result) == result


@pytest.mark.parametrize("unit", [b"a ", b",", b" \r\n a", b"x,\r\n "], ids=repr)
def test_hostile_repetition_takes_bounded_memory(unit: bytes) -> None:
    one = field(b" " + b"y" * LINE_LIMIT + b"\r\n " + unit * (100_000 // len(unit)), b"To")
    tracemalloc.start()
    try:
        folded(one)
        assert tracemalloc.get_traced_memory()[1] < 8 * len(one.raw)
    finally:
        tracemalloc.stop()
