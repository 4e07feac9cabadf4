"""The fields every message must have."""

from __future__ import annotations

import time
from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime

import pytest

from pysendmail.message.identity import complete, format_received, gecos_name
from pysendmail.message.message import Message
from tests.unit.message.samples import taken

NOW = 1704067200.75
QUEUE_ID = "0123456789ABCD"


def completed(
    text: bytes,
    *,
    author: bytes = b"alice@example.test",
    full_name: bytes = b"Alice Liddell",
    received: bytes = b"from userid 1000",
    gateway: bool = False,
) -> Message:
    return complete(
        taken(text),
        author=author,
        full_name=full_name,
        hostname=b"client.example.test",
        queue_id=QUEUE_ID,
        now=NOW,
        received=received,
        gateway=gateway,
    )


def value(message: Message, name: bytes) -> bytes:
    fields = message.all(name)
    assert len(fields) == 1, name
    return fields[0].value


def test_message_without_identity_gets_one_of_each() -> None:
    message = completed(b"Subject: t\n\nbody\n")
    assert value(message, b"From") == b"Alice Liddell <alice@example.test>"
    assert parsedate_to_datetime(value(message, b"Date").decode()).timestamp() == int(NOW)
    assert value(message, b"Message-ID") == b"<20240101000000.0123456789ABCD@client.example.test>"
    assert value(message, b"Subject") == b"t"
    assert b"".join(message.body.chunks()) == b"body\r\n"


def test_received_is_always_first() -> None:
    message = completed(b"Received: by elsewhere\nSubject: t\n\n")
    raw = message.fields[0].raw
    assert raw.startswith(
        b"Received: by client.example.test (pysendmail, from userid 1000)\r\n\tid 0123456789ABCD; "
    )
    date = raw.partition(b"; ")[2].decode()
    assert parsedate_to_datetime(date).timestamp() == int(NOW)


def test_given_fields_are_not_changed() -> None:
    given = b"from: B <b@x>\r\nDATE: Mon,\r\n 1 Jan 2024 00:00:00 +0000\r\nmessage-id: <x@y>\r\n"
    message = completed(given + b"\r\n")
    assert message.header.endswith(given)
    assert len(message.fields) == 4


def test_empty_fields_are_as_good_as_missing() -> None:
    message = completed(b"From:\nDate: \nMessage-ID:\nSubject:\n\n")
    assert value(message, b"From") == b"Alice Liddell <alice@example.test>"
    assert value(message, b"Message-ID") != b""
    assert value(message, b"Subject") == b""


@pytest.mark.parametrize(
    ("full_name", "author"),
    [
        pytest.param(b"", b"alice@example.test", id="no-name"),
        pytest.param(b"Doe, J.", b'"Doe, J." <alice@example.test>', id="quoted"),
        pytest.param(b"x\r\nBcc: y", b'"x Bcc: y" <alice@example.test>', id="header-injection"),
        pytest.param("Zoë".encode(), b"=?utf-8?B?Wm/Dqw==?= <alice@example.test>", id="utf-8"),
    ],
)
def test_author_has_the_given_name(full_name: bytes, author: bytes) -> None:
    assert value(completed(b"\n", full_name=full_name), b"From") == author


def test_resent_message_gets_the_resent_fields_that_are_missing() -> None:
    message = completed(b"Resent-To: r@x\nResent-From: bob@x\nTo: a@x\nFrom: c@x\n\n")
    assert value(message, b"Resent-From") == b"bob@x"
    assert value(message, b"From") == b"c@x"
    for name in (b"Resent-Date", b"Resent-Message-ID", b"Date", b"Message-ID"):
        assert value(message, name)


def test_gateway_message_gets_the_trace_only() -> None:
    message = completed(b"Subject: t\n\n", gateway=True)
    assert [field.name for field in message.fields] == [b"Received", b"Subject"]


def test_origin_of_a_message_cannot_break_out_of_its_comment() -> None:
    message = completed(b"\n", received=b"from x) by evil (\\\r\nBcc: y\xff")
    assert message.fields[0].raw.startswith(
        b"Received: by client.example.test "
        b"(pysendmail, from x\\) by evil \\(\\\\??Bcc: y?)\r\n\tid "
    )


def test_message_that_came_by_smtp_says_from_where() -> None:
    field = format_received(
        b"host.example.test", b"", QUEUE_ID, NOW, client=b"x ([127.0.0.1])", protocol=b"ESMTP"
    )
    assert field.raw.startswith(
        b"Received: from x ([127.0.0.1])\r\n\tby host.example.test (pysendmail) with ESMTP\r\n\tid "
    )


def test_hostile_author_cannot_add_a_field() -> None:
    with pytest.raises(ValueError, match="more than one field"):
        completed(b"\n", author=b"a@x>\r\nBcc: <b@x")


def test_fields_are_understood_by_others() -> None:
    read = message_from_bytes(
        b"".join(completed(b"Subject: t\n\nbody\n").chunks()), policy=policy.default
    )
    assert read["From"].addresses[0].addr_spec == "alice@example.test"
    assert read["Date"].datetime.timestamp() == int(NOW)
    assert read.get_content() == "body\r\n"
    assert not any(read[name].defects for name in ("From", "Date", "Message-ID"))


def test_dates_are_of_the_local_zone() -> None:
    offset = time.strftime("%z", time.localtime(NOW))
    assert value(completed(b"\n"), b"Date").endswith(offset.encode())


@pytest.mark.parametrize(
    ("gecos", "login", "name"),
    [
        pytest.param(b"Alice Liddell,Room 1,,", b"alice", b"Alice Liddell", id="commas"),
        pytest.param(b"& Administrator", b"root", b"Root Administrator", id="ampersand"),
        pytest.param(b"", b"root", b"", id="empty"),
        pytest.param(b" ,x", b"root", b"", id="blank"),
    ],
)
def test_full_name_is_read_from_gecos(gecos: bytes, login: bytes, name: bytes) -> None:
    assert gecos_name(gecos, login) == name
