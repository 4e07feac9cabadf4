"""Address fields completed in place."""

from __future__ import annotations

import pytest

from pysendmail.message.content import Content
from pysendmail.message.intake import read_message
from pysendmail.message.message import Message
from pysendmail.message.rewrite import qualify_headers, set_from


def taken(header: bytes) -> Message:
    return read_message([header], limit=100_000, content=Content)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(
            b"From: root (Cron Daemon)\r\n",
            b"From: root@o.test (Cron Daemon)\r\n",
            id="debian-cron",
        ),
        pytest.param(
            b'From: "(Cron Daemon)" <alice>\r\n',
            b'From: "(Cron Daemon)" <alice@o.test>\r\n',
            id="cronie",
        ),
        pytest.param(
            b"To: a, b@x,\r\n\tC <c> (d),\r\n  e\r\n",
            b"To: a@o.test, b@x,\r\n\tC <c@o.test> (d),\r\n  e@o.test\r\n",
            id="folded-list",
        ),
        pytest.param(b"to : g: a, b@x;\r\n", b"to : g: a@o.test, b@x;\r\n", id="group"),
        pytest.param(b"Cc: \\root\r\n", b"Cc: root@o.test\r\n", id="literal"),
        pytest.param(b"Cc: a b, c\r\n", b"Cc: a b, c@o.test\r\n", id="beside-a-bad-one"),
        pytest.param(
            b"Reply-To: a\r\nSender: b\r\nResent-From: c\r\nResent-Cc: d\r\n",
            b"Reply-To: a@o.test\r\nSender: b@o.test\r\nResent-From: c@o.test\r\n"
            b"Resent-Cc: d@o.test\r\n",
            id="every-address-field",
        ),
        pytest.param(b"Subject: a\r\nX-To: b\r\n", b"Subject: a\r\nX-To: b\r\n", id="other-fields"),
        pytest.param(b"To: a@x ,  B<b@y>\r\n", b"To: a@x ,  B<b@y>\r\n", id="nothing-to-do"),
        pytest.param(
            b"To: undisclosed-recipients:;\r\n",
            b"To: undisclosed-recipients:;\r\n",
            id="empty-group",
        ),
        pytest.param(b"To: Zo\xeb <a>\r\n", b"To: Zo\xeb <a@o.test>\r\n", id="8-bit-name"),
    ],
)
def test_bare_names_are_completed_in_place(header: bytes, expected: bytes) -> None:
    assert qualify_headers(taken(header), b"o.test").header == expected


def test_signed_message_is_never_touched() -> None:
    message = taken(b"From: root\nDkim-signature: v=1; h=from\n\n")
    assert qualify_headers(message, b"o.test").header == message.header
    assert set_from(message, b"m@o.test").header == message.header


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(
            b"From: A <a@x> (b)\r\nTo: t@x\r\n",
            b"From: A <m@o.test> (b)\r\nReply-To: a@x\r\nTo: t@x\r\n",
            id="name-is-kept",
        ),
        pytest.param(
            b"From: a@x\r\nReply-To: r@x\r\n",
            b"From: m@o.test\r\nReply-To: r@x\r\n",
            id="reply-to-is-kept",
        ),
        pytest.param(
            b"Reply-To:\r\nFrom: a@x\r\n",
            b"From: m@o.test\r\nReply-To: a@x\r\n",
            id="empty-reply-to",
        ),
        pytest.param(b"From: m@O.TEST\r\n", b"From: m@O.TEST\r\n", id="nothing-to-do"),
        pytest.param(
            b"From: a@x, b@x\r\n",
            b"From: m@o.test\r\nReply-To: a@x,\r\n\tb@x\r\n",
            id="several-authors",
        ),
        pytest.param(b"From: a b\r\n", b"From: m@o.test\r\n", id="unreadable"),
        pytest.param(
            b"From: a@x\r\nFrom: b@x\r\n", b"From: m@o.test\r\nReply-To: a@x\r\n", id="second-from"
        ),
        pytest.param(b"To: t@x\r\n", b"To: t@x\r\n", id="no-from"),
    ],
)
def test_from_is_set_and_the_author_kept_in_reply_to(header: bytes, expected: bytes) -> None:
    assert set_from(taken(header), b"m@o.test").header == expected
