"""Notices: to whom they go, and when there are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from pysendmail.message.envelope import Envelope, Recipient
from pysendmail.message.outcome import DEFERRED, FAILED, Outcome
from pysendmail.message.queue_id import is_queue_id
from pysendmail.submission.notices import bounce, delay_warning, log_notices
from tests.unit.spool.samples import ALICE, message, octets
from tests.unit.submission.samples import CONFIG, NOW, FakeJournal

FAILURE = Outcome(ALICE, FAILED, b"5.1.1", b"550 who", b"mx")
DEFERRAL = Outcome(ALICE, DEFERRED, b"4.2.0", b"450 later", b"mx")


def envelope(sender: bytes = b"root@example.org", *notify: bytes) -> Envelope:
    return Envelope(sender, (Recipient(ALICE, notify),))


def made(compose, sent: Envelope, outcome: Outcome, config=CONFIG):
    return compose(sent, message(), [outcome], config=config, arrived=NOW - 20000, now=NOW)


@pytest.mark.parametrize(("compose", "outcome"), [(bounce, FAILURE), (delay_warning, DEFERRAL)])
def test_notice_goes_to_the_sender_from_nobody_and_at_once(compose, outcome: Outcome) -> None:
    [(queue_id, sent, report, due)] = made(compose, envelope(b"joe@x.net"), outcome)
    assert is_queue_id(queue_id)
    assert sent.sender == b""
    assert [recipient.address for recipient in sent.recipients] == [b"joe@x.net"]
    assert outcome.text in octets(report)
    assert due == NOW


@pytest.mark.parametrize(
    ("compose", "outcome", "sent"),
    [
        (bounce, FAILURE, envelope(b"")),
        (bounce, FAILURE, envelope(b"j@x", b"NEVER")),
        (bounce, FAILURE, envelope(b"j@x", b"DELAY")),
        (delay_warning, DEFERRAL, envelope(b"")),
        (delay_warning, DEFERRAL, envelope(b"j@x", b"FAILURE")),
    ],
)
def test_no_notice_where_nobody_wants_to_hear(compose, outcome: Outcome, sent: Envelope) -> None:
    assert made(compose, sent, outcome) == []


def test_notice_to_root_follows_the_configuration(tmp_path: Path) -> None:
    config = CONFIG.replaced(root=b"admin@x.net")
    [(_, sent, _, _)] = made(bounce, envelope(), FAILURE, config)
    assert [recipient.address for recipient in sent.recipients] == [b"admin@x.net"]


def test_notice_that_aliases_lead_nowhere_keeps_its_address(tmp_path: Path) -> None:
    path = tmp_path / "aliases"
    path.write_text("root: |program\n")
    config = CONFIG.replaced(aliases=str(path))
    [(_, sent, _, _)] = made(bounce, envelope(), FAILURE, config)
    assert [recipient.address for recipient in sent.recipients] == [b"root@example.org"]


def test_notice_to_a_login_name_follows_its_alias_and_no_other_rule(tmp_path: Path) -> None:
    path = tmp_path / "aliases"
    path.write_text("www-data: admin@x.net\n")
    config = CONFIG.replaced(aliases=str(path), unknown_local=b"all@x.net")
    for sender, expected in (b"www-data", b"admin@x.net"), (b"boss", b"boss@example.org"):
        [(_, sent, _, _)] = made(bounce, envelope(sender + b"@example.org"), FAILURE, config)
        assert [recipient.address for recipient in sent.recipients] == [expected]


def test_notices_are_logged_with_their_ids() -> None:
    journal = FakeJournal()
    notices = made(bounce, envelope(b"joe@x.net"), FAILURE)
    log_notices(journal, "00000000000009", notices)  # type: ignore[arg-type]
    assert journal.events == [("00000000000009", "notice")]
    assert journal.facts == [{"id": notices[0][0], "to": b"joe@x.net"}]
