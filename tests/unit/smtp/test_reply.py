from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.smtp import ProtocolError, Reply
from pysendmail.smtp.reply import MAX_LINE, MAX_LINES, MAX_OCTETS, MAX_WAITING, ReplyParser


def replies(*chunks: bytes) -> list[Reply]:
    parser = ReplyParser()
    found = []
    for chunk in chunks:
        parser.feed(chunk)
        while (reply := parser.next()) is not None:
            found.append(reply)
    return found


def each_split(octets: bytes) -> list[list[bytes]]:
    """Whole, byte by byte, and every cut in two."""
    cuts = [[octets[:i], octets[i:]] for i in range(1, len(octets))]
    return [[octets], [octets[i : i + 1] for i in range(len(octets))], *cuts]


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"250 fine\r\n", Reply(250, (b"fine",))),
        (b"250-one\r\n250 two\r\n", Reply(250, (b"one", b"two"))),
        (b"250\r\n", Reply(250, (b"",))),
        (b"250-a\r\n250\r\n", Reply(250, (b"a", b""))),
        (b"250 STARTTLS\n", Reply(250, (b"STARTTLS",))),
        (b"250 cr\r\r\n", Reply(250, (b"cr\r",))),
        (b"299 unlisted\r\n", Reply(299, (b"unlisted",))),
        (b"554 \xff\x00\x1b[1m\r\n", Reply(554, (b"\xff\x00\x1b[1m",))),
        (b"250 " + b"x" * 600 + b"\r\n", Reply(250, (b"x" * 600,))),
    ],
    ids=["one", "two", "bare", "bare-last", "lf", "cr", "unlisted", "not-ascii", "600"],
)
def test_reply_is_read_however_it_is_cut(octets: bytes, expected: Reply) -> None:
    for chunks in each_split(octets):
        assert replies(*chunks) == [expected]


def test_two_replies_in_a_packet_come_one_after_the_other() -> None:
    assert [r.code for r in replies(b"250 a\r\n354 b\r\n")] == [250, 354]


@pytest.mark.parametrize(
    "octets",
    [
        b"\r\n",
        b"25\r\n",
        b"abc\r\n",
        b"2x0 no\r\n",
        b"150 no\r\n",
        b"650 no\r\n",
        b"250_no\r\n",
        b"250no\r\n",
        b" 250 no\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\xb2\xb5\xb0 x\r\n",
    ],
)
@pytest.mark.trap(9)
def test_malformed_line_is_protocol_error(octets: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        replies(octets)
    assert caught.value.line == octets.rstrip(b"\r\n")


@pytest.mark.trap(9)
def test_reply_code_changing_midway_is_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="code changes"):
        replies(b"250-a\r\n251 b\r\n")


@pytest.mark.parametrize("end", [b"", b"\r\n"], ids=["unfinished", "finished"])
@pytest.mark.trap(9)
def test_line_too_long_is_protocol_error(end: bytes) -> None:
    with pytest.raises(ProtocolError, match="too long"):
        replies(b"250 " + b"x" * 20_000 + end)


def test_long_challenge_is_read() -> None:
    assert len(replies(b"334 " + b"x" * 12_288 + b"\r\n")[0].lines[0]) == 12_288
    assert MAX_LINE > 12_288


@pytest.mark.trap(9)
def test_endless_continuation_is_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="endless"):
        replies(b"250-x\r\n" * (MAX_LINES + 1))


def test_reply_with_too_many_octets_is_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="endless"):
        replies((b"250-" + b"x" * 10_000 + b"\r\n") * (MAX_OCTETS // 10_000 + 1))


def test_replies_nobody_takes_are_bounded() -> None:
    parser = ReplyParser()
    with pytest.raises(ProtocolError, match="more replies than"):
        for _ in range(MAX_WAITING // 1000 + 1):
            parser.feed(b"250 ok\r\n" * 125)


@pytest.mark.parametrize(
    ("octets", "left"),
    [(b"", False), (b"250 a\r\n", False), (b"250-a\r\n", True), (b"250 a\r\n2", True)],
)
def test_leftover_tells_of_octets_nobody_awaited(octets: bytes, left: bool) -> None:
    parser = ReplyParser()
    parser.feed(octets)
    parser.next()
    assert parser.leftover is left


@pytest.mark.parametrize(
    ("code", "text", "status"),
    [
        (550, b"5.1.1 no such user", b"5.1.1"),
        (250, b"2.0.0", b"2.0.0"),
        (550, b"2.1.1 contradiction", b""),
        (550, b"5.1 short", b""),
        (550, b"5.1.x junk", b""),
        (550, b"5.1.1000 long", b""),
        (550, b"no status", b""),
        (550, b"", b""),
    ],
)
@pytest.mark.trap(22)
def test_enhanced_status_must_agree_with_the_code(code: int, text: bytes, status: bytes) -> None:
    assert Reply(code, (text,)).enhanced == status


def test_reply_is_a_value() -> None:
    reply = Reply(250, (b"a", b"b"))
    assert reply == Reply(250, (b"a", b"b"))
    assert hash(reply) == hash(Reply(250, (b"a", b"b")))
    assert reply != Reply(251, (b"a", b"b"))
    assert reply != "250 a"
    assert reply.text == b"a\nb"
    assert repr(reply) == "Reply(250, (b'a', b'b'))"


@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"250 a\r\n", b"250-", b"\r\n"])))
@pytest.mark.trap(8)
def test_any_octets_give_replies_or_protocol_error(chunks: list[bytes]) -> None:
    try:
        found = replies(*chunks)
    except ProtocolError:
        return
    assert all(200 <= reply.code <= 599 and reply.lines for reply in found)


line = st.binary(max_size=60).filter(lambda text: b"\n" not in text and not text.endswith(b"\r"))


@given(st.integers(200, 599), st.lists(line, min_size=1, max_size=6), st.data())
def test_any_reply_is_read_at_any_chunking(
    code: int, lines: list[bytes], data: st.DataObject
) -> None:
    octets = b"".join(b"%d-%s\r\n" % (code, text) for text in lines[:-1])
    octets += b"%d %s\r\n" % (code, lines[-1])
    cut = data.draw(st.integers(0, len(octets)))
    assert replies(octets[:cut], octets[cut:]) == [Reply(code, tuple(lines))]
