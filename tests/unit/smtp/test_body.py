from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.smtp.body import BLOCK_OCTETS, data_blocks


def wire(*chunks: bytes) -> bytes:
    return b"".join(data_blocks(chunks))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"", b".\r\n"),
        (b"a\r\nb\r\n", b"a\r\nb\r\n.\r\n"),
        (b"a\nb\n", b"a\r\nb\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"a.", b"a.\r\n.\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b".a\r\n..b\r\n", b"..a\r\n...b\r\n.\r\n"),
        (b"a\n.\nb", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r.\rb\r\n", b"a . b\r\n.\r\n"),
        (b"a\r\r\n", b"a \r\n.\r\n"),
        (b"a\r", b"a\r\n.\r\n"),
        (b"a\0b\n", b"ab\r\n.\r\n"),
        (b"\0", b".\r\n"),
        (b"a\r\0\nb\0\r\n", b"a\r\nb\r\n.\r\n"),
        (b"x" * 2000 + b"\n", b"x" * 2000 + b"\r\n.\r\n"),
        (b"\xff\xfe\r\n", b"\xff\xfe\r\n.\r\n"),
    ],
    ids=[
        "empty", "crlf-stays", "lf", "no-final-newline", "dot-at-end", "lone-dot", "leading-dots",
        "lf-dot", "cr-dot", "cr-cr-lf", "cr-at-end", "nul", "only-nul", "nul-in-crlf", "long-line",
        "8-bit",
    ],
)  # fmt: skip
@pytest.mark.trap(5)
def test_message_becomes_wire_form(message: bytes, expected: bytes) -> None:
    assert wire(message) == expected
    assert wire(*(message[i : i + 1] for i in range(len(message)))) == expected


@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r\n\0.\r\n", b"\n.\0\r\n"]
)
@pytest.mark.trap(6)
def test_smuggled_end_of_data_does_not_end_the_message(end: bytes) -> None:
    sent = wire(b"Subject: x\r\n\r\nhello" + end + b"MAIL FROM:<evil@example.com>\r\n")
    assert sent.count(b"\r\n.\r\n") == 1
    assert sent.endswith(b"\r\n.\r\n")


def test_usual_message_is_one_block_with_its_end() -> None:
    assert list(data_blocks([b"A: b\r\n", b"\r\n", b"text\r\n"])) == [b"A: b\r\n\r\ntext\r\n.\r\n"]


def test_large_message_is_streamed_in_blocks() -> None:
    taken = 0

    def source():
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield b"x" * 998 + b"\r\n"

    blocks = data_blocks(source())
    first = next(blocks)
    assert len(first) >= BLOCK_OCTETS
    assert taken < 100
    assert b"".join((first, *blocks)) == (b"x" * 998 + b"\r\n") * 100 + b".\r\n"


hostile = st.lists(
    st.sampled_from([b"\r", b"\n", b".", b"x", b"\0", b"\r\n", b"\r\n.\r\n"]), max_size=30
).map(b"".join)


@given(hostile, st.lists(st.integers(0, 90), max_size=6))
@pytest.mark.trap(3)
def test_no_chunking_makes_an_early_end_or_a_stray_line_end(
    message: bytes, cuts: list[int]
) -> None:
    edges = [0, *sorted(cuts), len(message)]
    pieces = [message[a:b] for a, b in pairwise(edges)]
    sent = wire(*pieces)
    assert sent == wire(message)
    assert sent == b".\r\n" or sent.endswith(b"\r\n.\r\n")
    lines = sent.split(b"\r\n")
    assert lines.index(b".") == len(lines) - 2
    assert not any(b"\r" in line or b"\n" in line or b"\0" in line for line in lines)


@given(hostile)
def test_receiver_gets_the_lines_of_the_author(message: bytes) -> None:
    lines = wire(message).split(b"\r\n")[:-2]
    received = [line[1:] if line.startswith(b".") else line for line in lines]
    text = message.replace(b"\0", b"")
    end = b"\n" if text.endswith(b"\r") else b""
    text = text.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b" ") + end
    expected = text.removesuffix(b"\n").split(b"\n") if text else []
    assert received == expected
