"""Fair shares: nobody gets more than he leaves, and something is always left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.daemon.shares import Hold, NoRoom, Shares


def take_all(shares: Shares, peer: str) -> int:
    taken = 0
    while shares.take(peer):
        taken += 1
    return taken


def test_each_gets_half_of_what_the_others_have_left() -> None:
    shares = Shares(256)
    assert [take_all(shares, peer) for peer in "abcd"] == [128, 64, 32, 16]


def test_what_is_given_back_is_there_for_others() -> None:
    shares = Shares(8)
    assert take_all(shares, "a") == 4
    shares.give_back("a", 4)
    assert take_all(shares, "b") == 4


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 40))))
def test_nobody_has_more_than_he_leaves(wishes: list[tuple[str, int]]) -> None:
    shares, held = Shares(100), dict.fromkeys("abc", 0)
    for peer, amount in wishes:
        fits = held[peer] + amount <= 100 - sum(held.values())
        assert shares.take(peer, amount) is fits
        held[peer] += amount * fits
    assert sum(held.values()) <= 100


def test_what_is_held_is_given_back_when_nobody_keeps_it() -> None:
    shares = Shares(8)
    with Hold(shares, "a") as hold:
        hold.take(1)
        hold.take(3)
        with pytest.raises(NoRoom):
            hold.take(1)
        hold.keep()
    assert take_all(shares, "a") == 0
    hold.release()
    assert take_all(shares, "a") == 4
