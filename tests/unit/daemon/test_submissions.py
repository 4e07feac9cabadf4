"""One submission from the inside: verdict in time, too late, never; spool that cannot."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pysendmail.config.defaults import MESSAGE_SIZE_HIGHEST
from pysendmail.daemon.state import State
from pysendmail.daemon.submissions import Submissions
from pysendmail.spool.errors import SpoolFull
from pysendmail.spool.memory import MemoryClaim, MemorySpool
from pysendmail.submission.exit_status import Refused
from pysendmail.submission.submitter import find_submitter
from tests.helpers.waiting import wait_until
from tests.unit.daemon.house import PATIENCE_S, FakeRelay, make_state
from tests.unit.relay.peers import LOST, Peer
from tests.unit.spool.samples import SECOND
from tests.unit.submission.samples import QUEUE_ID, TEXT, raw, request

BOB = b"bob@example.net"


class FullSpool(MemorySpool):
    def enter(self, *facts: Any, **options: Any):
        raise SpoolFull("no room")


def submit(state: State, *operands: bytes, **options: Any):
    asked = request(*(operands or (BOB,)), **options)
    submissions = Submissions(state)
    with submissions.hold(0) as hold:
        return submissions.submit(asked, raw(), find_submitter(0), hold)


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


def test_message_past_the_rate_waits_in_the_spool_untried_and_its_caller_does_not() -> None:
    relay = FakeRelay(messages_per_minute=1)
    state = make_state(relay)
    submit(state)
    assert submit(state, queue_id=SECOND).status == 0
    entry = state.spool.find(SECOND)
    assert (entry.attempts, entry.next_attempt <= time.time()) == (0, True)
    assert len(relay.delivered) == 1


def test_mistake_of_the_caller_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        submit(make_state(), b"a@b@c")
    assert refused.value.status == 65


@pytest.mark.parametrize("mode", [b"i", b"b"])
@pytest.mark.trap(28)
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
    state = make_state(relay, wait=0.5)
    assert submit(state).status == 0
    assert began.is_set()
    assert state.spool.find(QUEUE_ID) is not None
    assert state.spool.claim(QUEUE_ID) is None
    go.set()
    wait_until(lambda: state.spool.count() == 0, what="the entry's end")
    assert relay.delivered == [["bob@example.net"]]


def test_wait_for_the_verdict_ends_when_the_daemon_drains() -> None:
    go = threading.Event()

    def slow_peer() -> Peer:
        state.accepts_deliveries = False
        assert go.wait(PATIENCE_S)
        return Peer()

    relay = FakeRelay(make_peer=slow_peer)
    state = make_state(relay, wait=100 * PATIENCE_S)
    assert submit(state).status == 0
    assert state.spool.find(QUEUE_ID) is not None
    assert state.spool.claim(QUEUE_ID) is None
    assert relay.used == []
    go.set()
    wait_until(lambda: state.spool.count() == 0, what="the entry's end")
    assert relay.delivered == [["bob@example.net"]]


def test_attempt_that_fails_in_itself_too_late_gives_the_entry_back() -> None:
    go = threading.Event()

    def broken_peer() -> Peer:
        assert go.wait(PATIENCE_S)
        raise ZeroDivisionError

    state = make_state(FakeRelay(make_peer=broken_peer), wait=0.5)
    assert submit(state).status == 0
    go.set()
    wait_until(lambda: "worker failed" in names(state))
    assert state.spool.claim(QUEUE_ID) is not None


def test_verdict_that_cannot_be_recorded_too_late_gives_the_entry_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go = threading.Event()

    def slow_peer() -> Peer:
        assert go.wait(PATIENCE_S)
        return Peer({"RCPT": "450 4.2.1 busy"})

    def fail(*_: object, **__: object) -> None:
        raise SpoolFull("no room")

    monkeypatch.setattr(MemoryClaim, "settle", fail)
    state = make_state(FakeRelay(make_peer=slow_peer), wait=0.5)
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
    state = make_state(relay, wait=0.5)
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


@pytest.mark.parametrize(("mode", "arrivals"), [(b"b", 1), (b"q", 0)])
def test_what_is_to_be_attempted_at_once_is_known_to_have_just_arrived(
    mode: bytes, arrivals: int
) -> None:
    state = make_state()
    submit(state, mode=mode)
    assert len(state.arrivals) == arrivals


# --- from the drop directory


def test_dropped_is_durable_and_not_attempted_here() -> None:
    state = make_state()
    Submissions(state).take_dropped(request(BOB), raw(), 0)
    assert state.spool.count() == 1


def test_dropped_giant_that_no_configuration_allows_is_no_mail() -> None:
    state = make_state()
    with pytest.raises(Refused, match="larger"):
        Submissions(state).take_dropped(request(BOB, size=MESSAGE_SIZE_HIGHEST + 1), raw(), 0)
    assert state.spool.count() == 0


def test_dropped_twice_is_entered_once() -> None:
    state = make_state()
    for _ in range(2):
        Submissions(state).take_dropped(request(BOB), raw(), 0)
    assert state.spool.count() == 1


def take_dropped(state: State, *operands: bytes, text: bytes = TEXT, **options: Any) -> None:
    Submissions(state).take_dropped(request(*operands, **options), raw(text), 0)


@pytest.fixture
def bad_aliases(tmp_path: Path) -> str:
    """An aliases file whose names lead nowhere: programs are never run."""
    path = tmp_path / "aliases"
    path.write_text("robot: |/bin/robot\narchive: /var/mail/archive\n")
    return str(path)


@pytest.mark.parametrize("operands", [(b"robot", b"archive"), (b"a@b@c",)], ids=repr)
def test_dropped_for_nobody_who_can_get_it_is_logged_and_bounced(bad_aliases, operands) -> None:
    state = make_state(aliases=bad_aliases)
    take_dropped(state, *operands)
    [bounce] = state.spool.entries()
    assert bounce.queue_id != QUEUE_ID
    assert bounce.envelope.sender == b""
    assert [recipient.address for recipient in bounce.pending] == [b"root@example.org"]
    told = ["aliases need attention"] * 2
    assert names(state) == [*told, "submitted", *["failed"] * len(operands), "notice"]


@pytest.mark.parametrize("mode", [b"b", b"q", b"i"])
def test_submission_for_names_whose_aliases_are_refused_is_bounced(
    bad_aliases: str, mode: bytes
) -> None:
    state = make_state(aliases=bad_aliases)
    assert submit(state, b"robot", mode=mode).status == 0
    [bounce] = state.spool.entries()
    assert [recipient.address for recipient in bounce.pending] == [b"root@example.org"]
    text = b"".join(state.spool.open_message(bounce.queue_id).chunks())
    assert b"aliases:1: programs are not run: '|/bin/robot'" in text
    assert b"Status: 5.3.5\r\n" in text


@pytest.mark.parametrize(("operand", "status"), [(b"a@b@c", 65), (b"nobody-such", 67)])
def test_submission_for_nobody_who_can_get_it_is_refused(operand: bytes, status: int) -> None:
    state = make_state(unknown_local=b"reject")
    with pytest.raises(Refused) as refused:
        submit(state, operand, mode=b"b")
    assert refused.value.status == status
    assert state.spool.count() == 0


class Ordered(MemorySpool):
    """Keeps the order in which entries came."""

    def __init__(self) -> None:
        super().__init__()
        self.entered: list[str] = []

    def enter(self, queue_id: str, *facts: Any, **options: Any):
        self.entered.append(queue_id)
        return super().enter(queue_id, *facts, **options)


def test_bounce_is_entered_before_the_submissions_own_entry(bad_aliases: str) -> None:
    spool = Ordered()
    take_dropped(make_state(spool=spool, aliases=bad_aliases), BOB, b"robot")
    assert len(spool.entered) == 2
    assert spool.entered[1] == QUEUE_ID


GROWS = b"Subject: s\n\n" + 100 * b"\n"


@pytest.mark.parametrize("limit", [len(GROWS), len(GROWS) - 1], ids=["grows", "was larger"])
def test_dropped_is_never_refused_for_its_size(limit: int) -> None:
    state = make_state(message_size=limit)
    take_dropped(state, BOB, text=GROWS)
    assert state.spool.find(QUEUE_ID).size > limit


def test_submission_is_refused_for_its_size() -> None:
    state = make_state(message_size=len(TEXT) - 1)
    with pytest.raises(Refused) as refused:
        submit(state)
    assert refused.value.status == 65
    assert state.spool.count() == 0


@pytest.mark.parametrize(
    ("operands", "options"),
    [((), {}), ((BOB,), {"sender": b"a@b@c"})],
    ids=["no recipients", "bad sender"],
)
def test_dropped_that_sendmail_would_not_have_left_is_refused(operands, options) -> None:
    state = make_state()
    with pytest.raises(Refused) as refused:
        take_dropped(state, *operands, **options)
    assert refused.value.status == 64
    assert state.spool.count() == 0


def test_dropped_that_the_spool_cannot_take_stays() -> None:
    with pytest.raises(SpoolFull):
        Submissions(make_state(spool=FullSpool())).take_dropped(request(BOB), raw(), 0)
