"""The queue as it is shown and changed: to whom, in which words, to the letter."""

from __future__ import annotations

import itertools
import json
import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pysendmail.daemon import control
from pysendmail.daemon.control import Viewer, groups_of, respond, viewer_of
from pysendmail.daemon.listing import format_entry, format_total
from pysendmail.message.envelope import Envelope, Recipient
from pysendmail.message.outcome import DEFERRED, Outcome
from pysendmail.spool.directory import DirectorySpool
from pysendmail.spool.entry import Entry
from pysendmail.spool.errors import SpoolError
from pysendmail.spool.memory import MemorySpool
from tests.helpers.waiting import wait_until
from tests.unit.spool.samples import (
    ALICE,
    BOB,
    FIRST,
    SECOND,
    THIRD,
    deferred,
    delivered,
    enter,
)

ROOT = Viewer(0, trusted=True)
JOE = Viewer(33, trusted=False)
STRANGER = Viewer(99, trusted=False)


@pytest.fixture(autouse=True)
def greenwich(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def spool() -> MemorySpool:
    spool = MemorySpool()
    enter(spool, FIRST, uid=33)
    enter(spool, SECOND, uid=44)
    return spool


class Runner:
    """Makes attempts as a test wants them."""

    def __init__(
        self,
        active: Callable[[str], bool] = lambda queue_id: False,
        retry_now: Callable[[], None] = lambda: None,
        *,
        here: bool = True,
    ) -> None:
        self.attempting = active
        self.retry_now = retry_now
        self.here = here
        self.at_work = False

    def busy(self) -> bool:
        return self.at_work


def ask(
    spool: MemorySpool,
    viewer: Viewer,
    *records: bytes,
    active: Callable[[str], bool] = lambda queue_id: False,
    retry_now: Callable[[], None] = lambda: None,
    here: bool = True,
):
    """Return exit status, output lines and error lines."""
    answer = list(respond(spool, list(records), viewer, Runner(active, retry_now, here=here)))
    assert [letter for letter, _ in answer].count(b"x") == 1
    assert answer[-1][0] == b"x"
    output = [value for letter, value in answer if letter == b"o"]
    return int(answer[-1][1]), output, [value for letter, value in answer if letter == b"e"]


def entry(**facts: object) -> Entry:
    envelope = facts.pop("envelope", None) or Envelope(
        b"joe@example.org", (Recipient(ALICE), Recipient(BOB), Recipient(b"carol@example.net"))
    )
    values = {"arrived": 1_700_000_000.0, "uid": 33, "size": 1234, "next_attempt": 0.0, **facts}
    return Entry("0123456789ABCD", envelope, **values)  # type: ignore[arg-type]


# --- mailq's text


def test_empty_queue_says_so_in_postfix_words() -> None:
    assert ask(MemorySpool(), ROOT, b"alist") == (0, [b"Mail queue is empty"], [])


def test_listing_is_postfix_s_to_the_letter(spool: MemorySpool) -> None:
    spool.change(SECOND, "hold")
    claim = spool.claim(FIRST)
    claim.settle([deferred(ALICE), deferred(BOB)], 2000.0, now=1500.0)
    status, output, _ = ask(spool, ROOT, b"alist")
    assert status == 0
    assert output == [
        b"----Queue ID----- --Size-- ---Arrival Time---- -Sender/Recipient-------",
        b"00000000000001          56 Thu Jan 01 00:16:40 root@example.org",
        b"                              (mx.example.com said: 450 4.2.0 later)".rjust(78),
        b"                                               alice@example.com",
        b"                                               bob@example.com",
        b"",
        b"00000000000002!         56 Thu Jan 01 00:16:40 root@example.org",
        b"                                               alice@example.com",
        b"                                               bob@example.com",
        b"",
        b"                Total requests: 2",
        b"-- 1 Kbytes in 2 Requests.",
    ]


def test_columns_are_those_of_long_queue_ids() -> None:
    first, *_ = format_entry(entry(), active=True)
    assert first == b"0123456789ABCD*       1234 Tue Nov 14 22:13:20 joe@example.org"
    assert (first.index(b" Tue"), first.index(b"joe")) == (26, 47)


def test_reason_stands_once_before_those_it_concerns() -> None:
    later = Outcome(ALICE, DEFERRED, b"4.2.0", b"450 later", b"mx")
    ours = Outcome(BOB, DEFERRED, b"4.4.1", b"cannot connect")
    reasons = {ALICE: later, BOB: ours, b"carol@example.net": ours}
    lines = list(format_entry(entry(reasons=reasons), active=False))
    assert [line.strip() for line in lines[1:]] == [
        b"(mx said: 450 later)", ALICE, b"(cannot connect)", BOB, b"carol@example.net", b"",
    ]  # fmt: skip
    assert {len(line) for line in lines if line.strip().startswith(b"(")} == {78}


@pytest.mark.parametrize(("held", "active", "flag"), [(1, 1, b"!"), (0, 1, b"*"), (0, 0, b" ")])
def test_flag_tells_the_state(held: int, active: int, flag: bytes) -> None:
    [line, *_] = format_entry(entry(held=bool(held)), active=bool(active))
    assert line[14:15] == flag


def test_only_the_first_line_of_an_entry_looks_like_one() -> None:
    hostile = Envelope(b"\nAAAA@x", (Recipient(b"BAD0\r\nDEADBEEF"),))
    reasons = {b"BAD0\r\nDEADBEEF": Outcome(b"", DEFERRED, b"4.0.0", b"F00\nFACE" * 99, b"A\n")}
    lines = b"\n".join(format_entry(entry(envelope=hostile, reasons=reasons), active=False))
    assert len(re.findall(rb"^[A-F0-9]", lines, re.MULTILINE)) == 1
    assert b"\r" not in lines


def test_null_sender_is_shown_as_mailer_daemon() -> None:
    [line, *_] = format_entry(entry(envelope=Envelope(b"", (Recipient(BOB),))), active=False)
    assert line.endswith(b" MAILER-DAEMON")


@pytest.mark.parametrize(
    ("count", "size", "last"),
    [
        (1, 1, b"-- 1 Kbytes in 1 Request."),
        (2, 1025, b"-- 2 Kbytes in 2 Requests."),
        (10, 0, b"-- 0 Kbytes in 10 Requests."),
    ],
)
def test_total_is_the_very_last_line(count: int, size: int, last: bytes) -> None:
    sendmails, postfix = format_total(count, size)
    assert postfix == last
    assert re.fullmatch(rb"\s+Total requests: (\d+)", sendmails)


@pytest.mark.parametrize("viewer", [ROOT, JOE, STRANGER])
def test_count_is_the_true_one_for_everybody(spool: MemorySpool, viewer: Viewer) -> None:
    assert ask(spool, viewer, b"acount") == (0, [b"2"], [])
    assert ask(MemorySpool(), viewer, b"acount") == (0, [b"0"], [])


# --- who sees what


def test_others_see_their_own_and_the_true_totals(spool: MemorySpool) -> None:
    _, output, _ = ask(spool, JOE, b"alist")
    assert [line[:14] for line in output if re.match(rb"[A-F0-9]", line)] == [FIRST.encode()]
    assert output[-1] == b"-- 1 Kbytes in 2 Requests."
    _, output, _ = ask(spool, STRANGER, b"alist")
    assert output == [b"                Total requests: 2", b"-- 1 Kbytes in 2 Requests."]


def test_listing_can_be_narrowed(spool: MemorySpool) -> None:
    _, output, _ = ask(spool, ROOT, b"alist", b"q" + SECOND.lower().encode())
    assert [line[:14] for line in output if re.match(rb"[A-F0-9]", line)] == [SECOND.encode()]


def test_listing_can_be_filtered_as_a_run_can(spool: MemorySpool) -> None:
    _, output, _ = ask(spool, ROOT, b"alist", b"m!I0002")
    assert [line[:14] for line in output if re.match(rb"[A-F0-9]", line)] == [FIRST.encode()]
    assert output[-1] == b"-- 1 Kbytes in 2 Requests."


def test_long_queue_is_listed_as_it_is_read() -> None:
    class Long(MemorySpool):
        read = 0

        def count(self, at_most: int | None = None) -> int:
            return 100_000 if at_most is None else at_most

        def entries(self):
            for number in range(self.count()):
                self.read += 1
                yield entry(arrived=float(self.count() - number))

    long = Long()
    answer = respond(long, [b"alist"], ROOT, Runner())
    assert [letter for letter, _ in itertools.islice(answer, 3)] == [b"o"] * 3
    assert long.read == 1


def test_more_filters_than_anybody_needs_are_refused(spool: MemorySpool) -> None:
    status, output, [error] = ask(spool, ROOT, b"alist", *[b"mRbob"] * 101)
    assert (status, output, error) == (64, [], b"more than 100 filters")


def test_json_is_one_object_a_line(spool: MemorySpool) -> None:
    spool.claim(FIRST).settle([deferred(ALICE)], 2000.0, now=1500.0)
    spool.change(SECOND, "hold")
    status, output, _ = ask(spool, ROOT, b"alist", b"j", active=lambda queue_id: True)
    first, second = map(json.loads, output)
    assert status == 0
    assert first["state"], second["state"] == ("active", "held")
    assert first["recipients"] == [
        {
            "recipient": "alice@example.com",
            "status": "4.2.0",
            "reason": "450 4.2.0 later",
            "smarthost": "mx.example.com",
            "may_be_duplicate": False,
        },
        {"recipient": "bob@example.com"},
    ]
    assert {key: first[key] for key in ("queue_id", "uid", "attempts", "next_attempt")} == {
        "queue_id": FIRST, "uid": 33, "attempts": 1, "next_attempt": 2000.0,
    }  # fmt: skip


def test_show_has_the_message_and_nothing_a_terminal_should_not_see() -> None:
    spool = MemorySpool()
    enter(spool, FIRST, text=b"Subject: \x1b[2J\r\n\r\nbody\r\n")
    status, output, _ = ask(spool, ROOT, b"ashow", b"q" + FIRST.encode())
    assert status == 0
    assert output[-3:] == [b"    Subject: \\x1b[2J", b"    ", b"    body"]


def test_show_as_json_has_no_message(spool: MemorySpool) -> None:
    _, output, _ = ask(spool, ROOT, b"ashow", b"j", b"q" + FIRST.encode())
    assert [json.loads(line)["queue_id"] for line in output] == [FIRST]


@pytest.mark.parametrize("viewer", [JOE, STRANGER])
def test_show_hides_what_is_not_his(spool: MemorySpool, viewer: Viewer) -> None:
    status, output, errors = ask(spool, viewer, b"ashow", b"q" + SECOND.encode())
    assert (status, output) == (69, [])
    assert errors == [b"00000000000002: no such message in the queue"]


# --- who may change what


@pytest.mark.parametrize(
    ("action", "held", "there", "due"),
    [(b"ahold", True, True, 1100.0), (b"adelete", None, False, None),
     (b"arelease", False, True, 1100.0)],
)  # fmt: skip
def test_owner_changes_his_own(spool: MemorySpool, action, held, there, due) -> None:
    spool.wait(0)
    assert ask(spool, JOE, action, b"q" + FIRST.encode()) == (0, [], [])
    changed = spool.find(FIRST)
    assert (changed is not None) is there
    if changed is not None:
        assert (changed.held, changed.next_attempt) == (held, due)
    assert spool.wait(0)


@pytest.mark.parametrize("action", [b"ahold", b"adelete", b"arelease"])
def test_nobody_changes_what_is_not_his(spool: MemorySpool, action: bytes) -> None:
    before = spool.find(SECOND)
    status, _, errors = ask(spool, JOE, action, b"q" + SECOND.encode())
    assert status == 69
    assert errors == [b"00000000000002: no such message in the queue"]
    assert spool.find(SECOND) == before


@pytest.mark.parametrize(
    "queue_id", [THIRD.encode(), b"nonsense", b"../../etc/passwd", b"\xff\x1b", b""], ids=repr
)
def test_id_that_is_not_there_is_told(spool: MemorySpool, queue_id: bytes) -> None:
    status, _, [error] = ask(spool, ROOT, b"ahold", b"q" + queue_id)
    assert status == 69
    assert error.endswith(b": no such message in the queue")
    assert b"\x1b" not in error


def test_one_that_is_missing_does_not_stop_the_others(spool: MemorySpool) -> None:
    status, _, errors = ask(spool, ROOT, b"ahold", b"q" + THIRD.encode(), b"q" + FIRST.encode())
    assert (status, len(errors)) == (69, 1)
    assert spool.find(FIRST).held


def test_entry_in_hand_is_busy_except_for_a_flush(spool: MemorySpool) -> None:
    spool.claim(FIRST)
    status, _, errors = ask(spool, ROOT, b"adelete", b"q" + FIRST.encode())
    assert status == 75
    assert errors == [b"00000000000001 is being attempted at this moment"]
    assert ask(spool, ROOT, b"aflush", b"q" + FIRST.encode()) == (0, [], [])


def test_flush_is_of_all_and_only_for_the_trusted(spool: MemorySpool) -> None:
    for viewer in (JOE, STRANGER):
        status, output, [error] = ask(spool, viewer, b"aflush")
        assert (status, output) == (77, [])
        assert error.startswith(b"only root")
    assert ask(spool, ROOT, b"aflush", b"q" + FIRST.encode()) == (0, [], [])
    assert [spool.find(queue_id).next_attempt for queue_id in (FIRST, SECOND)] == [0.0, 1100.0]
    assert ask(spool, ROOT, b"aflush") == (0, [], [])
    assert [spool.find(queue_id).next_attempt for queue_id in (FIRST, SECOND)] == [0.0, 0.0]


@pytest.mark.parametrize("here", [True, False], ids=["daemon", "no daemon"])
def test_flush_is_of_what_the_filters_leave(spool: MemorySpool, here: bool) -> None:
    assert ask(spool, ROOT, b"aflush", b"mI0002", here=here) == (0, [], [])
    assert [spool.find(queue_id).next_attempt for queue_id in (FIRST, SECOND)] == [1100.0, 0.0]
    assert ask(spool, ROOT, b"aflush", b"mRnobody", here=here) == (0, [], [])
    assert spool.find(FIRST).next_attempt == 1100.0


def test_flush_writes_nothing_but_for_a_daemon_that_is_yet_to_come(tmp_path: Path) -> None:
    spool = DirectorySpool.create(tmp_path)
    enter(spool, FIRST)
    enter(spool, SECOND)
    spool.change(SECOND, "hold")
    for here, written in ((True, 1100.0), (False, 0.0)):
        assert ask(spool, ROOT, b"aflush", here=here) == (0, [], [])
        assert spool.due(1.0, 10) == [FIRST]
        assert spool.find(FIRST).next_attempt == written
    spool.close()


def test_flush_is_not_stopped_by_what_is_being_attempted_or_broken(tmp_path: Path) -> None:
    spool = DirectorySpool.create(tmp_path)
    for queue_id in (FIRST, SECOND, THIRD):
        enter(spool, queue_id)
    claim = spool.claim(FIRST)
    (tmp_path / "queue" / SECOND).write_bytes(b"no entry")
    assert ask(spool, ROOT, b"aflush", here=False) == (0, [], [])
    assert spool.find(THIRD).next_attempt == 0.0
    claim.release()
    spool.close()


def test_waited_for_flush_ends_when_everything_has_been_attempted(spool: MemorySpool) -> None:
    """One is delivered, one deferred, by a runner that takes his time."""
    runner = Runner()

    def attempt_both() -> None:
        for queue_id, outcomes in (
            (FIRST, [deferred(ALICE), deferred(BOB)]),
            (SECOND, [delivered(ALICE), delivered(BOB)]),
        ):
            wait_until(lambda found=queue_id: spool.find(found).next_attempt == 0.0)
            spool.claim(queue_id).settle(outcomes, time.time() + 300, now=time.time())

    thread = threading.Thread(target=attempt_both)
    runner.at_work = True
    thread.start()
    answer = list(respond(spool, [b"aflush", b"w"], ROOT, runner))
    assert answer == [(b"x", b"0")]
    assert spool.find(SECOND) is None
    assert spool.find(FIRST).attempts == 1
    thread.join()


def test_waited_for_flush_ends_when_nobody_is_at_work(
    spool: MemorySpool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "IDLE_S", 0.1)
    assert ask(spool, ROOT, b"aflush", b"w") == (0, [], [])
    assert spool.find(FIRST).attempts == 0


def test_waited_for_flush_does_not_wait_for_what_is_held(spool: MemorySpool) -> None:
    for queue_id in (FIRST, SECOND):
        spool.change(queue_id, "hold")
    runner = Runner()
    runner.at_work = True
    assert list(respond(spool, [b"aflush", b"w"], ROOT, runner)) == [(b"x", b"0")]


def test_flush_of_an_empty_queue_is_no_error_and_wakes_the_scheduler() -> None:
    spool = MemorySpool()
    assert ask(spool, ROOT, b"aflush") == (0, [], [])
    assert spool.wait(0)  # for the drop directory


@pytest.mark.parametrize("here", [True, False], ids=["daemon", "no daemon"])
def test_entry_that_goes_out_during_a_flush_of_all_is_no_error(here: bool) -> None:
    class Going(MemorySpool):
        def ids(self):
            return iter([FIRST, SECOND])

    spool = Going()
    enter(spool, SECOND)
    assert ask(spool, ROOT, b"aflush", here=here) == (0, [], [])
    assert spool.find(SECOND).next_attempt == 0.0


@pytest.mark.parametrize("records", [(b"aburn",), (), (b"zz",), (b"a\x1b[2J",)])
def test_unknown_action_is_refused(spool: MemorySpool, records: tuple[bytes, ...]) -> None:
    status, _, [error] = ask(spool, ROOT, *records)
    assert status == 64
    assert error.startswith(b"unknown action")
    assert b"\x1b" not in error


@pytest.mark.parametrize(("viewer", "told"), [(ROOT, 1), (JOE, 0)], ids=["trusted", "another"])
def test_only_a_trusted_flush_has_the_smarthosts_tried(spool, viewer: Viewer, told: int) -> None:
    retries: list[int] = []
    for action in (b"aflush", b"ahold", b"alist"):
        ask(spool, viewer, action, b"q" + FIRST.encode(), retry_now=lambda: retries.append(1))
    assert len(retries) == told


@pytest.mark.parametrize(
    ("records", "method"),
    [
        ((b"alist",), "entries"),
        ((b"alist", b"j"), "entries"),
        ((b"ashow", b"q" + FIRST.encode()), "open_message"),
        ((b"ahold", b"q" + FIRST.encode()), "change"),
        ((b"aflush",), "ids"),
        ((b"aflush", b"mRalice"), "entries"),
    ],
    ids=["list", "list json", "show", "hold", "flush", "filtered flush"],
)
@pytest.mark.parametrize("trouble", [SpoolError("no disk"), OSError("no disk")], ids=repr)
def test_trouble_with_the_spool_is_an_answer(
    spool, records: tuple[bytes, ...], method: str, trouble: Exception, monkeypatch
) -> None:
    def fail(*_: object) -> None:
        raise trouble

    monkeypatch.setattr(spool, method, fail)
    status, _, errors = ask(spool, ROOT, *records)
    assert (status, errors) == (75, [b"no disk"])


# --- who is trusted


def test_root_and_the_daemons_user_are_trusted() -> None:
    assert viewer_of(0, 0).trusted
    assert viewer_of(os.geteuid(), os.getegid()).trusted


def test_stranger_is_not_trusted() -> None:
    viewer = viewer_of(4_000_000_001, 4_000_000_001)
    assert (viewer.uid, viewer.trusted) == (4_000_000_001, False)


def test_roots_group_trusts_nobody_for_being_in_it() -> None:
    assert groups_of(4_000_000_001, 0) == []
