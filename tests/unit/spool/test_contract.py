"""Both backends have what the contract names, as it names it."""

from __future__ import annotations

import inspect

import pytest

from pysendmail.spool.claim import DirectoryClaim
from pysendmail.spool.contract import Claim, Spool
from pysendmail.spool.directory import DirectorySpool
from pysendmail.spool.memory import MemoryClaim, MemorySpool


def methods(contract):
    return [
        pytest.param(name, id=f"{contract.__name__}.{name}")
        for name, value in vars(contract).items()
        if inspect.isfunction(value) and not name.startswith("_")
    ]


@pytest.mark.parametrize("backend", [DirectorySpool, MemorySpool])
@pytest.mark.parametrize("name", methods(Spool))
def test_spool_has_the_parameters_of_the_contract(backend, name):
    found = inspect.signature(getattr(backend, name)).parameters
    assert found == inspect.signature(getattr(Spool, name)).parameters


@pytest.mark.parametrize("backend", [DirectoryClaim, MemoryClaim])
@pytest.mark.parametrize("name", methods(Claim))
def test_claim_has_the_parameters_of_the_contract(backend, name):
    found = inspect.signature(getattr(backend, name)).parameters
    assert found == inspect.signature(getattr(Claim, name)).parameters
