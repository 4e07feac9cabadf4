"""What a transaction asks for, and what its answer is as a reply."""

from __future__ import annotations

import pytest

from pysendmail.message.envelope import Recipient
from pysendmail.smtp.reply import Reply
from pysendmail.smtp.server import Transaction
from pysendmail.smtp.server.commands import parse_mail, parse_rcpt
from pysendmail.submission.answer import Answer
from pysendmail.submission.exit_status import Refused
from pysendmail.submission.smtp_door import is_address, reply_to, wishes_of
from tests.unit.submission.samples import QUEUE_ID


def transaction(mail: bytes, *recipients: bytes) -> Transaction:
    asked = parse_mail(b"FROM:" + mail)
    asked.recipients += [parse_rcpt(b"TO:" + recipient) for recipient in recipients]
    return asked


def test_what_was_not_said_is_not_in_the_request() -> None:
    assert wishes_of(transaction(b"<>", b"<b@c>")) == {
        "sender": b"",
        "recipients": (Recipient(b"b@c"),),
    }


def test_all_that_was_said_is_in_the_request() -> None:
    said = transaction(
        b"<a> BODY=8BITMIME RET=FULL ENVID=id", b"<b@c> NOTIFY=DELAY ORCPT=rfc822;x", b"<d>"
    )
    assert wishes_of(said) == {
        "sender": b"a",
        "recipients": (Recipient(b"b@c", (b"DELAY",), b"rfc822;x"), Recipient(b"d")),
        "body_type": b"8BITMIME",
        "ret": b"FULL",
        "envid": b"id",
    }


@pytest.mark.parametrize(
    ("wishes", "notify"),
    [
        ([b"NEVER", b"NEVER"], (b"NEVER",)),
        ([b"NEVER", b"DELAY"], ()),
    ],
)
def test_notify_that_everybody_has_is_the_requests(
    wishes: list[bytes], notify: tuple[bytes, ...]
) -> None:
    said = transaction(b"<a>", *[b"<b> NOTIFY=" + wish for wish in wishes])
    assert wishes_of(said)["notify"] == notify


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (Answer(0), Reply(250, (b"2.0.0 Ok: queued as " + QUEUE_ID.encode(),))),
        (Answer(67, errors=[b"b: 550 who"]), Reply(550, (b"5.1.1 b: 550 who",))),
        (Answer(69, errors=[b"b: 554 no"]), Reply(554, (b"5.0.0 b: 554 no",))),
        (Answer(65, errors=[b"x"]), Reply(554, (b"5.6.0 x",))),
        (Answer(64, errors=[b"x"]), Reply(554, (b"5.0.0 x",))),
        (Answer(75, errors=[b"x"]), Reply(452, (b"4.3.0 x",))),
        (Answer(78, errors=[b"x"]), Reply(451, (b"4.3.5 x",))),
        (Answer(69), Reply(554, (b"5.0.0 The message was not taken",))),
    ],
)
def test_answer_is_a_reply(answer: Answer, reply: Reply) -> None:
    assert reply_to(lambda: answer, QUEUE_ID) == reply


def refuse() -> Answer:
    raise Refused(75, b"the spool is full")


def fail() -> Answer:
    raise RuntimeError("a bug")


def test_refusal_and_trouble_of_our_own_are_replies_too() -> None:
    noted: list[Exception] = []
    assert reply_to(refuse, QUEUE_ID, noted.append) == Reply(452, (b"4.3.0 the spool is full",))
    assert noted == []
    assert reply_to(fail, QUEUE_ID, noted.append) == Reply(452, (b"4.3.0 RuntimeError: a bug",))
    assert len(noted) == 1


def test_address_is_one_and_no_list() -> None:
    assert all(map(is_address, [b"root", b"a@b", b'"a b"@c', "é@b".encode()]))
    assert not any(map(is_address, [b"", b"a,b", b"a@b@c", b"a b"]))
