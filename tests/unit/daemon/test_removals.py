"""Removals: many share a sync, nobody waits for it, and none is left without."""

from __future__ import annotations

import threading

import pytest

from pysendmail.daemon.removals import MOST_WAITING, REMOVALS_PER_SYNC, Removals
from pysendmail.spool.memory import MemorySpool
from tests.helpers.waiting import wait_until
from tests.unit.submission.samples import FakeJournal

PATIENCE_S = 20.0


class SlowSyncs(MemorySpool):
    """Notes who syncs; each waits for `go`."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.callers: list[threading.Thread] = []

    @property
    def syncs(self) -> int:
        return len(self.callers)

    def sync(self) -> None:
        self.callers.append(threading.current_thread())
        assert self.go.wait(PATIENCE_S)


def removals(spool: MemorySpool) -> Removals:
    return Removals(spool, FakeJournal())  # type: ignore[arg-type]


def test_who_removes_does_not_wait_for_the_sync() -> None:
    spool = SlowSyncs()
    noted = removals(spool)
    for _ in range(REMOVALS_PER_SYNC):
        noted.note()
    wait_until(lambda: spool.syncs == 1)
    noted.note()  # while that sync is under way
    spool.go.set()
    wait_until(lambda: spool.syncs == 2)


def test_few_removals_are_synced_without_anything_more() -> None:
    spool = SlowSyncs()
    spool.go.set()
    removals(spool).note()
    wait_until(lambda: spool.syncs == 1)


def test_who_removes_faster_than_the_disk_takes_its_pace() -> None:
    spool = SlowSyncs()
    noted, count = removals(spool), 2 * MOST_WAITING + REMOVALS_PER_SYNC
    ended = threading.Event()

    def remove() -> None:
        for _ in range(count):
            noted.note()
        ended.set()

    remover = threading.Thread(target=remove, daemon=True)
    remover.start()
    wait_until(lambda: remover in spool.callers)
    assert not ended.is_set()
    spool.go.set()
    assert ended.wait(PATIENCE_S)


def test_sync_of_what_waits_is_done_when_it_returns() -> None:
    spool = SlowSyncs()
    spool.go.set()
    noted = removals(spool)
    noted.note()
    noted.sync()
    assert spool.syncs == 1
    noted.sync()
    assert spool.syncs == 1


def test_without_a_thread_each_removal_is_synced_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    spool = SlowSyncs()
    spool.go.set()
    noted = removals(spool)
    noted.note()
    noted.note()
    assert spool.syncs == 2
