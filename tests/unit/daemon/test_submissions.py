"""One submission from the inside: verdict in time, too late, never; spool that cannot."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from pysendmail.daemon.state import State
from pysendmail.daemon.submissions import Submissions
from pysendmail.spool.errors import SpoolFull
from pysendmail.spool.memory import MemorySpool
from pysendmail.submission.exit_status import Refused
from tests.helpers.waiting import wait_until
from tests.unit.daemon.house import PATIENCE_S, FakeRelay, make_state
from tests.unit.relay.peers import LOST, Peer
from tests.unit.submission.samples import QUEUE_ID, raw, request

BOB = b"bob@example.net"


class FullSpool(MemorySpool):
    def enter(self, *facts: Any, **options: Any):
        raise SpoolFull("no room")


def submit(state: State, *operands: bytes, **options: Any):
    return Submissions(state).submit(request(*(operands or (BOB,)), **options), raw(), 0)


def names(state: State) -> list[str]:
    return state.journal.names()  # type: ignore[attr-defined,no-any-return]


def test_interactive_is_delivered_and_the_spool_is_not_touched() -> None:
    relay = FakeRelay()
    state = make_state(relay)
    answer = submit(state)
    assert (answer.status, answer.output, answer.errors) == (0, [], [])
    assert relay.delivered == [["bob@example.net"]]
    assert state.spool.count() == 0
    assert names(state) == ["submitted", "delivered"]


def test_refusal_is_the_callers() -> None:
    state = make_state(FakeRelay([Peer({"RCPT": "550 5.1.1 who"})]))
    answer = submit(state)
    assert answer.status == 67
    assert answer.errors == [b"bob@example.net: 550 5.1.1 who"]


def test_deferral_waits_in_the_spool() -> None:
    state = make_state(FakeRelay([Peer({"MAIL": LOST})]))
    assert submit(state).status == 0
    assert state.spool.find(QUEUE_ID).attempts == 1


@pytest.mark.parametrize(
    ("mode", "configured"), [(b"b", "interactive"), (b"q", "interactive"), (b"", "queue")]
)
def test_background_and_queue_are_durable_and_not_attempted(mode: bytes, configured: str) -> None:
    relay = FakeRelay()
    state = make_state(relay, delivery_mode=configured)
    assert submit(state, mode=mode).status == 0
    assert state.spool.count() == 1
    assert relay.used == []


def test_daemon_that_drains_spools_instead_of_delivering() -> None:
    relay = FakeRelay()
    state = make_state(relay)
    state.accepts_deliveries = False
    assert submit(state).status == 0
    assert state.spool.count() == 1
    assert relay.used == []


def test_mistake_of_the_caller_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        submit(make_state(), b"a@b@c")
    assert refused.value.status == 65


@pytest.mark.parametrize("mode", [b"i", b"b"])
def test_spool_that_cannot_take_it_is_told_as_temporary(mode: bytes) -> None:
    state = make_state(FakeRelay([Peer({"MAIL": LOST})]), spool=FullSpool())
    with pytest.raises(Refused) as refused:
        submit(state, mode=mode)
    assert refused.value.status == 75
    assert b"no room" in refused.value.line


def test_verdict_that_comes_too_late_settles_the_entry() -> None:
    began, go = threading.Event(), threading.Event()

    def slow_peer() -> Peer:
        began.set()
        assert go.wait(PATIENCE_S)
        return Peer()

    relay = FakeRelay(make_peer=slow_peer)
    state = make_state(relay, wait=0.02)
    assert submit(state).status == 0
    assert began.is_set()
    assert state.spool.find(QUEUE_ID) is not None
    assert state.spool.claim(QUEUE_ID) is None
    go.set()
    wait_until(lambda: state.spool.count() == 0, what="the entry's end")
    assert relay.delivered == [["bob@example.net"]]


def test_attempt_that_fails_in_itself_too_late_gives_the_entry_back() -> None:
    go = threading.Event()

    def broken_peer() -> Peer:
        assert go.wait(PATIENCE_S)
        raise ZeroDivisionError

    state = make_state(FakeRelay(make_peer=broken_peer), wait=0.02)
    assert submit(state).status == 0
    go.set()
    wait_until(lambda: "worker failed" in names(state))
    assert state.spool.claim(QUEUE_ID) is not None


def test_attempt_that_fails_in_itself_leaves_the_message_in_the_spool() -> None:
    state = make_state(FakeRelay([ZeroDivisionError()]))
    assert submit(state).status == 0
    assert state.spool.find(QUEUE_ID).attempts == 0
    wait_until(lambda: "worker failed" in names(state))


def test_submission_that_finds_all_workers_busy_waits_in_the_spool() -> None:
    go = threading.Event()
    relay = FakeRelay()
    state = make_state(relay, wait=0.02)
    busy = threading.Semaphore(0)

    def work() -> None:
        busy.release()
        assert go.wait(PATIENCE_S)

    for _ in range(4):
        state.workers.put(work)
    assert all(busy.acquire(timeout=PATIENCE_S) for _ in range(4))
    assert submit(state).status == 0
    assert state.spool.find(QUEUE_ID) is not None
    go.set()
    assert state.workers.close(PATIENCE_S)
    assert relay.used == []


# --- from the drop directory


def test_dropped_is_durable_and_not_attempted_here() -> None:
    state = make_state()
    Submissions(state).take_dropped(request(BOB), raw(), 0)
    assert state.spool.count() == 1


def test_dropped_twice_is_entered_once() -> None:
    state = make_state()
    for _ in range(2):
        Submissions(state).take_dropped(request(BOB), raw(), 0)
    assert state.spool.count() == 1


def test_dropped_that_is_refused_is_gone_for_good_and_logged() -> None:
    state = make_state()
    Submissions(state).take_dropped(request(b"a@b@c"), raw(), 0)
    assert state.spool.count() == 0
    assert names(state) == ["refused"]


def test_dropped_that_the_spool_cannot_take_stays() -> None:
    with pytest.raises(SpoolFull):
        Submissions(make_state(spool=FullSpool())).take_dropped(request(BOB), raw(), 0)
