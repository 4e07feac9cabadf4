"""The race of addresses, on loopback: who wins, how long it takes, what is told of the others."""

from __future__ import annotations

import gc
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.smtp.transport.race import Race, interleave
from tests.helpers.listeners import answering, refusing, silent

Candidate = tuple[int, Any]
FAMILIES = st.sampled_from([socket.AF_INET, socket.AF_INET6])
LONG_S = 60.0


@pytest.fixture(autouse=True)
def no_socket_is_left() -> Iterator[None]:
    yield
    gc.collect()  # warns of it, and warnings are errors


def test_families_take_turns_and_the_resolvers_first_begins() -> None:
    candidates = [(6, "a"), (6, "b"), (6, "c"), (4, "d"), (4, "e")]
    assert interleave(candidates) == [(6, "a"), (4, "d"), (6, "b"), (4, "e"), (6, "c")]


@given(st.lists(st.tuples(FAMILIES, st.integers()), max_size=8))
def test_nobody_is_lost_in_taking_turns(candidates: list[Candidate]) -> None:
    turns = interleave(candidates)
    assert sorted(turns) == sorted(candidates)
    assert turns[:1] == candidates[:1]
    for family in (socket.AF_INET, socket.AF_INET6):
        assert [c for c in turns if c[0] == family] == [c for c in candidates if c[0] == family]


def outcome(race: Race) -> tuple[str, int] | None:
    """Run a race and return whom it reached."""
    try:
        winner = race.run()
    finally:
        race.close()
    if winner is None:
        return None
    with closing(winner):
        return winner.getpeername()[:2]


def ipv4(*addresses: tuple[str, int]) -> list[Candidate]:
    return [(socket.AF_INET, address) for address in addresses]


def test_address_that_does_not_answer_costs_the_delay() -> None:
    with silent() as first, answering("127.0.0.2") as second:
        began = time.monotonic()
        race = Race(ipv4(first, second), seconds=LONG_S, delay=0.1)
        assert outcome(race) == second
        assert 0.1 <= time.monotonic() - began < LONG_S / 4
        assert race.reasons == []


def test_address_that_refuses_costs_nothing() -> None:
    with refusing() as first, answering() as second:
        began = time.monotonic()
        race = Race(ipv4(first, second), seconds=LONG_S, delay=LONG_S)
        assert outcome(race) == second
        assert time.monotonic() - began < LONG_S / 4
        assert race.reasons == [(f"127.0.0.1:{first[1]}", "Connection refused")]


def test_first_address_is_taken_where_it_answers() -> None:
    with answering() as first, answering() as second:
        assert outcome(Race(ipv4(first, second), seconds=LONG_S)) == first


def test_each_address_has_its_own_time_and_all_are_told_of() -> None:
    with silent() as first, silent("127.0.0.2") as second, refusing() as third:
        race = Race(ipv4(first, second, third), seconds=0.2, delay=0.05)
        assert outcome(race) is None
        assert sorted(reason for _, reason in race.reasons) == [
            "Connection refused", "Connection timed out", "Connection timed out",
        ]  # fmt: skip


def test_late_address_is_tried_when_an_earlier_one_has_expired() -> None:
    with silent() as first, answering() as second:
        race = Race(ipv4(first, second), seconds=0.05, delay=LONG_S)
        assert outcome(race) == second
        assert race.reasons == [(f"127.0.0.1:{first[1]}", "Connection timed out")]


def test_deadline_ends_it_for_all() -> None:
    with silent() as first, silent() as second:
        race = Race(
            ipv4(first, second), seconds=LONG_S, deadline=time.monotonic() + 0.3, delay=0.01
        )
        with pytest.raises(TimeoutError):
            outcome(race)
        assert {reason for _, reason in race.reasons} == {"no answer"}


def test_family_that_the_system_cannot_do_is_only_a_reason() -> None:
    with answering() as address:
        race = Race([(4711, ("a", 25)), (socket.AF_INET, address)], seconds=LONG_S, delay=LONG_S)
        assert outcome(race) == address
        assert race.reasons == [("a:25", "Address family not supported by protocol")]


def test_address_that_cannot_even_be_tried_costs_nothing() -> None:
    with answering() as address:
        race = Race(ipv4(("255.255.255.255", 25), address), seconds=LONG_S, delay=LONG_S)
        assert outcome(race) == address
        assert [shown for shown, _ in race.reasons] == ["255.255.255.255:25"]


def test_nobody_wins_where_nobody_runs() -> None:
    assert outcome(Race([], seconds=1)) is None


def test_ipv6_is_shown_in_brackets() -> None:
    candidates = [(socket.AF_INET6, ("::1", 1, 0, 0))]
    race = Race(candidates, seconds=LONG_S, source_address="2001:db8::1")
    assert outcome(race) is None
    [(shown, reason)] = race.reasons
    assert shown == "[::1]:1"
    assert reason  # a system without IPv6 says something else than one that lacks this address
