"""The smarthost's verdict reaches the caller who waits for it, or the sender by a DSN."""

from __future__ import annotations

import email
import email.policy
from email.message import Message

import pytest

from tests.helpers.smarthost import END_OF_MESSAGE, RCPT, Received, Smarthost
from tests.helpers.system import Site

NO_SUCH_USER = "550 5.1.1 no such user"
REJECTED = "554 5.7.1 content rejected"
BAD, GOOD = "bad@example.net", "good@example.net"


def test_accepted_message_is_delivered_when_sendmail_returns_and_nothing_is_said(
    site: Site, smarthost: Smarthost
) -> None:
    done = site.send("hello", GOOD)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    (received,) = smarthost.wait_for(1)
    assert (received.sender, received.recipients) == (b"sender@example.com", (GOOD.encode(),))
    assert received.content.endswith(b"\r\n\r\nHello.\r\n")
    assert site.is_idle()


@pytest.mark.parametrize(
    ("reply", "at", "status"),
    [
        (NO_SUCH_USER, RCPT, 67),
        ("553 5.1.3 no such mailbox", RCPT, 67),
        ("554 5.7.1 relaying denied", RCPT, 69),
        (REJECTED, END_OF_MESSAGE, 69),
    ],
)
def test_refusal_while_the_caller_waits_is_told_by_status_and_one_line(
    site: Site, smarthost: Smarthost, reply: str, at: str, status: int
) -> None:
    smarthost.answer(reply, at=at)
    done = site.send("refused", BAD, mode="-odi")
    assert (done.returncode, done.stdout) == (status, b"")
    (line,) = done.stderr.decode().splitlines()
    code, enhanced, words = reply.split(" ", 2)
    assert BAD in line
    assert all(part in line for part in (code, enhanced, words))
    smarthost.answer()
    site.wait_idle()
    assert smarthost.received() == []


@pytest.mark.parametrize(
    ("reply", "at"), [(NO_SUCH_USER, RCPT), (REJECTED, END_OF_MESSAGE)], ids=[RCPT, END_OF_MESSAGE]
)
def test_refusal_in_the_background_comes_back_as_a_dsn(
    site: Site, smarthost: Smarthost, reply: str, at: str
) -> None:
    smarthost.answer(reply, at=at, recipient=BAD)
    done = site.send("refused", BAD, mode="-odb")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    (received,) = smarthost.wait_for(1, seconds=60)
    assert received.sender == b""
    assert received.recipients == (b"sender@example.com",)
    (block,) = recipient_blocks(received)
    assert block["Final-Recipient"] == f"rfc822; {BAD}"
    assert (block["Action"], block["Status"]) == ("failed", reply.split()[1])
    site.wait_idle()
    assert len(smarthost.received()) == 1


def test_refusal_of_one_of_two_is_told_by_a_dsn_and_the_other_gets_the_message(
    site: Site, smarthost: Smarthost
) -> None:
    smarthost.answer(NO_SUCH_USER, recipient=BAD)
    assert site.send("shared", BAD, GOOD).returncode == 0
    received = {one.sender: one for one in smarthost.wait_for(2, seconds=60)}
    assert received[b"sender@example.com"].recipients == (GOOD.encode(),)
    assert [one["Final-Recipient"] for one in recipient_blocks(received[b""])] == [f"rfc822; {BAD}"]


def test_refused_message_of_the_null_sender_gives_no_dsn(site: Site, smarthost: Smarthost) -> None:
    smarthost.answer(NO_SUCH_USER, recipient=BAD)
    message = b"Subject: bounce\n\n"
    assert site.sendmail("-odb", "-f", "<>", "--", BAD, stdin=message).returncode == 0
    site.daemon.wait_for_log(lambda log: "no such user" in log, "the refusal in the log")
    site.wait_idle()
    assert smarthost.received() == []


def recipient_blocks(received: Received) -> list[Message]:
    """Return the per-recipient parts of a DSN (RFC 3464), read by the standard library."""
    report = email.message_from_bytes(received.content, policy=email.policy.default)
    assert report.get_content_type() == "multipart/report"
    (status,) = (
        part for part in report.walk() if part.get_content_type().endswith("/delivery-status")
    )
    blocks = status.get_payload()
    assert isinstance(blocks, list)
    per_message, *per_recipient = (block for block in blocks if isinstance(block, Message))
    assert per_message["Reporting-MTA"]
    return per_recipient
