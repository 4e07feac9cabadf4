"""Notices: to whom they go, and when there are none."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pysendmail.config.keys import Config
from pysendmail.message.bounce import DELAY, FAILURE, RELAYED, Kind
from pysendmail.message.envelope import Envelope, Recipient
from pysendmail.message.outcome import DEFERRED, DELIVERED, FAILED, Outcome
from pysendmail.message.queue_id import is_queue_id
from pysendmail.spool.contract import Notice
from pysendmail.submission.notices import log_notices, log_untold, notice
from tests.unit.spool.samples import ALICE, message, octets
from tests.unit.submission.samples import CONFIG, NOW, FakeJournal

FAILED_ONE = Outcome(ALICE, FAILED, b"5.1.1", b"550 who", b"mx")
DEFERRED_ONE = Outcome(ALICE, DEFERRED, b"4.2.0", b"450 later", b"mx")


def envelope(sender: bytes = b"root@example.org", *notify: bytes) -> Envelope:
    return Envelope(sender, (Recipient(ALICE, notify),))


RELAYED_ONE = Outcome(ALICE, DELIVERED, b"2.0.0", b"250 ok", b"mx")


def made(kind: Kind, sent: Envelope, outcome: Outcome, config: Config = CONFIG) -> list[Notice]:
    return notice(kind, sent, message(), [outcome], config=config, arrived=NOW - 20000, now=NOW)


@pytest.mark.parametrize(
    ("kind", "outcome", "notify"),
    [
        (FAILURE, FAILED_ONE, ()),
        (DELAY, DEFERRED_ONE, ()),
        (RELAYED, RELAYED_ONE, (b"SUCCESS",)),
    ],
    ids=repr,
)
def test_notice_goes_to_the_sender_from_nobody_and_at_once(
    kind: Kind, outcome: Outcome, notify: tuple[bytes, ...]
) -> None:
    [(queue_id, sent, report, due)] = made(kind, envelope(b"joe@x.net", *notify), outcome)
    assert is_queue_id(queue_id)
    assert sent.sender == b""
    assert [recipient.address for recipient in sent.recipients] == [b"joe@x.net"]
    assert outcome.text in octets(report)
    assert due == NOW


@pytest.mark.parametrize(
    ("kind", "outcome", "sent"),
    [
        (FAILURE, FAILED_ONE, envelope(b"")),
        (FAILURE, FAILED_ONE, envelope(b"j@x", b"NEVER")),
        (FAILURE, FAILED_ONE, envelope(b"j@x", b"DELAY")),
        (DELAY, DEFERRED_ONE, envelope(b"")),
        (DELAY, DEFERRED_ONE, envelope(b"j@x", b"FAILURE")),
        (RELAYED, RELAYED_ONE, envelope(b"j@x")),
        (RELAYED, RELAYED_ONE, envelope(b"", b"SUCCESS")),
    ],
)
def test_no_notice_where_nobody_wants_to_hear(kind: Kind, outcome: Outcome, sent: Envelope) -> None:
    assert made(kind, sent, outcome) == []


def test_notice_is_written_by_whom_the_smarthost_takes() -> None:
    config = CONFIG.replaced(sender=b"all@x.test", from_=b"all@x.test", rewrite="all")
    [(_, sent, report, _)] = made(FAILURE, envelope(), FAILED_ONE, config)
    assert sent.sender == b""
    assert b"<all@x.test>" in report.all(b"From")[0].value
    assert report.find(b"Reply-To") is None


def test_notice_to_root_follows_the_configuration(tmp_path: Path) -> None:
    config = CONFIG.replaced(root=b"admin@x.net")
    [(_, sent, _, _)] = made(FAILURE, envelope(), FAILED_ONE, config)
    assert [recipient.address for recipient in sent.recipients] == [b"admin@x.net"]


def test_notice_that_aliases_lead_nowhere_keeps_its_address(tmp_path: Path) -> None:
    path = tmp_path / "aliases"
    path.write_text("root: |program\n")
    config = CONFIG.replaced(aliases=str(path))
    [(_, sent, _, _)] = made(FAILURE, envelope(), FAILED_ONE, config)
    assert [recipient.address for recipient in sent.recipients] == [b"root@example.org"]


def test_notice_to_a_login_name_follows_its_alias_and_no_other_rule(tmp_path: Path) -> None:
    path = tmp_path / "aliases"
    path.write_text("www-data: admin@x.net\n")
    config = CONFIG.replaced(aliases=str(path), unknown_local=b"all@x.net")
    for sender, expected in (b"www-data", b"admin@x.net"), (b"boss", b"boss@example.org"):
        [(_, sent, _, _)] = made(FAILURE, envelope(sender + b"@example.org"), FAILED_ONE, config)
        assert [recipient.address for recipient in sent.recipients] == [expected]


def test_notice_is_made_even_if_the_aliases_cannot_be_read(tmp_path: Path) -> None:
    config = CONFIG.replaced(aliases=str(tmp_path), root=b"admin@x.net")
    [(_, sent, _, _)] = made(FAILURE, envelope(), FAILED_ONE, config)
    assert [recipient.address for recipient in sent.recipients] == [b"admin@x.net"]


@pytest.mark.parametrize(
    ("sent", "unwanted", "why"),
    [
        (envelope(b""), False, "the sender is null"),
        (envelope(b"j@x", b"NEVER"), False, "not wanted (NOTIFY)"),
        (envelope(b"j@x"), True, "not wanted (NOTIFY)"),
        (envelope(b"j@x"), False, ""),
    ],
)
def test_failure_of_which_nobody_hears_is_logged(sent: Envelope, unwanted: bool, why: str) -> None:
    journal = FakeJournal()
    log_untold(journal, "00000000000009", sent, [FAILED_ONE], unwanted=unwanted)  # type: ignore[arg-type]
    assert journal.names() == (["no bounce"] if why else [])
    assert journal.facts == ([{"to": ALICE, "why": why}] if why else [])


def test_many_failures_are_matched_with_their_bounce_in_linear_time() -> None:
    recipients = [Recipient(b"%d@example.org" % number) for number in range(20_000)]
    failures = [Outcome(one.address, FAILED, b"5.1.1", b"no such user") for one in recipients]
    sent = Envelope(b"joe@x.net", recipients)
    began = time.process_time()
    assert log_untold(FakeJournal(), "00000000000009", sent, failures) == []  # type: ignore[arg-type]
    assert time.process_time() - began < 5


def test_notices_are_logged_with_their_ids() -> None:
    journal = FakeJournal()
    notices = made(FAILURE, envelope(b"joe@x.net"), FAILED_ONE)
    log_notices(journal, "00000000000009", notices)  # type: ignore[arg-type]
    assert journal.events == [("00000000000009", "notice")]
    assert journal.facts == [{"id": notices[0][0], "to": b"joe@x.net"}]
