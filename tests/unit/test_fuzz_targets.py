"""The targets of `tests.fuzz`, fed for a moment; `tests/unit/smtp` has those of the SMTP core."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.moment import NOISE, near
from tests.fuzz.targets import TARGETS, seeds, smtp

OURS = [name for name, target in TARGETS.items() if target not in smtp.TARGETS]

PAGE = Path(__file__).parents[2] / "docs/security.md"

some_seeds = functools.cache(seeds)


def test_every_target_has_seeds() -> None:
    assert some_seeds().keys() == TARGETS.keys()
    assert all(some_seeds().values())


def test_page_names_every_target() -> None:
    rows = re.findall(r"^\| (`.*`) \|", PAGE.read_text(encoding="utf-8"), re.M)
    assert sorted(re.findall(r"`(\w+)`", "".join(rows))) == sorted(TARGETS)


@pytest.mark.parametrize("name", OURS)
@given(st.data())
def test_seed_keeps_the_contract_whatever_is_changed_in_it(name: str, data: st.DataObject) -> None:
    TARGETS[name](data.draw(near(some_seeds()[name])))


@pytest.mark.parametrize("name", OURS)
@given(NOISE)
def test_any_octets_keep_the_contract(name: str, octets: bytes) -> None:
    TARGETS[name](octets)
