"""Address fields completed in place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.message.address import parse_list
from pysendmail.message.message import parse_fields
from pysendmail.message.rewrite import qualify_headers, set_authors
from tests.unit.message.samples import taken


def always_m(address: bytes) -> bytes:
    return b"m@o.test"


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


@pytest.mark.parametrize("number", [1, 40], ids=["in one field", "in many"])
def test_names_stay_bare_where_the_header_could_not_be_read_again(number: int) -> None:
    names = 1000 * 1000 // 2 // number
    message = taken((b"To: " + b"a," * names + b"a\n") * number + b"From: root\n\n")
    header = qualify_headers(message, b"o.test").header
    assert header == message.header.replace(b"root", b"root@o.test")


def test_signed_message_is_never_touched() -> None:
    message = taken(b"From: root\nDkim-signature: v=1; h=from\n\n")
    assert qualify_headers(message, b"o.test").header == message.header
    assert set_authors(message, always_m).header == message.header


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
    assert set_authors(taken(header), always_m).header == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(
            b"From: root@x (Cron Daemon)\r\n",
            b"From: Cron Daemon <m@o.test>\r\nReply-To: root@x\r\n",
            id="debian-cron",
        ),
        pytest.param(
            b'From: "(Cron Daemon)" <root@x>\r\n',
            b'From: "(Cron Daemon)" <m@o.test>\r\nReply-To: root@x\r\n',
            id="cronie",
        ),
        pytest.param(
            "From: root@x\r\n (Jörg)\r\n".encode(),
            b"From: =?utf-8?B?SsO2cmc=?= <m@o.test>\r\nReply-To: root@x\r\n",
            id="comment-beyond-ascii",
        ),
        pytest.param(
            b"From: root@x (a (b))\r\n",
            b"From: m@o.test (a (b))\r\nReply-To: root@x\r\n",
            id="nested-comment-stays",
        ),
        pytest.param(
            b"From: root@x ()\r\n", b"From: m@o.test ()\r\nReply-To: root@x\r\n", id="no-name"
        ),
        pytest.param(
            b"Sender: s@x\r\nFrom: m@o.test\r\n", b"From: m@o.test\r\n", id="strange-sender-goes"
        ),
        pytest.param(
            b"Sender: m@o.test\r\nFrom: a@x\r\n",
            b"Sender: m@o.test\r\nFrom: m@o.test\r\nReply-To: a@x\r\n",
            id="own-sender-stays",
        ),
        pytest.param(
            b"Resent-From: r@x\r\nResent-Sender: s@x\r\nFrom: A <a@x>\r\n",
            b"Resent-From: m@o.test\r\nFrom: A <m@o.test>\r\nReply-To: a@x\r\n",
            id="resent",
        ),
        pytest.param(b"From: group: ;\r\n", b"From: m@o.test\r\n", id="empty-group"),
        pytest.param(b"From:\r\n", b"From:\r\n", id="empty-is-for-others-to-fill"),
    ],
)
def test_all_fields_that_a_server_looks_at_are_set(header: bytes, expected: bytes) -> None:
    assert set_authors(taken(header), always_m).header == expected


def test_author_who_may_stay_is_not_touched() -> None:
    message = taken(b"From: A <a@x>, b@x\r\nSender: c@x\r\nFrom: d@x\r\n")
    assert set_authors(message, lambda address: address) is message


def test_many_fields_cost_little() -> None:
    message = taken(b"From: a@x\nSender: s@x\n" * 4000)
    assert [field.key for field in set_authors(message, always_m).fields] == [b"from", b"reply-to"]


def test_reply_to_is_added_only_where_it_is_wanted() -> None:
    message = set_authors(taken(b"From: a@x\r\n"), always_m, reply_to=False)
    assert message.header == b"From: m@o.test\r\n"


NAMES = st.sampled_from([b"From", b"FROM", b"Sender", b"Reply-To", b"Resent-From", b"Subject"])
VALUES = st.lists(
    st.sampled_from(
        [b"a@x", b"m@o.test", b"<b@y>", b'"N, M"', b"Name ", b"(note)", b"(", b",", b";", b":",
         b"=?utf-8?Q?x?=", "ü".encode(), b" ", b"\n\t", b"group: "]
    ),
    max_size=6,
).map(b"".join)  # fmt: skip


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6))
def test_whatever_was_written_one_author_remains(fields: list[tuple[bytes, bytes]]) -> None:
    message = taken(b"".join(b"%b: %b\n" % field for field in fields) + b"\n")
    result = set_authors(message, always_m)
    before = [field for field in message.fields if field.key == b"subject"]
    assert [field for field in result.fields if field.key == b"subject"] == before
    for name in (b"from", b"resent-from", b"sender"):
        for field in result.all(name):
            assert not field.value or parse_list(field.body)[0][0].address.lower() == b"m@o.test"
    if any(field.value for field in message.all(b"from")):
        assert len([field for field in result.all(b"from") if field.value]) >= 1
    assert set_authors(result, always_m).fields == result.fields
    assert all(parse_fields(field.raw) == [field] for field in result.fields)
