"""The targets of `tests.fuzz`, fed for a moment: the seeds as they are, changed, and noise."""

from __future__ import annotations

import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS, seeds

some_seeds = functools.cache(seeds)

# Where octets are replaced, how many, and by what.
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 2000),
        st.integers(0, 4),
        st.binary(max_size=4) | st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"250 ", b"421"]),
    ),
    max_size=6,
)


def changed(octets: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    for place, count, replacement in changes:
        start = place % (len(octets) + 1)
        octets = octets[:start] + replacement + octets[start + count :]
    return octets


def test_every_target_has_seeds() -> None:
    assert some_seeds().keys() == TARGETS.keys()
    assert all(some_seeds().values())


@pytest.mark.parametrize("name", TARGETS)
@given(st.data(), CHANGES)
def test_seed_keeps_the_contract_whatever_is_changed_in_it(
    name: str, data: st.DataObject, changes: list[tuple[int, int, bytes]]
) -> None:
    TARGETS[name](changed(data.draw(st.sampled_from(some_seeds()[name])), changes))


@pytest.mark.parametrize("name", TARGETS)
@given(st.binary(max_size=300))
def test_any_octets_keep_the_contract(name: str, octets: bytes) -> None:
    TARGETS[name](octets)
