"""The scheduler: what is due comes to the workers, and nothing ends its rounds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from pysendmail.daemon import scheduler as module
from pysendmail.daemon.scheduler import LOOK_S, Scheduler
from pysendmail.message.envelope import Envelope, Recipient
from pysendmail.relay.policy import POLICY
from pysendmail.spool.directory import DirectorySpool
from pysendmail.spool.errors import AlreadyEntered, SpoolFull
from pysendmail.spool.memory import MemorySpool
from tests.helpers.waiting import wait_until
from tests.unit.daemon.house import PATIENCE_S, FakeRelay, make_state
from tests.unit.relay.peers import LOST, Peer
from tests.unit.spool.samples import (
    ALICE,
    BOB,
    FIRST,
    SECOND,
    delivered,
    enter,
    message,
    octets,
)


class FakeDrops:
    """A drop directory that always has changed; `sweep` does what it is told."""

    def __init__(self, sweep: Callable[[], None] = lambda: None) -> None:
        self._sweep = sweep
        self.sweeps = 0

    def changed(self) -> bool:
        return True

    def sweep(self, now: float) -> None:
        self.sweeps += 1
        self._sweep()


class House:
    def __init__(self, relay: FakeRelay | None = None, **facts: Any) -> None:
        self.relay = relay or FakeRelay()
        self.drops = facts.pop("drops", None) or FakeDrops()
        self.state = make_state(self.relay, **facts)
        self.scheduler = Scheduler(self.state, self.drops)

    @property
    def spool(self) -> Any:
        return self.state.spool

    def names(self) -> list[str]:
        return self.state.journal.names()  # type: ignore[attr-defined,no-any-return]

    def run(self, until: Callable[[], object]) -> None:
        """Run until something holds, then stop."""
        thread = threading.Thread(target=self.scheduler.run, daemon=True)
        thread.start()
        try:
            wait_until(until)
        finally:
            self.scheduler.stop()
            thread.join(PATIENCE_S)
        assert not thread.is_alive()


FUTURE = 4e9


def test_due_entries_are_delivered_and_others_wait() -> None:
    house = House()
    enter(house.spool, FIRST)
    enter(house.spool, SECOND, next_attempt=FUTURE)
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


def test_only_pending_recipients_are_tried() -> None:
    house = House()
    enter(house.spool, FIRST)
    house.spool.claim(FIRST).settle([delivered(ALICE)], 1000.0, now=1000.0)
    house.run(lambda: house.spool.count() == 0)
    assert house.relay.delivered == [["bob@example.com"]]


def test_entry_in_hand_is_known_as_such() -> None:
    began, go = threading.Event(), threading.Event()

    def slow() -> Peer:
        began.set()
        assert go.wait(PATIENCE_S)
        return Peer()

    house = House(FakeRelay(make_peer=slow))
    enter(house.spool, FIRST)
    house.scheduler.dispatch()
    assert began.wait(PATIENCE_S)
    assert house.scheduler.attempting(FIRST)
    assert house.scheduler.busy()
    house.scheduler.dispatch()
    go.set()
    wait_until(lambda: not house.scheduler.busy())
    assert not house.scheduler.attempting(FIRST)
    assert len(house.relay.used) == 1


def test_nothing_is_claimed_while_every_smarthost_is_away() -> None:
    house = House()
    house.relay.pool.report(house.relay.smarthosts[0], POLICY["connection"], b"refused")
    enter(house.spool, FIRST)
    house.scheduler.dispatch()
    assert not house.scheduler.busy()
    assert house.spool.claim(FIRST) is not None
    assert 0 < house.scheduler.pause() <= LOOK_S


def test_pause_ends_with_the_next_entry() -> None:
    house = House()
    assert house.scheduler.pause() == LOOK_S
    enter(house.spool, SECOND, next_attempt=FUTURE)
    assert house.scheduler.pause() == LOOK_S
    enter(house.spool, FIRST)
    assert 0 < house.scheduler.pause() < LOOK_S


def test_deferral_gives_the_entry_back() -> None:
    house = House(FakeRelay(make_peer=lambda: Peer({"MAIL": LOST})))
    enter(house.spool, FIRST, arrived=FUTURE)
    house.run(lambda: house.spool.find(FIRST).attempts == 1)
    wait_until(lambda: house.spool.claim(FIRST))


def test_attempt_that_fails_in_itself_gives_the_entry_back() -> None:
    house = House(FakeRelay([ZeroDivisionError()]))
    enter(house.spool, FIRST)
    house.scheduler.dispatch()
    wait_until(lambda: "worker failed" in house.names())
    wait_until(lambda: not house.scheduler.busy())
    assert house.spool.claim(FIRST) is not None


def test_entry_that_is_gone_or_taken_is_no_trouble() -> None:
    house = House()
    enter(house.spool, FIRST)
    house.spool.claim(FIRST)
    house.scheduler.deliver(FIRST)
    house.scheduler.deliver(SECOND)
    assert house.relay.used == []


class NothingCrossedOff(MemorySpool):
    """Has no room for the record of an attempt, while it is `full`."""

    full = True

    def settle(self, *facts: Any) -> None:
        if self.full:
            raise SpoolFull("no room")
        super().settle(*facts)


def fail_to_settle(house: House) -> None:
    """Have one delivery made whose settle raises."""
    house.scheduler.dispatch()
    wait_until(lambda: "worker failed" in house.names() and not house.scheduler.busy())


def test_entry_that_could_not_be_settled_is_not_attempted_again_at_once() -> None:
    house = House(spool=NothingCrossedOff())
    enter(house.spool, FIRST)
    fail_to_settle(house)
    house.scheduler.dispatch()
    assert not house.scheduler.busy()
    assert len(house.relay.delivered) == 1
    claim = house.spool.claim(FIRST)
    assert claim.entry.attempts == 0


def test_resting_entry_is_not_in_the_way_of_others() -> None:
    house = House(spool=NothingCrossedOff())
    enter(house.spool, FIRST)
    fail_to_settle(house)
    enter(house.spool, SECOND, next_attempt=2000.0)
    house.scheduler.dispatch()
    wait_until(lambda: len(house.relay.delivered) == 2)


def test_entry_that_has_rested_is_settled_and_nobody_gets_it_twice() -> None:
    spool = NothingCrossedOff()
    house = House(spool=spool, retry_first=0.0)
    enter(house.spool, FIRST)
    fail_to_settle(house)
    spool.full = False
    house.scheduler.dispatch()
    wait_until(lambda: house.spool.count() == 0)
    assert len(house.relay.delivered) == 1


def test_failing_recipient_bounces_with_the_full_message(tmp_path: Path) -> None:
    DirectorySpool.create(tmp_path)
    spool = DirectorySpool(tmp_path)
    text = b"Subject: report\r\n\r\n" + 30_000 * b"all is well\r\n"
    full = Envelope(b"root@example.org", (Recipient(ALICE), Recipient(BOB)), ret=b"FULL")
    answers = {ALICE.decode(): "550 5.1.1 who"}
    relay = FakeRelay([Peer(answers, offers=("mx", "DSN"))])  # no SIZE: it takes any
    house = House(relay, spool=spool)
    now = house.state.started
    spool.enter(FIRST, full, message(text), arrived=now, uid=0, next_attempt=now)
    house.scheduler.deliver(FIRST)
    [bounce] = spool.entries()
    assert bounce.envelope.sender == b""
    report = spool.open_message(bounce.queue_id)
    assert text in octets(report)
    report.close()
    assert relay.delivered == [["bob@example.com"]]
    spool.close()


@pytest.mark.parametrize(
    ("age", "remembered"), [(1.0, True), (100_000.0, False)], ids=["young", "old"]
)
def test_entry_whose_answer_may_be_lost_keeps_its_id_taken(age: float, remembered: bool) -> None:
    house = House()
    enter(house.spool, FIRST, arrived=house.state.started - age)
    house.scheduler.deliver(FIRST)
    assert house.spool.count() == 0
    taken = pytest.raises(AlreadyEntered) if remembered else nullcontext()
    with taken:
        enter(house.spool, FIRST)


def test_id_that_cannot_be_remembered_does_not_stop_the_settle() -> None:
    class Forgetful(MemorySpool):
        def remember(self, queue_id: str, now: float) -> None:
            raise SpoolFull("no room")

    house = House(spool=Forgetful())
    enter(house.spool, FIRST, arrived=house.state.started)
    house.scheduler.deliver(FIRST)
    assert house.spool.count() == 0
    assert "spool trouble" in house.names()


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

        def sweep(self, now: float) -> list[Any]:
            self.swept.set()
            return []

    spool = Swept()
    house = House(spool=spool)
    house.scheduler.keep_house()
    assert spool.swept.wait(PATIENCE_S)
    spool.swept.clear()
    house.scheduler.keep_house()
    assert not spool.swept.is_set()
