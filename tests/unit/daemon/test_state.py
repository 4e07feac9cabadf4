"""What the parts of the daemon share, and its reload."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pysendmail.daemon import state as daemon_state
from pysendmail.message.alias_file import read_aliases
from pysendmail.message.aliases import Aliases
from tests.unit.daemon.house import FakeRelay, make_state
from tests.unit.relay.peers import Peer
from tests.unit.submission.samples import CONFIG


def test_reload_replaces_configuration_and_relay_as_one() -> None:
    state = make_state(wait=1.0)
    relay = FakeRelay()
    relay.config = CONFIG.replaced(wait=2.0)
    state.reload(relay)  # type: ignore[arg-type]
    assert state.relay is relay
    assert state.config.wait == 2.0


def test_old_connections_end_when_they_are_given_back() -> None:
    peer = Peer()
    old = FakeRelay([peer])
    state = make_state(old)
    client, _ = old.pool.borrow(old.smarthosts[0], None)
    state.reload(FakeRelay())  # type: ignore[arg-type]
    assert not peer.closed
    old.pool.give_back(old.smarthosts[0], client, 1)
    assert peer.closed


def test_aliases_are_read_again_when_a_file_has_changed(tmp_path: Path) -> None:
    path, included = tmp_path / "aliases", tmp_path / "list"
    state = make_state(aliases=str(path))
    assert state.aliases().by_name == {}
    path.write_text(f"staff: :include:{included}, joe\n")
    first = state.aliases()
    assert [mailbox.local for mailbox in first.by_name[b"staff"].mailboxes] == [b"joe"]
    assert state.aliases() is first
    included.write_text("jim\n")
    second = state.aliases()
    assert [mailbox.local for mailbox in second.by_name[b"staff"].mailboxes] == [b"jim", b"joe"]
    path.unlink()
    assert state.aliases().by_name == {}


def test_mistakes_in_the_aliases_are_logged_once_for_each_reading(tmp_path: Path) -> None:
    path = tmp_path / "aliases"
    path.write_text("robot: |program\n")
    state = make_state(aliases=str(path))
    for _ in range(2):
        state.aliases()
    assert state.journal.facts[0]["said"] == f"{path}:1: programs are not run: '|program'"  # type: ignore[attr-defined]
    assert state.journal.names() == ["aliases need attention"]  # type: ignore[attr-defined]


def test_aliases_are_read_once_however_many_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings: list[str] = []
    first, go_on = threading.Event(), threading.Event()

    def read_slowly(path: str) -> Aliases:
        readings.append(path)
        first.set()
        assert go_on.wait(60)
        return read_aliases(path)

    monkeypatch.setattr(daemon_state, "read_aliases", read_slowly)
    state = make_state(aliases=str(tmp_path / "aliases"))
    together = threading.Barrier(4)

    def ask() -> Aliases:
        together.wait(60)
        return state.aliases()

    with ThreadPoolExecutor(4) as callers:
        answers = [callers.submit(ask) for _ in range(4)]
        assert first.wait(60)
        go_on.set()
        assert len({id(answer.result(60)) for answer in answers}) == 1
    assert len(readings) == 1
