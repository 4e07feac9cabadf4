"""How a test says which case it tells, and through which doors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.integration.dialect.world import DIRECT, DOORS, SOCKET

BY_ROOT = (SOCKET, DIRECT)  # root needs no drop directory: without a daemon he has the direct door


def through(case: str, doors: Sequence[str] = DOORS) -> pytest.MarkDecorator:
    """Tell one case through each of the doors: the ids are like V01-socket."""
    ways = [pytest.param(door, id=f"{case}-{door}") for door in doors]
    return pytest.mark.parametrize("world", ways, indirect=True)


def each_through(
    names: str, cases: dict[str, Sequence[Any]], doors: Sequence[str] = DOORS
) -> pytest.MarkDecorator:
    """Tell several cases alike through each of the doors; `names` are those of their values."""
    ways = [
        pytest.param(door, *values, id=f"{case}-{door}")
        for case, values in cases.items()
        for door in doors
    ]
    return pytest.mark.parametrize(f"world,{names}", ways, indirect=["world"])
