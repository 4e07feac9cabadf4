"""Turns: each submitter's things in their order, and one of each submitter after the other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pysendmail.daemon.turns import Turns

THINGS = st.lists(st.integers(0, 3)).map(lambda uids: list(enumerate(uids)))


def turns_of(things: list[tuple[int, int]]) -> Turns[tuple[int, int]]:
    turns: Turns[tuple[int, int]] = Turns()
    for thing in things:
        turns.put(thing[1], thing)
    return turns


def take_all(turns: Turns[tuple[int, int]]) -> list[tuple[int, int]]:
    taken = []
    while (thing := turns.take()) is not None:
        taken.append(thing)
    return taken


def test_one_of_each_submitter_after_the_other() -> None:
    turns = turns_of([(1, 7), (2, 7), (3, 7), (4, 8), (5, 9), (6, 8)])
    assert [number for number, _ in take_all(turns)] == [1, 4, 5, 2, 6, 3]


@given(THINGS)
def test_all_are_taken_each_submitters_in_their_order(things: list[tuple[int, int]]) -> None:
    turns = turns_of(things)
    assert len(turns) == len(things)
    taken = take_all(turns)
    assert len(turns) == 0
    for uid in range(4):
        assert [one for one in taken if one[1] == uid] == [one for one in things if one[1] == uid]


@given(THINGS)
def test_nobody_waits_for_more_than_one_of_each_other(things: list[tuple[int, int]]) -> None:
    uids = [uid for _, uid in take_all(turns_of(things))]
    for uid in set(uids):
        first = uids.index(uid)
        assert len(set(uids[:first])) == first


def test_what_is_taken_out_is_in_line_no_more() -> None:
    turns = turns_of([(1, 7), (2, 7), (3, 8)])
    assert turns.discard((1, 7))
    assert not turns.discard((1, 7))
    assert take_all(turns) == [(2, 7), (3, 8)]


def test_line_that_is_full_takes_no_more_and_the_others_do() -> None:
    turns: Turns[int] = Turns(2)
    for number in range(5):
        turns.put(7, number)
    turns.put(8, 9)
    assert len(turns) == 3


def test_nothing_is_left_after_a_clear() -> None:
    turns = turns_of([(1, 7)])
    turns.clear()
    assert turns.take() is None
