"""The contract of a spool, to be run over every backend: subclass, give a `spool` fixture."""

from __future__ import annotations

import threading

import pytest

from pysendmail.message.envelope import Envelope, Recipient
from pysendmail.spool.entry import AT_ONCE
from pysendmail.spool.errors import AlreadyEntered, BadQueueId, EntryBusy
from tests.unit.spool.samples import (
    ALICE,
    BOB,
    BOUNCE,
    CAROL,
    FIRST,
    SECOND,
    TEXT,
    THIRD,
    deferred,
    delivered,
    enter,
    envelope,
    failed,
    message,
    notice,
    octets,
)

DAY = 86_400.0


class SpoolContract:
    # Entering

    def test_entered_message_waits_with_its_facts(self, spool):
        every_option = Envelope(
            b"r\xc3\xb6ot@example.org",
            (
                Recipient(ALICE, notify=(b"SUCCESS", b"DELAY"), orcpt=b"rfc822;a+b@example.com"),
                Recipient(b"\xff\x80@example.com"),
            ),
            ret=b"HDRS",
            envid=b'QQ"314\xff',
            eight_bit=True,
            smtputf8=True,
        )
        spool.enter(FIRST, every_option, message(), arrived=1000.5, uid=33, next_attempt=1100.25)
        entry = spool.find(FIRST)
        assert entry.queue_id == FIRST
        assert entry.envelope == every_option
        assert entry.pending == every_option.recipients
        assert (entry.arrived, entry.uid, entry.next_attempt) == (1000.5, 33, 1100.25)
        assert entry.size == len(TEXT)
        assert (entry.attempts, entry.last_attempt, entry.reasons) == (0, None, {})
        assert not entry.held
        assert not entry.warned

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(b"\r\n", id="empty header and body"),
            pytest.param(b"\r\nbody only\r\n", id="no header"),
            pytest.param(b"Subject: x\r\n\r\n", id="no body"),
            pytest.param(
                b"Subject: x\r\n\r\n\xff\x80 \xc3\xbc\r\n.\r\n..\r\n", id="eight bits, dots"
            ),
            pytest.param(b"Subject: x\r\n\r\n" + b"a" * 5000 + b"\r\n", id="long line"),
            pytest.param(b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 60_000, id="large"),
        ],
    )
    def test_message_comes_back_octet_for_octet(self, spool, text):
        enter(spool, text=text)
        with spool.claim(FIRST) as claim:
            assert octets(claim.message()) == text
            assert octets(claim.message()) == text
            assert claim.entry.size == len(text)

    def test_message_can_be_read_without_a_claim(self, spool):
        enter(spool)
        claim = spool.claim(FIRST)
        opened = spool.open_message(FIRST)
        assert octets(opened) == TEXT
        opened.close()
        claim.release()
        assert spool.open_message(SECOND) is None

    def test_entering_a_waiting_id_again_is_refused(self, spool):
        enter(spool)
        with pytest.raises(AlreadyEntered) as caught:
            enter(spool)
        assert caught.value.queue_id == FIRST
        assert spool.count() == 1

    def test_entering_with_claim_leaves_nobody_else_a_chance(self, spool):
        claim = enter(spool, next_attempt=0.0, claim=True)
        assert spool.due(5000.0, 10) == []
        assert spool.claim(FIRST) is None
        assert octets(claim.message()) == TEXT
        claim.release()
        assert spool.due(5000.0, 10) == [FIRST]

    def test_entering_after_an_attempt_crosses_off_and_keeps_reasons(self, spool):
        outcomes = [delivered(ALICE), deferred(BOB), failed(CAROL)]
        enter(spool, FIRST, ALICE, BOB, CAROL, b"dave@x", outcomes=outcomes, attempts=1)
        entry = spool.find(FIRST)
        assert [recipient.address for recipient in entry.pending] == [BOB, b"dave@x"]
        assert len(entry.envelope.recipients) == 4
        assert entry.reasons == {BOB: deferred(BOB)}
        assert (entry.attempts, entry.last_attempt) == (1, 1000.0)

    def test_entering_with_nobody_pending_is_an_error(self, spool):
        with pytest.raises(ValueError, match="pending"):
            enter(spool, FIRST, ALICE, outcomes=[delivered(ALICE)], attempts=1)
        assert spool.count() == 0

    # Queue ids

    @pytest.mark.parametrize(
        "bad",
        [
            "",
            "0000000000001",
            "000000000000001",
            "0000000000000a",
            "0000000000000G",
            "../../etc/pass",
            "0000000000000\n",
            "0000000000000\uff11",
            b"00000000000001",
            None,
        ],
    )
    def test_bad_queue_id_is_refused_everywhere(self, spool, bad):
        for use in (
            lambda: enter(spool, bad),
            lambda: spool.claim(bad),
            lambda: spool.find(bad),
            lambda: spool.open_message(bad),
            lambda: spool.change(bad, "remove"),
            lambda: spool.remember(bad, 1000.0),
        ):
            with pytest.raises(BadQueueId):
                use()

    # Due

    def test_due_are_those_whose_time_has_come_earliest_first(self, spool):
        enter(spool, FIRST, next_attempt=1300.0)
        enter(spool, SECOND, next_attempt=1100.0)
        enter(spool, THIRD, next_attempt=1200.0)
        assert spool.due(1099.0, 10) == []
        assert spool.due(1200.0, 10) == [SECOND, THIRD]
        assert spool.due(9999.0, 10) == [SECOND, THIRD, FIRST]
        assert spool.due(9999.0, 2) == [SECOND, THIRD]
        assert spool.next_due() == 1100.0

    def test_nothing_is_due_in_an_empty_spool(self, spool):
        assert spool.due(1e12, 10) == []
        assert spool.next_due() is None
        assert list(spool.entries()) == []
        assert spool.count() == 0

    def test_claimed_entry_is_not_due_until_released(self, spool):
        enter(spool)
        enter(spool, SECOND, next_attempt=1200.0)
        claim = spool.claim(FIRST)
        assert spool.due(9999.0, 10) == [SECOND]
        assert spool.next_due() == 1200.0
        claim.release()
        assert spool.due(9999.0, 10) == [FIRST, SECOND]

    def test_entry_settled_for_later_is_due_then(self, spool):
        enter(spool)
        spool.claim(FIRST).settle([deferred(ALICE), deferred(BOB)], 2000.0, now=1100.0)
        assert spool.due(1999.0, 10) == []
        assert spool.due(2000.0, 10) == [FIRST]

    # Claims

    @pytest.mark.trap(29)
    def test_claim_is_exclusive_until_released(self, spool):
        enter(spool)
        first = spool.claim(FIRST)
        assert spool.claim(FIRST) is None
        first.release()
        with spool.claim(FIRST) as second:
            assert spool.claim(FIRST) is None
            assert second.entry == first.entry
        assert spool.claim(FIRST) is not None

    def test_claim_of_what_is_not_there_is_none(self, spool):
        assert spool.claim(FIRST) is None

    def test_only_one_of_many_threads_gets_the_claim(self, spool):
        enter(spool)
        start = threading.Barrier(8)
        claims = []

        def try_to_claim():
            start.wait()
            claims.append(spool.claim(FIRST))

        threads = [threading.Thread(target=try_to_claim) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(claim is not None for claim in claims) == 1

    def test_releasing_twice_does_not_end_the_next_claim(self, spool):
        enter(spool)
        first = spool.claim(FIRST)
        first.release()
        second = spool.claim(FIRST)
        first.release()
        assert spool.claim(FIRST) is None
        second.release()

    def test_release_changes_nothing(self, spool):
        enter(spool)
        before = spool.find(FIRST)
        spool.claim(FIRST).release()
        assert spool.find(FIRST) == before

    # Settling

    def test_settle_crosses_off_delivered_and_failed_and_keeps_the_rest(self, spool):
        enter(spool, FIRST, ALICE, BOB, CAROL, b"dave@x")
        outcomes = [delivered(ALICE), failed(CAROL), deferred(BOB)]
        spool.claim(FIRST).settle(outcomes, 2000.0, now=1105.5)
        entry = spool.find(FIRST)
        assert [recipient.address for recipient in entry.pending] == [BOB, b"dave@x"]
        assert entry.reasons == {BOB: deferred(BOB)}
        assert (entry.attempts, entry.last_attempt, entry.next_attempt) == (1, 1105.5, 2000.0)

    def test_settling_again_and_again_adds_up(self, spool):
        enter(spool, FIRST, ALICE, BOB, CAROL)
        spool.claim(FIRST).settle([delivered(BOB), deferred(ALICE)], 2000.0, now=1100.0)
        spool.claim(FIRST).settle([deferred(CAROL, b"451 no")], 3000.0, now=2000.0, warned=True)
        spool.claim(FIRST).settle([delivered(ALICE)], 4000.0, now=3000.0)
        entry = spool.find(FIRST)
        assert [recipient.address for recipient in entry.pending] == [CAROL]
        assert entry.reasons == {CAROL: deferred(CAROL, b"451 no")}
        assert (entry.attempts, entry.warned, entry.next_attempt) == (3, True, 4000.0)
        with spool.claim(FIRST) as claim:
            assert claim.entry == entry
            assert octets(claim.message()) == TEXT

    def test_outcome_of_a_deferral_keeps_every_word(self, spool):
        enter(spool, FIRST, ALICE)
        reason = deferred(ALICE, "450 4.7.1 sp\u00e4ter, bitte".encode())
        reason = type(reason)(
            ALICE, reason.kind, b"4.7.1", reason.text, b"h\xff", maybe_duplicate=True
        )
        spool.claim(FIRST).settle([reason], 2000.0, now=1100.0)
        found = spool.find(FIRST).reasons[ALICE]
        assert found == reason
        assert found.maybe_duplicate

    def test_outcome_for_a_stranger_changes_nobody(self, spool):
        enter(spool, FIRST, ALICE)
        spool.claim(FIRST).settle([delivered(BOB)], 2000.0, now=1100.0)
        entry = spool.find(FIRST)
        assert [recipient.address for recipient in entry.pending] == [ALICE]
        assert entry.reasons == {}

    def test_recipient_named_twice_is_crossed_off_twice(self, spool):
        enter(spool, FIRST, ALICE, BOB, ALICE)
        spool.claim(FIRST).settle([delivered(ALICE)], 2000.0, now=1100.0)
        assert [recipient.address for recipient in spool.find(FIRST).pending] == [BOB]

    def test_entry_goes_with_its_last_recipient(self, spool):
        enter(spool)
        spool.claim(FIRST).settle([delivered(ALICE), failed(BOB)], 0.0, now=1100.0)
        assert spool.find(FIRST) is None
        assert spool.claim(FIRST) is None
        assert spool.due(1e12, 10) == []
        assert spool.count() == 0

    @pytest.mark.parametrize(("at_most", "count"), [(None, 3), (0, 0), (2, 2), (3, 3), (4, 3)])
    def test_entries_are_counted_as_far_as_asked_for(self, spool, at_most, count):
        for queue_id in (FIRST, SECOND, THIRD):
            enter(spool, queue_id)
        assert spool.count(at_most) == count

    def test_entry_settled_without_sync_is_gone_for_all_who_look(self, spool):
        enter(spool)
        enter(spool, SECOND)
        claim = spool.claim(FIRST)
        claim.settle([delivered(ALICE), failed(BOB)], 0.0, now=1100.0, sync=False)
        assert spool.find(FIRST) is None
        assert spool.claim(FIRST) is None
        assert spool.due(1e12, 10) == [SECOND]
        spool.sync()
        spool.sync()
        assert [entry.queue_id for entry in spool.entries()] == [SECOND]
        with pytest.raises(ValueError, match="over"):
            claim.settle([], 0.0, now=1100.0)

    def test_settle_without_sync_records_what_is_left_all_the_same(self, spool):
        enter(spool)
        outcomes = [delivered(ALICE), deferred(BOB)]
        spool.claim(FIRST).settle(outcomes, 2000.0, now=1100.0, sync=False)
        entry = spool.find(FIRST)
        assert [recipient.address for recipient in entry.pending] == [BOB]
        assert (entry.attempts, entry.next_attempt) == (1, 2000.0)

    def test_id_of_a_delivered_entry_is_free_unless_remembered(self, spool):
        enter(spool)
        spool.claim(FIRST).settle([delivered(ALICE), delivered(BOB)], 0.0, now=1100.0)
        enter(spool)
        assert spool.count() == 1

    def test_settle_ends_the_claim(self, spool):
        enter(spool)
        claim = spool.claim(FIRST)
        claim.settle([], 2000.0, now=1100.0)
        second = spool.claim(FIRST)
        claim.release()
        assert spool.claim(FIRST) is None
        second.release()
        with pytest.raises(ValueError, match="over"):
            claim.settle([], 2000.0, now=1100.0)

    def test_notice_is_entered_with_the_settle(self, spool):
        enter(spool)
        spool.claim(FIRST).settle(
            [delivered(ALICE), failed(BOB)], 0.0, now=1100.0, notices=[notice(next_attempt=1100.0)]
        )
        assert spool.find(FIRST) is None
        bounce = spool.find(BOUNCE)
        assert bounce.envelope.sender == b""
        assert (bounce.arrived, bounce.uid, bounce.next_attempt) == (1100.0, 33, 1100.0)
        assert spool.due(1100.0, 10) == [BOUNCE]
        assert octets(spool.claim(BOUNCE).message()) == TEXT

    def test_notice_entered_by_an_earlier_try_is_not_entered_twice(self, spool):
        enter(spool)
        enter(spool, BOUNCE, b"root@example.org")
        spool.claim(FIRST).settle([failed(ALICE)], 2000.0, now=1100.0, notices=[notice()])
        assert spool.count() == 2
        assert [recipient.address for recipient in spool.find(FIRST).pending] == [BOB]

    def test_notice_that_cannot_be_entered_leaves_the_original_as_it_was(self, spool):
        enter(spool)
        before = spool.find(FIRST)
        claim = spool.claim(FIRST)
        with pytest.raises(BadQueueId):
            claim.settle([failed(ALICE)], 2000.0, now=1100.0, notices=[notice("bad")])
        assert spool.find(FIRST) == before
        assert spool.claim(FIRST) is None
        claim.settle([failed(ALICE)], 2000.0, now=1100.0, notices=[notice()])
        assert spool.find(BOUNCE) is not None

    def test_message_of_the_original_can_go_into_the_notice(self, spool):
        enter(spool)
        with spool.claim(FIRST) as claim:
            bounce = (BOUNCE, envelope(b"root@example.org", sender=b""), claim.message(), 0.0)
            claim.settle([failed(ALICE), failed(BOB)], 0.0, now=1100.0, notices=[bounce])
        with spool.claim(BOUNCE) as claim:
            assert octets(claim.message()) == TEXT

    # Looking

    def test_entries_are_all_that_wait(self, spool):
        enter(spool, FIRST)
        enter(spool, SECOND)
        enter(spool, THIRD)
        spool.change(SECOND, "hold")
        claim = spool.claim(THIRD)
        assert {entry.queue_id for entry in spool.entries()} == {FIRST, SECOND, THIRD}
        assert spool.count() == 3
        claim.release()

    # What an administrator does

    def test_held_entry_is_neither_due_nor_to_be_claimed(self, spool):
        enter(spool)
        assert spool.change(FIRST, "hold") is True
        assert spool.find(FIRST).held
        assert spool.due(1e12, 10) == []
        assert spool.next_due() is None
        assert spool.claim(FIRST) is None
        assert spool.due(1e12, 10) == []

    def test_released_entry_is_due_as_before(self, spool):
        enter(spool)
        spool.change(FIRST, "hold")
        assert spool.change(FIRST, "release") is True
        assert not spool.find(FIRST).held
        assert spool.next_due() == 1100.0
        assert spool.claim(FIRST) is not None

    def test_expedited_entry_is_due_at_once_and_first(self, spool):
        enter(spool, FIRST, next_attempt=9000.0)
        enter(spool, SECOND, next_attempt=1.0)
        assert spool.change(FIRST, "expedite") is True
        assert spool.find(FIRST).next_attempt == AT_ONCE
        assert spool.due(1.0, 10) == [FIRST, SECOND]

    def test_expedited_entry_stays_held(self, spool):
        enter(spool)
        spool.change(FIRST, "hold")
        spool.change(FIRST, "expedite")
        assert spool.due(1e12, 10) == []
        spool.change(FIRST, "release")
        assert spool.due(AT_ONCE, 10) == [FIRST]

    def test_expedited_in_memory_is_what_waits(self, spool):
        for queue_id, time in ((FIRST, 9000.0), (SECOND, 1.0), (THIRD, 9000.0)):
            enter(spool, queue_id, next_attempt=time)
        spool.change(THIRD, "hold")
        claim = spool.claim(SECOND)
        spool.expedite([SECOND, FIRST, THIRD])
        assert spool.due(AT_ONCE, 10) == [FIRST]
        claim.release()
        spool.change(THIRD, "release")
        assert spool.due(1.0, 10) == [FIRST, SECOND]

    def test_expedited_in_memory_stays_so_until_it_is_attempted(self, spool):
        enter(spool)
        spool.expedite([FIRST])
        spool.rescan()
        spool.claim(FIRST).release()
        assert spool.due(AT_ONCE, 10) == [FIRST]
        spool.claim(FIRST).settle([deferred(ALICE)], 2000.0, now=1200.0)
        assert spool.next_due() == spool.find(FIRST).next_attempt == 2000.0

    def test_expediting_what_is_gone_changes_nothing(self, spool):
        spool.expedite([FIRST])
        assert spool.claim(FIRST) is None
        assert spool.due(1e12, 10) == []

    def test_expedited_in_memory_can_be_held(self, spool):
        enter(spool)
        spool.expedite([FIRST])
        spool.change(FIRST, "hold")
        spool.rescan()
        assert spool.due(1e12, 10) == []

    def test_ids_are_of_all_entries(self, spool):
        for queue_id in (FIRST, SECOND, THIRD):
            enter(spool, queue_id)
        spool.change(FIRST, "hold")
        claim = spool.claim(SECOND)
        assert sorted(spool.ids()) == [FIRST, SECOND, THIRD]
        claim.release()

    def test_removed_entry_is_gone_without_a_bounce(self, spool):
        enter(spool)
        assert spool.change(FIRST, "remove") is True
        assert spool.find(FIRST) is None
        assert spool.count() == 0
        assert spool.due(1e12, 10) == []

    def test_held_entry_can_be_removed(self, spool):
        enter(spool)
        spool.change(FIRST, "hold")
        assert spool.change(FIRST, "remove") is True
        assert spool.count() == 0

    @pytest.mark.parametrize("action", ["hold", "release", "expedite", "remove"])
    def test_change_of_what_is_gone_is_false(self, spool, action):
        assert spool.change(FIRST, action) is False

    @pytest.mark.parametrize("action", ["hold", "release", "expedite", "remove"])
    def test_change_of_a_claimed_entry_is_busy_and_changes_nothing(self, spool, action):
        enter(spool)
        before = spool.find(FIRST)
        claim = spool.claim(FIRST)
        with pytest.raises(EntryBusy) as caught:
            spool.change(FIRST, action)
        assert caught.value.queue_id == FIRST
        assert spool.find(FIRST) == before
        claim.release()
        assert spool.change(FIRST, action) is True

    @pytest.mark.parametrize("action", ["hold", "release", "expedite"])
    def test_change_twice_is_as_once(self, spool, action):
        enter(spool)
        spool.change(FIRST, action)
        once = spool.find(FIRST)
        assert spool.change(FIRST, action) is True
        assert spool.find(FIRST) == once

    def test_unknown_action_is_an_error(self, spool):
        enter(spool)
        with pytest.raises(ValueError, match="freeze"):
            spool.change(FIRST, "freeze")

    # Memories

    def test_remembered_id_cannot_be_entered(self, spool):
        spool.remember(FIRST, 1000.0)
        with pytest.raises(AlreadyEntered):
            enter(spool)
        assert spool.find(FIRST) is None
        assert spool.count() == 0

    def test_memory_lasts_for_a_day(self, spool):
        spool.remember(FIRST, 1000.0)
        spool.remember(SECOND, 5000.0)
        spool.sweep(1000.0 + DAY + 1)
        enter(spool, FIRST)
        with pytest.raises(AlreadyEntered):
            enter(spool, SECOND)

    def test_remembering_again_begins_anew(self, spool):
        spool.remember(FIRST, 1000.0)
        spool.remember(FIRST, 9000.0)
        spool.sweep(1000.0 + DAY + 1)
        with pytest.raises(AlreadyEntered):
            enter(spool)

    @pytest.mark.trap(27)
    def test_memory_from_a_clock_far_ahead_is_forgotten(self, spool):
        spool.remember(FIRST, 1000.0 + 10 * DAY)
        spool.sweep(1000.0)
        enter(spool)
        assert spool.count() == 1

    # Waiting

    def test_wait_ends_when_time_is_up(self, spool):
        assert spool.wait(0) is False

    def test_wake_before_the_wait_is_not_lost(self, spool):
        spool.wait(0)
        spool.wake()
        assert spool.wait(30) is True
        assert spool.wait(0) is False

    def test_wake_before_the_very_first_wait_is_not_lost(self, spool):
        spool.wake()
        assert spool.wait(30) is True
        assert spool.wait(0) is False

    def test_wake_ends_a_wait_in_another_thread(self, spool):
        spool.wait(0)
        found = []
        waiter = threading.Thread(target=lambda: found.append(spool.wait(30)))
        waiter.start()
        spool.wake()
        waiter.join(30)
        assert found == [True]

    @pytest.mark.parametrize(
        "act",
        [
            pytest.param(lambda spool: enter(spool, SECOND), id="enter"),
            pytest.param(lambda spool: spool.claim(FIRST).release(), id="release"),
            pytest.param(lambda spool: spool.claim(FIRST).settle([], 2.0, now=1.0), id="settle"),
            pytest.param(lambda spool: spool.change(FIRST, "expedite"), id="change"),
        ],
    )
    def test_whatever_lets_an_entry_wait_wakes_the_scheduler(self, spool, act):
        enter(spool)
        while spool.wait(0):
            pass
        act(spool)
        assert spool.wait(30) is True

    # Sweeping

    def test_sweep_of_a_sound_spool_finds_nothing(self, spool):
        enter(spool, FIRST)
        enter(spool, SECOND)
        claim = spool.claim(SECOND)
        assert spool.sweep(5000.0) == []
        assert spool.count() == 2
        claim.release()

    def test_sweep_shows_every_entry_be_it_held_or_claimed(self, spool):
        enter(spool, FIRST, next_attempt=5000.0)
        enter(spool, SECOND)
        enter(spool, THIRD)
        spool.change(SECOND, "hold")
        claim = spool.claim(THIRD)
        seen = {}
        spool.sweep(5000.0, lambda entry: seen.setdefault(entry.queue_id, entry))
        assert sorted(seen) == sorted([FIRST, SECOND, THIRD])
        assert seen[FIRST].next_attempt == 5000.0
        claim.release()

    def test_many_threads_lose_and_double_nothing(self, spool):
        ids = [f"{number:014X}" for number in range(40)]
        delivered_ids = []

        def submit(mine):
            for queue_id in mine:
                enter(spool, queue_id, ALICE, next_attempt=0.0)

        def work():
            while len(delivered_ids) < len(ids):
                for queue_id in spool.due(1.0, 8):
                    claim = spool.claim(queue_id)
                    if claim is not None:
                        delivered_ids.append(queue_id)
                        claim.settle([delivered(ALICE)], 0.0, now=1.0)
                spool.wait(0.001)

        threads = [threading.Thread(target=submit, args=(ids[n::4],)) for n in range(4)]
        threads += [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(delivered_ids) == ids
        assert spool.count() == 0
