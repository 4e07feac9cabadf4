"""Runs of the queue: who stands in line is delivered, and nobody's trouble is another's."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from pysendmail.daemon import queue_runs
from pysendmail.daemon.queue_runs import (
    AHEAD,
    AHEAD_KEPT_S,
    AHEAD_S,
    ENTRIES_PER_RUN,
    LINE,
    PACE_S,
    Ahead,
)
from pysendmail.daemon.removals import REMOVALS_PER_SYNC
from pysendmail.daemon.scheduler import LOOK_S
from pysendmail.daemon.workers import Workers
from pysendmail.message.envelope import Envelope, Recipient
from pysendmail.message.message import Message
from pysendmail.relay.policy import POLICY
from pysendmail.smtp import ConnectError
from pysendmail.spool.directory import DirectorySpool
from pysendmail.spool.errors import AlreadyEntered, SpoolFull
from pysendmail.spool.memory import MemoryClaim, MemorySpool
from tests.helpers.waiting import wait_until
from tests.unit.daemon.house import PATIENCE_S, FakeRelay, House
from tests.unit.relay.peers import LOST, Peer
from tests.unit.spool.samples import ALICE, BOB, FIRST, SECOND, enter, message, octets

FUTURE = 4e9  # an entry that arrived then is never too old


def fill_queue(house: House, count: int) -> list[str]:
    """Enter so many, each for one recipient who has the queue id as name; return the ids."""
    ids = [f"{number:014X}" for number in range(count)]
    for queue_id in ids:
        enter(house.spool, queue_id, queue_id.encode() + b"@y", arrived=FUTURE)
    return ids


def delivered_ids(house: House) -> list[str]:
    return [recipient.removesuffix("@y") for [recipient] in house.relay.delivered]


def test_entry_for_which_there_was_no_thread_is_attempted_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    house = House()
    enter(house.spool, FIRST)
    with monkeypatch.context() as patch:
        patch.setattr(threading, "Thread", refuse)
        house.runs.fill()
    assert not house.relay.used
    house.run(lambda: house.spool.count() == 0)


def test_entry_in_hand_is_known_as_such() -> None:
    began, go = threading.Event(), threading.Event()

    def slow() -> Peer:
        began.set()
        assert go.wait(PATIENCE_S)
        return Peer()

    house = House(FakeRelay(make_peer=slow))
    enter(house.spool, FIRST)
    house.runs.fill()
    assert began.wait(PATIENCE_S)
    assert house.scheduler.attempting(FIRST)
    assert house.scheduler.busy()
    house.runs.fill()
    go.set()
    wait_until(lambda: not house.scheduler.busy())
    assert not house.scheduler.attempting(FIRST)
    assert len(house.relay.used) == 1


def test_entry_that_another_run_settles_right_afterwards_is_no_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = House(FakeRelay(make_peer=lambda: Peer({"MAIL": "451 later"})))
    enter(house.spool, FIRST, arrived=FUTURE)
    settle, runs = queue_runs.settle, [house.runs]

    def settle_and_go_on(*arguments: Any, **facts: Any) -> bool:
        over = settle(*arguments, **facts)
        if runs:
            runs.pop().deliver([FIRST])
        return over

    monkeypatch.setattr(queue_runs, "settle", settle_and_go_on)
    house.runs.deliver([FIRST])
    assert house.spool.find(FIRST).attempts == 2
    assert "worker failed" not in house.names()


def test_nothing_is_claimed_while_every_smarthost_is_away() -> None:
    house = House()
    house.relay.pool.report(house.relay.smarthosts[0], POLICY["connection"], b"refused")
    enter(house.spool, FIRST)
    house.runs.fill()
    assert not house.scheduler.busy()
    assert house.spool.claim(FIRST) is not None
    assert 0 < house.scheduler.pause() <= LOOK_S


def test_attempt_that_fails_in_itself_gives_the_entry_back() -> None:
    house = House(FakeRelay([ZeroDivisionError()]))
    enter(house.spool, FIRST)
    house.runs.fill()
    wait_until(lambda: "worker failed" in house.names())
    wait_until(lambda: not house.scheduler.busy())
    assert house.spool.claim(FIRST) is not None


def test_entry_that_is_gone_or_taken_is_no_trouble() -> None:
    house = House()
    enter(house.spool, FIRST)
    house.spool.claim(FIRST)
    house.runs.deliver([FIRST])
    house.runs.deliver([SECOND])
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
    house.runs.fill()
    wait_until(lambda: "worker failed" in house.names() and not house.scheduler.busy())


def test_entry_that_could_not_be_settled_is_not_attempted_again_at_once() -> None:
    house = House(spool=NothingCrossedOff())
    enter(house.spool, FIRST)
    fail_to_settle(house)
    house.runs.fill()
    assert not house.scheduler.busy()
    assert len(house.relay.delivered) == 1
    claim = house.spool.claim(FIRST)
    assert claim.entry.attempts == 0


def test_resting_entry_is_not_in_the_way_of_others() -> None:
    house = House(spool=NothingCrossedOff())
    enter(house.spool, FIRST)
    fail_to_settle(house)
    enter(house.spool, SECOND, next_attempt=2000.0)
    house.runs.fill()
    wait_until(lambda: len(house.relay.delivered) == 2)


def test_entry_that_has_rested_is_settled_and_nobody_gets_it_twice() -> None:
    spool = NothingCrossedOff()
    house = House(spool=spool, retry_first=0.0)
    enter(house.spool, FIRST)
    fail_to_settle(house)
    spool.full = False
    house.runs.fill()
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
    house.runs.deliver([FIRST])
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
    house.runs.deliver([FIRST])
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
    house.runs.deliver([FIRST])
    assert house.spool.count() == 0
    assert "spool trouble" in house.names()


# --- the line, and how many runs it is worth


class Gate:
    """Makes peers, each only when so many have been asked for, or the gate is opened."""

    def __init__(self, most: int) -> None:
        self._enough = threading.Barrier(most)
        self.asked = 0

    def __call__(self) -> Peer:
        self.asked += 1
        self._enough.wait(PATIENCE_S)
        return Peer()


def test_long_line_that_stands_still_is_worth_more_sessions() -> None:
    house = House(FakeRelay(make_peer=Gate(3)))
    ids = fill_queue(house, 2 * ENTRIES_PER_RUN + 1)
    house.run(lambda: house.spool.count() == 0)
    assert sorted(delivered_ids(house)) == ids
    assert len(house.relay.used) == 3


def test_pace_of_a_line_that_moves_on_is_not_looked_at_too_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first peer answers at once; whoever asked for a second would wait for it in vain."""
    monkeypatch.setattr(queue_runs, "PACE_S", PATIENCE_S)
    house = House(FakeRelay([Peer()], make_peer=Gate(2)), spool=MemorySpool())
    ids = fill_queue(house, 4 * ENTRIES_PER_RUN)  # all that one session carries
    house.run(lambda: house.spool.count() == 0)
    assert delivered_ids(house) == ids
    assert len(house.relay.used) == 1


@pytest.mark.parametrize(
    ("running", "done", "wanted"),
    [(1, 10 * LINE, 0), (1, 10, 1), (2, 10, 2)],
    ids=["one that is fast", "one that is slow", "two that are slow"],
)
def test_long_line_is_worth_more_sessions_where_they_are_slow(
    running: int, done: int, wanted: int
) -> None:
    runs = House().runs
    runs._line.extend(f"{number:014X}" for number in range(LINE))
    runs._runs, runs._done, runs._paced = running, done, 1000.0
    assert runs._wanted(1000.0 + PACE_S) == wanted


def noted(numbers: Iterable[int], taken: list[int]) -> Iterator[int]:
    for number in numbers:
        taken.append(number)
        yield number


def no_give_back(delivery: object) -> None:
    raise AssertionError(f"{delivery} was given back")


def test_next_delivery_is_at_hand_and_no_more_than_that() -> None:
    taken: list[int] = []
    ahead = Ahead(noted(range(3), taken), no_give_back)  # type: ignore[arg-type]
    ahead.prepare()
    ahead.prepare()
    assert taken == [0]
    assert list(ahead) == [0, 1, 2]
    ahead.prepare()
    assert list(ahead) == []


def test_more_deliveries_are_at_hand_where_they_go_out_quickly() -> None:
    now = 1000.0
    taken: list[int] = []
    counts: list[int] = []
    ahead = Ahead(noted(range(1000), taken), no_give_back, clock=lambda: now)  # type: ignore[arg-type]
    for seconds in [0.5 * AHEAD_S] * 6 + [2.0 * AHEAD_S] * 6:
        now += seconds
        ahead.prepare()
        counts.append(len(taken) - sum(counts))
        assert [next(ahead) for _ in range(counts[-1])] == taken[-counts[-1] :]
    assert counts == [1, 2, 4, 8, AHEAD, AHEAD, 8, 4, 2, 1, 1, 1]


def test_deliveries_at_hand_are_given_back_where_the_smarthost_turns_slow() -> None:
    now = 1000.0
    given_back: list[int] = []
    ahead = Ahead(iter(range(1000)), given_back.append, clock=lambda: now)  # type: ignore[arg-type]
    assert [next(ahead) for _ in range(16)] == list(range(16))  # claimed as 1, 2, 4, 8 and 16
    now += 0.9 * AHEAD_KEPT_S
    assert next(ahead) == 16
    assert given_back == []
    now += 0.2 * AHEAD_KEPT_S
    assert next(ahead) == 31
    assert given_back == list(range(30, 16, -1))
    assert next(ahead) == 32


def test_entries_that_are_given_back_stand_first_in_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_runs, "AHEAD_S", PATIENCE_S)  # always quick enough for 16
    monkeypatch.setattr(queue_runs, "AHEAD_KEPT_S", 0.0)  # and always too slow for more than one
    house = House()
    ids = fill_queue(house, 40)
    claims = CountedClaims(house)
    house.run(lambda: house.spool.count() == 0)
    assert claims.count > 40
    assert delivered_ids(house) == ids


def test_nobody_stands_in_line_when_no_run_is_there_to_serve_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queue_runs, "AHEAD_S", PATIENCE_S)
    monkeypatch.setattr(queue_runs, "AHEAD_KEPT_S", 0.0)
    house = House()
    ids = fill_queue(house, 40)
    house.runs.deliver(ids)  # as the sweep does
    assert 0 < len(delivered_ids(house)) < 40
    assert not house.scheduler.busy()
    house.run(lambda: house.spool.count() == 0)
    assert sorted(delivered_ids(house)) == ids


def test_entries_that_were_claimed_ahead_in_vain_wait_as_before() -> None:
    house = House(FakeRelay([Peer(), ConnectError("alpha", ())]))  # 100 messages, then nobody
    ids = fill_queue(house, 140)
    claims = CountedClaims(house)
    house.runs.fill()
    wait_until(lambda: not house.scheduler.busy())
    assert delivered_ids(house) == ids[:100]
    assert claims.count > 102
    assert house.spool.find(ids[100]).attempts == 1
    for queue_id in ids[101:]:
        claim = house.spool.claim(queue_id)
        assert (claim.entry.attempts, claim.entry.last_attempt) == (0, None)


def test_nothing_is_claimed_ahead_where_there_is_a_rate() -> None:
    relay = FakeRelay(messages_per_minute=600, clock=lambda: 1000.0)
    house = House(relay, messages_per_minute=600)
    ids = fill_queue(house, 40)
    claims = CountedClaims(house)
    house.runs.fill()
    wait_until(lambda: not house.scheduler.busy())
    assert delivered_ids(house) == ids[:10]
    assert claims.count == 10


class CountedClaims:
    """Counts the claims of a house's spool from now on."""

    def __init__(self, house: House) -> None:
        self.count = 0
        self._claim = house.spool.claim
        house.spool.claim = self

    def __call__(self, queue_id: str) -> MemoryClaim | None:
        self.count += 1
        return self._claim(queue_id)


def test_short_line_goes_over_one_session() -> None:
    house = House()
    ids = fill_queue(house, ENTRIES_PER_RUN)
    house.runs.fill()
    wait_until(lambda: not house.scheduler.busy())
    assert delivered_ids(house) == ids
    assert len(house.relay.used) == 1


def test_queue_longer_than_the_line_is_worked_off() -> None:
    house = House()
    ids = fill_queue(house, 2 * LINE + 50)
    house.run(lambda: house.spool.count() == 0)
    assert sorted(delivered_ids(house)) == ids


def test_line_shows_nobody_twice_however_often_it_is_filled() -> None:
    began, go = threading.Event(), threading.Event()

    def slow() -> Peer:
        began.set()
        assert go.wait(PATIENCE_S)
        return Peer()

    house = House(FakeRelay(make_peer=slow))
    ids = fill_queue(house, 10)
    house.runs.fill()
    assert began.wait(PATIENCE_S)
    house.runs.fill()
    go.set()
    wait_until(lambda: not house.scheduler.busy())
    house.runs.fill()
    wait_until(lambda: not house.scheduler.busy())
    assert delivered_ids(house) == ids


def test_new_entry_is_not_behind_a_backlog_and_each_submitter_has_his_turn() -> None:
    house = House()
    house.state.workers = Workers(1, lambda error: None)
    ids = fill_queue(house, 2 * LINE)
    for queue_id, submitter in ((ids[-1], 1000), (ids[-2], 1000), (ids[-3], 1001)):
        house.state.arrivals.put(submitter, queue_id)
    house.run(lambda: house.spool.count() == 0)
    order = delivered_ids(house)
    assert sorted(order) == ids
    assert [queue_id for queue_id in order if queue_id in ids[-3:]] == [ids[-1], ids[-3], ids[-2]]
    assert set(ids[-3:]) < set(order[:6])


def test_entry_that_is_in_line_and_has_just_arrived_is_attempted_once() -> None:
    house = House()
    ids = fill_queue(house, 4)
    for queue_id in ids:
        house.state.arrivals.put(1000, queue_id)
    house.runs.fill()
    wait_until(lambda: not house.scheduler.busy())
    assert sorted(delivered_ids(house)) == ids
    assert len(house.state.arrivals) == 0


# --- how a run ends before its time


def test_run_ends_when_a_caller_waits_for_its_worker() -> None:
    house = House()
    house.state.workers = Workers(1, lambda error: None)
    waiting_then: list[int] = []

    class Pressing(Peer):
        """Has a caller come while the first message is on its way."""

        def write(self, octets: memoryview) -> int:
            if not self.messages and not waiting_then:
                house.state.workers.put(lambda: waiting_then.append(house.spool.count()), caller=0)
            return super().write(octets)

    house.relay.make_peer = Pressing
    ids = fill_queue(house, 100)
    house.runs.fill()
    wait_until(lambda: waiting_then and not house.scheduler.busy())
    assert waiting_then[0] > 90
    house.run(lambda: house.spool.count() == 0)
    assert sorted(delivered_ids(house)) == ids


def test_reload_in_the_middle_brings_the_rest_to_the_new_smarthost() -> None:
    house, second = House(), FakeRelay()

    class Reloading(Peer):
        def write(self, octets: memoryview) -> int:
            if len(self.messages) == 3:
                house.state.reload(second)  # type: ignore[arg-type]
            return super().write(octets)

    second.config = house.relay.config
    house.relay.make_peer = Reloading
    ids = fill_queue(house, 20)
    house.run(lambda: house.spool.count() == 0)
    first_ids, second_ids = delivered_ids(house), [to[0][:14] for to in second.delivered]
    assert 3 <= len(first_ids) < 10
    assert sorted(first_ids + second_ids) == ids


def test_run_ends_when_the_smarthost_goes_away() -> None:
    class Leaving(Peer):
        def _answer(self, verb: str, address: str = "") -> str:
            if len(self.messages) == 5:
                self._answers[verb] = "421 closing down"
            return super()._answer(verb, address)

    gone = ConnectError("alpha", (("192.0.2.1:25", "refused"),))
    house = House(FakeRelay([Leaving(), gone]))
    ids = fill_queue(house, 20)
    house.runs.fill()
    wait_until(lambda: not house.scheduler.busy())
    assert delivered_ids(house) == ids[:5]
    attempted = [house.spool.find(queue_id).attempts for queue_id in ids[5:]]
    assert attempted == [1] + [0] * 14
    assert set(house.spool.due(1e12, 100)) == set(ids[5:])


# --- one entry's trouble


class Hurt(MemorySpool):
    """A spool in which one entry cannot be claimed, or read, or converted."""

    def __init__(self, victim: str, how: str) -> None:
        super().__init__()
        self._victim, self._how = victim, how

    def claim(self, queue_id: str) -> MemoryClaim | None:
        if queue_id == self._victim and self._how == "claim":
            raise SpoolFull("no file descriptors")
        claim = super().claim(queue_id)
        if claim is not None and queue_id == self._victim:
            return HurtClaim(claim)  # type: ignore[return-value]
        return claim


class HurtClaim:
    """A claim whose message is not to be read to its end."""

    def __init__(self, claim: MemoryClaim) -> None:
        self.entry = claim.entry
        self.release = claim.release

    def message(self) -> Message:
        return Unreadable()  # type: ignore[return-value]


class Unreadable:
    size = 10

    def chunks(self) -> Any:
        raise OSError("input/output error")

    @property
    def fields(self) -> Any:
        raise OSError("input/output error")


@pytest.mark.parametrize("how", ["claim", "read"])
def test_entry_that_cannot_be_delivered_harms_no_other(how: str) -> None:
    house = House(spool=Hurt(f"{2:014X}", how))
    ids = fill_queue(house, 6)
    house.runs.fill()
    wait_until(lambda: not house.scheduler.busy())
    assert delivered_ids(house) == ids[:2] + ids[3:]
    assert house.names().count("worker failed") == 1
    assert [entry.queue_id for entry in house.spool.entries()] == [ids[2]]
    house.runs.fill()
    assert not house.scheduler.busy()  # it rests


@pytest.mark.parametrize("arrived", [FUTURE, 0.0], ids=["new", "beyond its life"])
def test_message_whose_header_is_damaged_is_delivered_once_and_bounced_once(arrived: float) -> None:
    damaged = b"From: a@x\r\nSubject no colon\r\n\r\nbody\r\n"
    house = House(FakeRelay([Peer({BOB.decode(): "550 unknown"})]))
    enter(house.spool, FIRST, text=damaged, arrived=arrived)
    house.runs.deliver([FIRST])
    assert "worker failed" not in house.names()
    assert house.spool.find(FIRST) is None
    assert house.relay.used[0].messages == [([ALICE.decode()], damaged.removesuffix(b"\r\n"))]
    [bounce] = house.spool.entries()
    assert BOB in octets(house.spool.open_message(bounce.queue_id))


def test_entry_that_cannot_be_converted_harms_no_other() -> None:
    house = House(FakeRelay([Peer(offers=("mx", "PIPELINING"))]), spool=Hurt(SECOND, "read"))
    eight_bit = Envelope(b"a@x", (Recipient(BOB),), eight_bit=True)
    enter(house.spool, FIRST, ALICE, arrived=FUTURE)
    enter(house.spool, SECOND, sent=eight_bit, arrived=FUTURE)
    house.runs.deliver([SECOND, FIRST])
    assert house.relay.delivered == [[ALICE.decode()]]
    assert house.names().count("worker failed") == 1
    assert [entry.queue_id for entry in house.spool.entries()] == [SECOND]
    assert house.spool.claim(SECOND) is not None


# --- a connection that breaks in the middle


class Breaking(Peer):
    """Takes so many messages, reads one more, and breaks the connection instead of an answer."""

    def __init__(self, takes: int) -> None:
        super().__init__()
        self._takes = takes

    def _answer(self, verb: str, address: str = "") -> str:
        if verb == "." and len(self.messages) == self._takes:
            self._answers["."] = LOST
        return super()._answer(verb, address)


def test_loss_after_the_dot_defers_that_message_as_perhaps_delivered() -> None:
    house = House(FakeRelay([Breaking(3)]))
    ids = fill_queue(house, 8)
    house.runs.fill()
    wait_until(lambda: not house.scheduler.busy())
    [left] = house.spool.entries()
    [reason] = left.reasons.values()
    assert (left.queue_id, left.attempts, reason.maybe_duplicate) == (ids[3], 1, True)
    assert delivered_ids(house) == ids[:3] + ids[4:]


def test_loss_after_the_dot_with_no_way_on_leaves_the_others_waiting() -> None:
    gone = ConnectError("alpha", (("192.0.2.1:25", "refused"),))
    house = House(FakeRelay([Breaking(3), gone]))
    ids = fill_queue(house, 8)
    house.runs.fill()
    wait_until(lambda: not house.scheduler.busy())
    assert delivered_ids(house) == ids[:3]
    waiting = [house.spool.find(queue_id) for queue_id in ids[3:]]
    assert [entry.attempts for entry in waiting] == [1, 1, 0, 0, 0]
    doubtful = [
        entry.queue_id
        for entry in waiting
        if any(reason.maybe_duplicate for reason in entry.reasons.values())
    ]
    assert doubtful == [ids[3]]


# --- removals


class CountedSyncs(MemorySpool):
    """Counts its syncs, and says at each how many entries were left."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.syncs: list[int] = []
        self._error = error

    def sync(self) -> None:
        self.syncs.append(self.count())
        if self._error is not None:
            raise self._error


def test_removals_share_a_sync_and_none_is_left_without() -> None:
    spool = CountedSyncs()
    house = House(spool=spool)
    count = 2 * REMOVALS_PER_SYNC + 10
    house.runs.deliver(fill_queue(house, count))
    assert spool.count() == 0
    wait_until(lambda: spool.syncs[-1:] == [0])
    assert len(spool.syncs) < count / 5


def test_sync_that_fails_is_told_and_stops_nothing() -> None:
    house = House(spool=CountedSyncs(SpoolFull("no room")))
    ids = fill_queue(house, 2 * REMOVALS_PER_SYNC)
    house.runs.deliver(ids)
    assert delivered_ids(house) == ids
    wait_until(lambda: "spool trouble" in house.names())


def test_nothing_is_synced_where_nothing_was_removed() -> None:
    spool = CountedSyncs()
    house = House(FakeRelay([ConnectError("alpha", (("192.0.2.1:25", "refused"),))]), spool=spool)
    house.runs.deliver(fill_queue(house, 3))
    assert spool.count() == 3
    assert spool.syncs == []
