"""Intake: whatever programs write becomes a canonical message."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pysendmail.message.content import Content
from pysendmail.message.envelope import RECIPIENTS_LIMIT
from pysendmail.message.intake import (
    FIELDS_LIMIT,
    HEADER_LIMIT,
    MessageError,
    MessageTooLarge,
    header_size,
    read_message,
    recipients_of,
    strip,
)
from pysendmail.message.message import Message
from pysendmail.message.slices import Octets


def take(chunks: Iterable[bytes], limit: int = 10_000_000) -> Message:
    return read_message(chunks, limit=limit, content=Content)


def taken(data: bytes) -> tuple[bytes, bytes]:
    message = take([data])
    return message.header, b"".join(message.body.chunks())


@pytest.mark.parametrize(
    ("data", "header", "body"),
    [
        pytest.param(b"S: t\n\nbody\n", b"S: t\r\n", b"body\r\n", id="lf"),
        pytest.param(b"S: t\r\n\r\nbody\r\n", b"S: t\r\n", b"body\r\n", id="crlf"),
        pytest.param(b"S: t\r\n\r\na\nb\r\n\nc", b"S: t\r\n", b"a\r\nb\r\n\r\nc\r\n", id="mixed"),
        pytest.param(b"S: t\r\r\n\r\r\r\na\r\r\n", b"S: t\r\n", b"a\r\n", id="several-cr"),
        pytest.param(b"S: a\rBcc: x\n\nb\rc\n", b"S: a Bcc: x\r\n", b"b c\r\n", id="lone-cr"),
        pytest.param(b"S: t\n\na\r\rb\r\r\n", b"S: t\r\n", b"a  b\r\n", id="lone-crs"),
        pytest.param(b"S: \0t\n\n\0a\r\0\n", b"S: t\r\n", b"a\r\n", id="nul"),
        pytest.param(
            b"S: t\n\nno newline at end", b"S: t\r\n", b"no newline at end\r\n", id="no-end"
        ),
        pytest.param(b"S: t\n\nx\r\r", b"S: t\r\n", b"x\r\n", id="ends-with-cr"),
        pytest.param(b"S: t\n\nx\n\r", b"S: t\r\n", b"x\r\n", id="cr-after-the-end"),
        pytest.param(b"", b"", b"", id="empty"),
        pytest.param(b"\0\r\r", b"", b"", id="nothing-that-counts"),
        pytest.param(b"\n", b"", b"", id="only-a-line-end"),
        pytest.param(b"\nTo: x\n", b"", b"To: x\r\n", id="empty-header"),
        pytest.param(b"S: t\n", b"S: t\r\n", b"", id="only-a-header"),
        pytest.param(b"S: t", b"S: t\r\n", b"", id="only-a-field-without-end"),
        pytest.param(
            b"just text: no\nmore text\n", b"", b"just text: no\r\nmore text\r\n", id="text"
        ),
        pytest.param(
            b"S: t\nno field\nT: u\n", b"S: t\r\n", b"no field\r\nT: u\r\n", id="no-colon"
        ),
        pytest.param(b" S: t\n\nx\n", b"", b" S: t\r\n\r\nx\r\n", id="blank-first"),
        pytest.param(b"--b: x\n\nx\n", b"", b"--b: x\r\n\r\nx\r\n", id="mime-boundary-first"),
        pytest.param(
            b"S: t\n u\n\tv\n \n\nx\n", b"S: t\r\n u\r\n\tv\r\n \r\n", b"x\r\n", id="folded"
        ),
        pytest.param(b"To : a@x\n\n", b"To : a@x\r\n", b"", id="blank-before-colon"),
        pytest.param(
            b"From alice Mon Jan  1 00:00:00 2024\n>From x y\nS: t\n\nFrom here\n",
            b"S: t\r\n",
            b"From here\r\n",
            id="mailbox-lines",
        ),
        pytest.param(b">>>From x\n\nx\n", b"", b"x\r\n", id="only-a-mailbox-line"),
        pytest.param(b"From : a@x\nS: t\n\n", b"From : a@x\r\nS: t\r\n", b"", id="from-field"),
        pytest.param(b"S: t\n>From x\n\n", b"S: t\r\n", b">From x\r\n\r\n", id="late-mailbox-line"),
        pytest.param(b"S: t\n\n.\n..x\n", b"S: t\r\n", b".\r\n..x\r\n", id="dots-stay"),
        pytest.param(
            b"S: h\xc3\xa9\xff\n\n\xff\n", b"S: h\xc3\xa9\xff\r\n", b"\xff\r\n", id="8-bit"
        ),
        pytest.param(b"x" * 3000 + b"\n: y\n", b"", b"x" * 3000 + b"\r\n: y\r\n", id="long-line"),
        pytest.param(b">" * 3000 + b"From x\n", b"", b">" * 3000 + b"From x\r\n", id="many-marks"),
    ],
)
def test_input_becomes_a_canonical_message(data: bytes, header: bytes, body: bytes) -> None:
    assert taken(data) == (header, body)
    # The same, byte by byte.
    message = take(bytes([octet]) for octet in data)
    assert (message.header, b"".join(message.body.chunks())) == (header, body)


PIECES = [
    b"\n",
    b"\r",
    b"\r\n",
    b"\0",
    b" ",
    b"\t",
    b":",
    b"A: b",
    b"From ",
    b">From x",
    b"--",
    b"x",
    b".",
    b"\xe9",
    b"y" * 999,
    b"z" * 500,
]


@given(st.lists(st.sampled_from(PIECES), max_size=30), st.data())
def test_any_chunking_gives_the_same_message(pieces: list[bytes], data: st.DataObject) -> None:
    text = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    chunks = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    message = take(chunks)
    assert (message.header, b"".join(message.body.chunks())) == taken(text)


@pytest.mark.parametrize(
    "chunks", [[b"a\r", b"\r\nb\n"], [b"a", b"\r\r", b"\r", b"\nb\n"], [b"a\r\r\r\nb\n"]]
)
@pytest.mark.trap(4)
def test_crs_before_a_line_end_are_dropped_however_they_are_cut(chunks: list[bytes]) -> None:
    assert b"".join(take([b"\n", *chunks]).body.chunks()) == b"a\r\nb\r\n"


@given(st.lists(st.sampled_from(PIECES), max_size=30))
def test_message_taken_is_canonical(pieces: list[bytes]) -> None:
    octets = b"".join(take(pieces).chunks())
    assert b"\0" not in octets
    assert octets.count(b"\r\n") == octets.count(b"\r") == octets.count(b"\n")
    assert octets.endswith(b"\r\n")


@given(st.lists(st.sampled_from([b"a", b"\xff", b" ", b".", b"\n"]), max_size=30))
def test_clean_body_keeps_every_octet(pieces: list[bytes]) -> None:
    text = b"".join([*pieces, b"\n"])
    assert taken(b"S: t\n\n" + text)[1] == text.replace(b"\n", b"\r\n")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"S: t\n\n" + b"x" * 100, id="body"),
        pytest.param(b"S: " + b"t" * 100, id="header"),
        pytest.param(b"\n" * 60, id="line-ends-grow"),
        pytest.param(b"\0" * 101, id="nuls-count"),
        pytest.param(b"\r" * 101, id="crs-count"),
    ],
)
def test_message_beyond_the_limit_is_refused_and_its_content_closed(data: bytes) -> None:
    made: list[Content] = []

    def content() -> Content:
        made.append(Content(memory=0))
        return made[-1]

    with pytest.raises(MessageTooLarge, match="larger than 100 octets"):
        read_message([data[:50], data[50:]], limit=100, content=content)
    assert made[0].size == 0


def test_message_of_just_the_limit_is_taken() -> None:
    assert take([b"S: t\r\n\r\nxx\r\n"], limit=12).size == 12


def test_endless_input_is_not_read_to_its_end() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"\r" * 1000

    with pytest.raises(MessageTooLarge):
        take(endless(), limit=50_000)


@pytest.mark.parametrize("size", [1000, 10_000_000], ids=["chunks", "whole"])
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"S: " + b"x" * HEADER_LIMIT, id="one-line"),
        pytest.param(b"S: t\n" + b" x\n" * (HEADER_LIMIT // 3), id="folding"),
        pytest.param(b"From " + b"x" * HEADER_LIMIT, id="mailbox-line"),
        pytest.param(b"a:\n" * (FIELDS_LIMIT + 1), id="many-fields"),
    ],
)
def test_header_beyond_its_limits_is_refused(data: bytes, size: int) -> None:
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    with pytest.raises(MessageError, match="header is too large"):
        take(chunks)


def test_large_body_without_a_header_is_no_large_header() -> None:
    body = b"x" * (HEADER_LIMIT + 5000)
    assert taken(body) == (b"", body + b"\r\n")


HOSTILE = [b"\r", b"\r\n", b"\r\r\n", b"\n", b"\0", b">", b"a:\r\n b\r\n", b" ", b"x"]


@pytest.mark.parametrize("prefix", [b"", b"S: t\n\n"], ids=["header", "body"])
@pytest.mark.parametrize("unit", HOSTILE, ids=repr)
def test_hostile_repetition_takes_linear_time(prefix: bytes, unit: bytes) -> None:
    data = prefix + unit * (800_000 // len(unit))
    began = time.process_time()
    try:
        take(data[start : start + 4096] for start in range(0, len(data), 4096))
    except MessageError:
        pass
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (b"", 0),
        (b"no header\nat all\n", 0),
        (b"\nS: t\n\n", 0),
        (b"S: t\nT: u\n\nbody\n\nS: t\n", 10),
        (b"S: t\r\nT: u\r\n\r\nbody\r\n\r\n", 12),
        (b"S: t\n" * 100_000 + b"\nbody\n", 500_000),
        (b"S: t\n" * HEADER_LIMIT, HEADER_LIMIT),
    ],
    ids=["nothing", "no-header", "empty-header", "lf", "crlf", "long", "endless"],
)
def test_size_of_a_header_is_told_before_it_is_read(text: bytes, size: int) -> None:
    assert header_size(Octets(text)) == size


@given(st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join))
@example(b"A\r: b")
def test_size_of_a_header_is_never_told_too_small(text: bytes) -> None:
    message = take([text])
    kept = sum(len(field.raw.replace(b"\r\n", b"\n")) for field in message.fields)
    assert header_size(Octets(text)) + len(b"\n") >= kept  # the last line may get its end


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(
            b"To: a@x\nCC: b@x,\n\tC <c@x>\nBcc: d@x\nbcc:\n e@x\nSubject: no@x\n",
            [b"a@x", b"b@x", b"c@x", b"d@x", b"e@x"],
            id="every-occurrence-in-any-case",
        ),
        pytest.param(b"To: undisclosed-recipients:;\nBcc: x@y\n", [b"x@y"], id="empty-group"),
        pytest.param(
            b"Resent-To: r@x\nResent-From: alice\nTo: a@x\nBcc: b@x\n"
            b"Resent-Cc: s@x\nresent-bcc: t@x\n",
            [b"r@x", b"s@x", b"t@x"],
            id="resent-only",
        ),
        pytest.param(
            b"Resent-From: alice\nTo: a@x\n", [b"a@x"], id="resent-to-nobody-in-particular"
        ),
        pytest.param(b"To : a@x\n", [b"a@x"], id="blank-before-colon"),
        pytest.param(b"Subject: t\n\nTo: no@x\n", [], id="body-is-not-read"),
    ],
)
def test_recipients_are_taken_from_the_header(header: bytes, expected: list[bytes]) -> None:
    mailboxes, bad = recipients_of(take([header]))
    assert [mailbox.address for mailbox in mailboxes] == expected
    assert bad == []


def test_fields_behind_too_many_recipients_are_not_read() -> None:
    header = b"To: " + b"a," * RECIPIENTS_LIMIT + b"a\nCc: " + b"b," * 1000 + b"\n"
    mailboxes, bad = recipients_of(take([header]))
    assert (len(mailboxes), bad) == (RECIPIENTS_LIMIT, [b"a"])


def test_recipients_that_cannot_be_read_are_given_back() -> None:
    mailboxes, bad = recipients_of(take([b"To: a b, c@x\nCc: <\n"]))
    assert [mailbox.address for mailbox in mailboxes] == [b"c@x"]
    assert bad == [b"a b", b"<"]


def test_fields_that_must_not_leave_are_stripped() -> None:
    message = take(
        [
            b"Return-Path: <a@x>\nTo: a@x\nBCC: b@x\nbcc :\n c@x\n"
            b"Resent-Bcc: d@x\nContent-Length: 3\n"
        ]
    )
    assert strip(message).header == b"To: a@x\r\n"
