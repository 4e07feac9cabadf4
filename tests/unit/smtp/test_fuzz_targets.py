"""The targets of `tests.fuzz` that are about the SMTP client core, fed for a moment."""

from __future__ import annotations

import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.moment import NOISE, near
from tests.fuzz.targets import smtp

some_seeds = functools.cache(smtp.seeds)


@pytest.mark.parametrize("target", smtp.TARGETS, ids=lambda target: target.__name__)
@given(st.data())
def test_seed_keeps_the_contract_whatever_is_changed_in_it(
    target: smtp.Target, data: st.DataObject
) -> None:
    target(data.draw(near(some_seeds()[target])))


@pytest.mark.parametrize("target", smtp.TARGETS, ids=lambda target: target.__name__)
@given(NOISE)
def test_any_octets_keep_the_contract(target: smtp.Target, octets: bytes) -> None:
    target(octets)
