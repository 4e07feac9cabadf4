"""Messages and their fields, and reading them back from the spool's bytes."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.message.content import CHUNK, Content
from pysendmail.message.message import (
    HEADER_LIMIT,
    Field,
    Message,
    MessageAtRest,
    find_field_name,
    format_field,
    parse_field,
)


def content_of(data: bytes) -> Content:
    content = Content()
    content.write(data)
    return content


def whole(message: Message) -> bytes:
    return b"".join(message.chunks())


HEADER = b"Subject: one\r\n\ttwo \r\nTo : a@x\r\nto: b@x\r\nX:\r\n"


def test_message_is_read_from_canonical_octets() -> None:
    message = MessageAtRest(content_of(HEADER + b"\r\nbody\r\n\r\nmore\r\n"))
    assert [field.name for field in message.fields] == [b"Subject", b"To", b"to", b"X"]
    assert message.header == HEADER
    assert b"".join(message.body.chunks()) == b"body\r\n\r\nmore\r\n"
    assert whole(message) == whole(message) == HEADER + b"\r\nbody\r\n\r\nmore\r\n"
    assert message.size == len(whole(message))
    assert message.opened().fields == message.opened().opened().fields == message.fields
    assert whole(message.opened()) == whole(message)
    assert repr(message) == f"<MessageAtRest of {message.size} octets>"
    assert "4 fields" in repr(message.with_fields(message.fields))


def test_header_stays_where_it_is_and_is_read_when_it_is_asked_for() -> None:
    header = b"".join(b"X-%d: y\r\n z\r\n" % number for number in range(CHUNK // 3))
    message = MessageAtRest(content_of(header + b"\r\nbody\r\n"))
    tracemalloc.start()
    try:
        pieces = list(map(len, message.chunks()))
        assert tracemalloc.get_traced_memory()[1] < 3 * CHUNK < len(header)
    finally:
        tracemalloc.stop()
    assert sum(pieces) == message.size == len(header + b"\r\nbody\r\n")
    assert max(pieces) <= CHUNK
    assert message.header == header
    assert b"".join(message.body.chunks()) == b"body\r\n"
    other = message.with_fields(message.fields[:1])
    assert whole(other) == b"X-0: y\r\n z\r\n\r\nbody\r\n"


def test_field_is_seen_raw_and_unfolded() -> None:
    field = MessageAtRest(content_of(HEADER + b"\r\n")).fields[0]
    assert field.key == b"subject"
    assert field.raw == b"Subject: one\r\n\ttwo \r\n"
    assert field.body == b" one\r\n\ttwo \r\n"
    assert field.value == b"one\ttwo"
    assert field.with_body(b" three\r\n").raw == b"Subject: three\r\n"
    assert "Subject" in repr(field)


def test_fields_are_equal_by_their_octets() -> None:
    assert Field(b"A", b"A: b\r\n") == parse_field(b"A: b\r\n")
    assert hash(Field(b"A", b"A: b\r\n")) == hash(parse_field(b"A: b\r\n"))
    assert Field(b"A", b"A: b\r\n") != Field(b"A", b"A: c\r\n")
    assert Field(b"A", b"A: b\r\n") != b"A: b\r\n"


def test_fields_are_found_in_any_case() -> None:
    message = MessageAtRest(content_of(HEADER + b"\r\n"))
    first = message.find(b"TO")
    assert first is not None
    assert first.value == b"a@x"
    assert [field.value for field in message.all(b"To")] == [b"a@x", b"b@x"]
    assert message.find(b"Cc") is None
    assert message.all(b"Cc") == []


def test_message_without_a_header_begins_with_the_empty_line() -> None:
    message = MessageAtRest(content_of(b"\r\nTo: is body\r\n"))
    assert message.fields == ()
    assert whole(message) == b"\r\nTo: is body\r\n"


def test_message_with_other_fields_shares_the_body() -> None:
    message = MessageAtRest(content_of(HEADER + b"\r\nbody\r\n"))
    other = message.with_fields([format_field(b"A", b"b")])
    assert whole(other) == b"A: b\r\n\r\nbody\r\n"
    again = other.with_fields([])
    assert again.body is other.body
    message.close()
    assert other.body.size == 6  # a closed message still knows its size


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"A: b\r\n", id="no-empty-line"),
        pytest.param(b"no field\r\n\r\n", id="not-a-field"),
        pytest.param(b" folded\r\n\r\n", id="continuation-of-nothing"),
        pytest.param(b"A: b\r\n\xc3\xa9: x\r\n\r\n", id="name-beyond-ascii"),
        pytest.param(b"A: " + b"x" * HEADER_LIMIT + b"\r\n\r\n", id="endless-header"),
    ],
)
def test_message_without_a_header_that_could_be_read_is_all_body(octets: bytes) -> None:
    message = MessageAtRest(content_of(octets))
    assert message.fields == ()
    assert b"".join(message.body.chunks()) == whole(message) == octets


@pytest.mark.parametrize(
    ("line", "name"),
    [
        pytest.param(b"To: a", b"To", id="plain"),
        pytest.param(b"To \t: a", b"To", id="obsolete-blank"),
        pytest.param(b"just text: no", None, id="blank-inside"),
        pytest.param(b": a", None, id="no-name"),
        pytest.param(b"--x: a", None, id="mime-boundary"),
        pytest.param(b"no colon", None, id="no-colon"),
        pytest.param(b"T\0: a", None, id="control"),
        pytest.param(b"x" * 997 + b":", b"x" * 997, id="longest"),
        pytest.param(b"x" * 998 + b":", None, id="too-long"),
    ],
)
def test_field_name_is_what_stands_before_the_colon(line: bytes, name: bytes | None) -> None:
    assert find_field_name(line) == name


@pytest.mark.parametrize(
    "value",
    [b"a\r\nBcc: x", b"a\nb", b"a\rb", b"a\0b", b"a\r\n", b"a\r\n\r\n b"],
    ids=["new-field", "lf", "cr", "nul", "final-line-end", "empty-line"],
)
def test_field_value_that_would_be_more_than_one_field_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match="more than one field"):
        format_field(b"Subject", value)


def test_field_value_may_be_folded() -> None:
    assert format_field(b"A", b"b\r\n\tc\r\n d").raw == b"A: b\r\n\tc\r\n d\r\n"


@given(
    st.lists(st.sampled_from([b"A: b\r\n", b"Longer-Name:\r\n c\r\n\t d\r\n", b"X:\xff\r\n"])),
    st.binary(max_size=50),
)
def test_message_written_is_read_back(raws: list[bytes], body: bytes) -> None:
    message = Message([parse_field(raw) for raw in raws], content_of(body))
    again = MessageAtRest(content_of(whole(message)))
    assert again.fields == message.fields
    assert b"".join(again.body.chunks()) == body
