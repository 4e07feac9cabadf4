"""The scheduler: what is due comes to the workers, and nothing ends its rounds."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from pysendmail.daemon import scheduler as module
from pysendmail.daemon.scheduler import GIVE_WAY_S, LOOK_S, REST_S
from pysendmail.relay.policy import POLICY
from pysendmail.spool.errors import SpoolFull
from pysendmail.spool.memory import MemorySpool
from tests.helpers.waiting import wait_until
from tests.unit.daemon.house import PATIENCE_S, FakeDrops, FakeRelay, House
from tests.unit.relay.peers import LOST, Peer
from tests.unit.spool.samples import (
    ALICE,
    FIRST,
    SECOND,
    delivered,
    enter,
)

FUTURE = 4e9


def test_due_entries_are_delivered_and_others_wait() -> None:
    house = House()
    enter(house.spool, FIRST)
    enter(house.spool, SECOND, next_attempt=house.state.started + 3600)
    house.run(lambda: house.spool.count() == 1)
    assert len(house.relay.delivered) == 1
    assert house.spool.find(SECOND) is not None


def test_entry_that_comes_later_is_delivered() -> None:
    house = House()
    thread = threading.Thread(target=house.scheduler.run, daemon=True)
    thread.start()
    enter(house.spool, FIRST)
    wait_until(lambda: house.spool.count() == 0)
    house.scheduler.stop()
    thread.join(PATIENCE_S)


@pytest.mark.parametrize(("patience", "waits"), [(PATIENCE_S, 4), (0.0, 0)])
def test_new_messages_wait_for_those_that_come_with_them(
    monkeypatch: pytest.MonkeyPatch, patience: float, waits: int
) -> None:
    house, coming, waited = House(), ["B", "C", "D"], []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if coming:
            house.state.arrivals.put(1000, coming.pop())

    monkeypatch.setattr(module, "GATHERING_S", patience)
    monkeypatch.setattr(house.scheduler._stopping, "wait", wait)
    house.scheduler.gather()
    assert not waited
    house.state.arrivals.put(1000, "A")
    house.scheduler.gather()
    assert len(waited) == waits


def test_clock_that_is_set_back_by_days_keeps_no_entry_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, ahead = time.time, [3 * 86400.0]
    monkeypatch.setattr("time.time", lambda: real() + ahead[0])
    house = House()
    enter(house.spool, FIRST, next_attempt=time.time() + 3600)
    house.scheduler.keep_house()
    ahead[0] = 0.0
    house.run(lambda: house.spool.count() == 0)
    assert "clock was set" in house.names()


@pytest.mark.parametrize("jump", [30 * 86400.0, -30 * 86400.0])
def test_age_is_right_at_once_when_the_clock_was_set(
    monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    real, ahead = time.time, [0.0]
    monkeypatch.setattr("time.time", lambda: real() + ahead[0])
    state, before = House().state, time.time()
    ahead[0] = jump
    assert 0 <= state.age(before) < PATIENCE_S
    assert 0 <= state.age(time.time()) < PATIENCE_S


def test_trouble_that_lasts_is_told_once_and_that_it_is_over_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.01)

    def sweep() -> None:
        if house.drops.sweeps < 20:
            raise SpoolFull(f"no room for file {house.drops.sweeps}")

    house = House(drops=FakeDrops(sweep))
    house.run(lambda: house.drops.sweeps > 25)
    told = [name for name in house.names() if name.startswith("spool")]
    assert told == ["spool trouble", "spool is well again"]


def test_only_pending_recipients_are_tried() -> None:
    house = House()
    enter(house.spool, FIRST)
    house.spool.claim(FIRST).settle([delivered(ALICE)], 1000.0, now=1000.0)
    house.run(lambda: house.spool.count() == 0)
    assert house.relay.delivered == [["bob@example.com"]]


def test_pause_ends_with_the_next_entry() -> None:
    house = House()
    assert house.scheduler.pause() == LOOK_S
    enter(house.spool, SECOND, next_attempt=FUTURE)
    assert house.scheduler.pause() == LOOK_S
    enter(house.spool, FIRST)
    assert 0 < house.scheduler.pause() < LOOK_S


class QuietDrops(FakeDrops):
    """A drop directory that is watched, and into which nothing comes."""

    def watch(self) -> bool:
        return True

    def changed(self) -> bool:
        return False


def test_pause_is_long_where_nothing_is_to_be_seen() -> None:
    house = House(drops=QuietDrops())
    assert house.scheduler.pause() == REST_S
    enter(house.spool, SECOND, next_attempt=FUTURE)
    assert house.scheduler.pause() == REST_S
    enter(house.spool, FIRST, next_attempt=time.time() + LOOK_S)
    assert 0 < house.scheduler.pause() <= LOOK_S


def test_directory_that_changes_all_the_time_is_not_watched() -> None:
    class Restless(FakeDrops):
        def watch(self) -> bool:
            raise AssertionError

    assert House(drops=Restless()).scheduler.pause() == LOOK_S


def test_pause_is_short_while_a_connection_is_warm_or_an_entry_could_not_go() -> None:
    house = House(drops=QuietDrops())
    session, _ = house.relay.pool.borrow(house.relay.smarthosts[0], None)
    house.relay.pool.give_back(house.relay.smarthosts[0], session, 1)
    assert house.scheduler.pause() == LOOK_S
    house.relay.pool.close()
    assert house.scheduler.pause() == REST_S
    house.relay.pool.report(house.relay.smarthosts[0], POLICY["connection"], b"refused")
    enter(house.spool, FIRST)
    assert house.scheduler.pause() == LOOK_S


def test_deferral_gives_the_entry_back() -> None:
    house = House(FakeRelay(make_peer=lambda: Peer({"MAIL": LOST})))
    enter(house.spool, FIRST, arrived=FUTURE)
    house.run(lambda: house.spool.find(FIRST).attempts == 1)
    wait_until(lambda: house.spool.claim(FIRST))


@pytest.mark.parametrize("trouble", [SpoolFull("no room"), ZeroDivisionError("bug")], ids=repr)
def test_drop_file_that_cannot_be_taken_does_not_stop_dispatch(trouble: Exception) -> None:
    def sweep() -> None:
        raise trouble

    house = House(drops=FakeDrops(sweep))
    enter(house.spool, FIRST)
    house.run(lambda: house.spool.count() == 0)


def test_trouble_while_waiting_is_no_reason_to_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unreadable(MemorySpool):
        def next_due(self) -> float | None:
            raise SpoolFull("no room")

    monkeypatch.setattr(module, "LOOK_S", PATIENCE_S)
    house = House(spool=Unreadable())
    house.run(lambda: "spool trouble" in house.names())
    assert house.drops.sweeps == 1


@pytest.mark.parametrize("trouble", [OSError("disk"), ZeroDivisionError("bug")], ids=repr)
def test_trouble_of_one_round_does_not_end_the_next(trouble: Exception) -> None:
    rounds: list[int] = []

    def sweep() -> None:
        rounds.append(1)
        if len(rounds) == 1:
            raise trouble

    house = House(drops=FakeDrops(sweep))
    enter(house.spool, FIRST)
    house.run(lambda: house.spool.count() == 0)
    assert house.names()[0] in ("spool trouble", "internal error")


def test_house_is_kept_beside_all_else() -> None:
    class Swept(MemorySpool):
        swept = threading.Event()

        def sweep(self, now: float, look: Any = None) -> list[Any]:
            self.swept.set()
            return []

    spool = Swept()
    house = House(spool=spool)
    house.scheduler.keep_house()
    assert spool.swept.wait(PATIENCE_S)
    spool.swept.clear()
    house.scheduler.keep_house()
    assert not spool.swept.is_set()


def test_sweep_for_which_there_was_no_thread_is_made_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Swept(MemorySpool):
        swept = threading.Event()

        def sweep(self, now: float, look: Any = None) -> list[Any]:
            self.swept.set()
            return []

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    house = House(spool=Swept())
    with monkeypatch.context() as patch:
        patch.setattr(threading, "Thread", refuse)
        house.scheduler.keep_house()
    house.scheduler.keep_house()
    assert house.spool.swept.wait(PATIENCE_S)


def pauses_of_sweep(
    house: House, monkeypatch: pytest.MonkeyPatch, *, at_once: int, readings: list[float]
) -> list[float]:
    """Sweep, while the thread's processor time reads so; return how long it paused each time."""
    pauses: list[float] = []
    monkeypatch.setattr(module, "SWEEP_AT_ONCE", at_once)
    monkeypatch.setattr(house.scheduler._stopping, "wait", pauses.append)
    monkeypatch.setattr("time.thread_time", iter(readings).__next__)
    house.scheduler._sweep()
    return pauses


def test_sweep_of_a_long_queue_takes_a_tenth_of_one_processor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = House()
    for number in range(5):
        enter(house.spool, f"{number:014X}")
    readings = [1.0, 1.5, 1.5, 1.75, 1.75]  # at the start, and before and after each pause
    assert pauses_of_sweep(house, monkeypatch, at_once=2, readings=readings) == [5.0, 2.5]


def test_sweep_does_not_rest_for_what_it_did_while_mail_was_delivered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = House()
    monkeypatch.setattr(house.runs, "busy", iter([True, False]).__next__)
    enter(house.spool, FIRST)
    enter(house.spool, SECOND)
    readings = [1.0, 9.0, 9.5, 9.5]  # at the start, after the first entry, around the pause
    assert pauses_of_sweep(house, monkeypatch, at_once=1, readings=readings) == [GIVE_WAY_S, 5.0]


@pytest.mark.trap(27)
def test_entry_whose_time_a_fast_clock_has_set_is_brought_back() -> None:
    house = House()
    enter(house.spool, FIRST, next_attempt=FUTURE)
    house.run(lambda: house.spool.count() == 0)
    assert "due at once" in house.names()


@pytest.mark.parametrize(("busy", "pauses"), [(True, 2), (False, 0)], ids=["busy", "idle"])
def test_sweep_gives_way_to_a_run_of_the_queue(
    busy: bool, pauses: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House()
    enter(house.spool, FIRST)
    enter(house.spool, SECOND)
    given: list[float] = []
    monkeypatch.setattr(house.runs, "busy", lambda: busy)
    monkeypatch.setattr(house.scheduler._stopping, "wait", given.append)
    house.scheduler._sweep()
    assert given == [GIVE_WAY_S] * pauses
