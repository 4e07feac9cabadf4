"""Replies as octets: nothing anybody wrote can make two lines of one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pysendmail.smtp.reply import Reply, ReplyParser
from pysendmail.smtp.server.replies import format_reply


@given(st.integers(200, 599), st.lists(st.binary(max_size=600), min_size=1, max_size=4))
def test_any_reply_is_read_as_one_by_the_client_core(code: int, texts: list[bytes]) -> None:
    parser = ReplyParser()
    parser.feed(format_reply(Reply(code, tuple(texts)), enhanced=True))
    read = parser.next()
    assert read is not None
    assert (read.code, len(read.lines)) == (code, len(texts))
    assert parser.next() is None
    assert all(line.isascii() and len(line) <= 512 for line in read.lines)


def test_enhanced_status_is_left_out_for_clients_that_do_not_know_it() -> None:
    reply = Reply(250, (b"2.0.0 one", b"2.0.0 two"))
    assert format_reply(reply, enhanced=False) == b"250-one\r\n250 two\r\n"
    assert format_reply(reply, enhanced=True) == b"250-2.0.0 one\r\n250 2.0.0 two\r\n"
    assert format_reply(Reply(250, (b"host.example.org",)), enhanced=False) == (
        b"250 host.example.org\r\n"
    )
