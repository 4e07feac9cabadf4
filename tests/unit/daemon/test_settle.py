"""After an attempt at an entry: crossed off, deferred, expired, warned, and never lost."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pysendmail.daemon.settle import expire, settle
from pysendmail.message.envelope import Envelope, Recipient
from pysendmail.message.outcome import DEFERRED, DELIVERED, FAILED, Outcome
from pysendmail.relay.policy import RECIPIENT, SESSION
from pysendmail.spool.directory import DirectorySpool
from pysendmail.spool.errors import SpoolFull
from pysendmail.spool.memory import MemorySpool
from tests.unit.spool.samples import (
    ALICE,
    BOB,
    FIRST,
    deferred,
    delivered,
    enter,
    failed,
    message,
    octets,
)
from tests.unit.submission.samples import CONFIG, FakeJournal, ended

ARRIVED = 1000.0
EXPIRED = ARRIVED + CONFIG.lifetime
LATE = ARRIVED + CONFIG.delay_warning


class House:
    """One entry, and what a settle did to it."""

    def __init__(self, spool: MemorySpool | None = None, *recipients: bytes, **facts: Any) -> None:
        self.spool = spool or MemorySpool()
        self.journal = FakeJournal()
        enter(self.spool, FIRST, *(recipients or (ALICE, BOB)), **facts)

    def settle(self, *outcomes: Outcome, now: float = 1100.0, **facts: Any) -> None:
        claim = self.spool.claim(FIRST)
        try:
            settle(
                claim,
                ended(*outcomes, **facts),
                config=CONFIG,
                journal=self.journal,  # type: ignore[arg-type]
                now=now,
                age=now - ARRIVED,
            )
        finally:
            claim.release()

    @property
    def entry(self):
        return self.spool.find(FIRST)

    def notices(self) -> list[bytes]:
        return [
            b"".join(self.spool.open_message(entry.queue_id).chunks())
            for entry in self.spool.entries()
            if entry.queue_id != FIRST
        ]


def test_delivered_to_all_ends_the_entry() -> None:
    house = House()
    house.settle(delivered(ALICE), delivered(BOB))
    assert house.spool.count() == 0
    assert house.journal.names() == [DELIVERED, DELIVERED]


def test_deferred_waits_on_and_the_rest_is_crossed_off() -> None:
    house = House()
    house.settle(delivered(ALICE), deferred(BOB))
    assert [recipient.address for recipient in house.entry.pending] == [BOB]
    assert house.entry.attempts == 1
    assert house.entry.last_attempt == 1100.0
    assert house.notices() == []


@pytest.mark.parametrize(("reach", "factor"), [(RECIPIENT, 4.0), (SESSION, 1.0)])
def test_pause_grows_only_when_the_message_is_at_fault(reach: str, factor: float) -> None:
    house, now = House(attempts=2), ARRIVED + 3 * CONFIG.retry_first
    house.settle(deferred(ALICE), deferred(BOB), reach=reach, now=now)
    pause = house.entry.next_attempt - now
    assert 0.75 * factor <= pause / CONFIG.retry_first <= 1.25 * factor


def test_failed_is_bounced_and_crossed_off() -> None:
    house = House()
    house.settle(failed(ALICE), deferred(BOB))
    assert [recipient.address for recipient in house.entry.pending] == [BOB]
    [bounce] = house.notices()
    assert b"alice@example.com" in bounce
    assert "notice" in house.journal.names()


def test_attempt_that_reached_nobody_changes_nothing() -> None:
    house = House()
    before = house.entry
    house.settle(deferred(ALICE), deferred(BOB), tried=False)
    assert house.entry == before
    assert house.spool.claim(FIRST) is not None


@pytest.mark.parametrize("tried", [True, False])
def test_expiry_fails_what_is_pending_even_when_nobody_was_reached(tried: bool) -> None:
    house = House()
    house.settle(deferred(ALICE), deferred(BOB), now=EXPIRED, tried=tried)
    assert house.entry is None
    [bounce] = house.notices()
    assert b"delivery time expired; last: 450 4.2.0 later" in bounce
    assert b"4.4.7" in bounce


def test_delivery_in_the_last_attempt_is_a_delivery() -> None:
    house = House()
    house.settle(delivered(ALICE), delivered(BOB), now=EXPIRED)
    assert house.spool.count() == 0


def test_delay_warning_is_sent_once() -> None:
    house = House()
    house.settle(deferred(ALICE), deferred(BOB), now=LATE - 1)
    assert house.notices() == []
    house.settle(deferred(ALICE), deferred(BOB), now=LATE)
    [warning] = house.notices()
    assert b"Delayed mail" in warning
    assert house.entry.warned
    house.settle(deferred(ALICE), deferred(BOB), now=LATE + 9999)
    assert len(house.notices()) == 1


ASKED = (Recipient(ALICE, (b"SUCCESS",)), Recipient(BOB, (b"SUCCESS",)))


def test_delivery_is_reported_where_that_was_asked_for_and_the_smarthost_does_not() -> None:
    house = House(sent=Envelope(b"root@example.org", ASKED))
    taken_over = Outcome(BOB, DELIVERED, b"2.0.0", b"250 ok", b"mx", dsn=True)
    house.settle(delivered(ALICE), taken_over)
    [report] = house.notices()
    assert b"Action: relayed\r\n" in report
    assert BOB not in report.partition(b"is attached. It was this one")[0]
    assert house.journal.names() == [DELIVERED, DELIVERED, "notice"]


def test_delivery_whose_report_cannot_be_written_is_a_delivery() -> None:
    house = House(NoRoomForNotices(), sent=Envelope(b"root@example.org", ASKED))
    house.settle(delivered(ALICE), delivered(BOB))
    assert house.spool.count() == 0


def test_failure_of_which_nobody_may_hear_is_crossed_off_and_logged() -> None:
    house = House(sent=Envelope(b"", (Recipient(ALICE),)))
    house.settle(failed(ALICE))
    assert house.spool.count() == 0
    assert house.journal.names() == [FAILED, "no bounce"]


def test_clock_that_jumps_back_changes_no_life() -> None:
    house = House()
    house.settle(deferred(ALICE), deferred(BOB), now=0.0)
    assert len(house.entry.pending) == 2
    assert house.notices() == []


@pytest.mark.parametrize(("ret", "whole"), [(b"FULL", True), (b"HDRS", False)])
def test_bounce_returns_what_was_asked_for(tmp_path: Path, ret: bytes, whole: bool) -> None:
    DirectorySpool.create(tmp_path)
    spool = DirectorySpool(tmp_path)
    text = b"Subject: report\r\n\r\n" + 30_000 * b"all is well\r\n"
    asked = Envelope(b"root@example.org", (Recipient(ALICE), Recipient(BOB)), ret=ret)
    spool.enter(FIRST, asked, message(text), arrived=ARRIVED, uid=0, next_attempt=ARRIVED)
    claim = spool.claim(FIRST)
    outcomes = ended(failed(ALICE), deferred(BOB))
    settle(claim, outcomes, config=CONFIG, journal=FakeJournal(), now=1100.0, age=100.0)  # type: ignore[arg-type]
    [bounce] = [entry.queue_id for entry in spool.entries() if entry.queue_id != FIRST]
    for queue_id, found in ((bounce, whole), (FIRST, True)):
        with closing(spool.open_message(queue_id)) as stored:
            assert (text in octets(stored)) is found
    spool.close()


class NoRoomForNotices(MemorySpool):
    """Takes only the first entry."""

    def enter(self, *facts: Any, **options: Any):
        if self.count():
            raise SpoolFull("no room")
        return super().enter(*facts, **options)


@pytest.mark.parametrize("now", [1100.0, EXPIRED], ids=["failed", "expired"])
@pytest.mark.trap(16)
def test_bounce_that_cannot_be_written_leaves_who_failed_and_crosses_off_who_was_delivered(
    now: float,
) -> None:
    house = House(NoRoomForNotices())
    house.settle(failed(ALICE), delivered(BOB), now=now)
    [waiting] = house.entry.pending
    assert waiting.address == ALICE
    assert house.entry.reasons[ALICE].text.startswith(b"its bounce cannot be written now: ")
    assert house.spool.count() == 1


def test_spool_without_any_room_leaves_the_entry_as_it_was() -> None:
    class NoRoom(NoRoomForNotices):
        def settle(self, *_: Any) -> None:
            raise SpoolFull("no room")

    house = House(NoRoom())
    before = house.entry
    with pytest.raises(SpoolFull):
        house.settle(failed(ALICE), delivered(BOB), now=1100.0)
    assert house.entry == before
    assert house.journal.events == []


def test_expired_keeps_who_said_it_and_the_doubt() -> None:
    outcome = Outcome(ALICE, DEFERRED, b"4.4.2", b"lost", b"mx", True)
    assert expire(outcome) == Outcome(
        ALICE, FAILED, b"4.4.7", b"delivery time expired; last: lost", b"mx", True
    )
    assert expire(delivered(ALICE)) == delivered(ALICE)
