"""Fixtures of the dialect's cases: one world for each door."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import people
from tests.helpers.installed import Installation
from tests.helpers.people import People
from tests.helpers.sink import Sink
from tests.integration.dialect.world import World


class Worlds:
    """The worlds that were needed so far."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._people = People()
        self._sink = Sink()
        self._worlds: dict[str, World] = {}

    def __getitem__(self, door: str) -> World:
        if door not in self._worlds:
            made = World(door, self._installation, self._people, self._sink)
            self._worlds[door] = made
        return self._worlds[door]

    def close(self) -> None:
        """End them all."""
        for world in self._worlds.values():
            world.close()
        self._sink.close()
        self._people.close()


@pytest.fixture(scope="package")
def worlds(installation: Installation) -> Iterator[Worlds]:
    """One world for each door, made when it is first wanted."""
    if reason := people.why_not():
        pytest.skip(reason)
    made = Worlds(installation)
    yield made
    made.close()


@pytest.fixture
def world(request: pytest.FixtureRequest, worlds: Worlds) -> World:
    """The world of the door that the case goes through, at its beginning."""
    chosen = worlds[request.param]
    chosen.reset()
    return chosen


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that alice can reach and write."""
    with tempfile.TemporaryDirectory(prefix="dialect-") as name:
        os.chmod(name, 0o777)
        yield Path(name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """Show queue and log with a case that failed."""
    report = yield
    world = item.funcargs.get("world")
    if report.when == "call" and report.failed and isinstance(world, World):
        report.sections.append(("queue and log", world.site.evidence()))
    return report
