"""The request's bytes: there and back, and whatever a hostile caller writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.message.envelope import Recipient
from pysendmail.submission.request import (
    MAGIC,
    NOTIFY,
    Request,
    format_head,
    format_request,
)
from pysendmail.submission.request_parser import is_envid, parse_request, split_head
from tests.unit.submission.samples import QUEUE_ID

TEXT = st.binary(max_size=40).map(lambda value: value.replace(b"\0", b""))
IDS = st.text("0123456789ABCDEF", min_size=14, max_size=14)
PRINTABLE = st.characters(min_codepoint=33, max_codepoint=126)
ENVIDS = st.just(b"") | st.text(PRINTABLE, min_size=1, max_size=33).map(str.encode)
NOTIFIES = st.just((b"NEVER",)) | st.lists(st.sampled_from(NOTIFY[1:]), unique=True).map(tuple)
RECIPIENTS = st.builds(
    Recipient,
    TEXT,
    NOTIFIES,
    st.just(b"") | st.text(PRINTABLE, min_size=1).map(lambda text: b"rfc822;" + text.encode()),
)
REQUESTS = st.builds(
    Request,
    queue_id=IDS,
    size=st.integers(0, 10**15 - 1),
    sender=st.none() | TEXT,
    operands=st.lists(TEXT, max_size=5).map(tuple),
    from_header=st.booleans(),
    full_name=TEXT,
    body_type=st.sampled_from([b"", b"7BIT", b"8BITMIME"]),
    recipients=st.lists(RECIPIENTS, max_size=3).map(tuple),
    notify=NOTIFIES,
    ret=st.sampled_from([b"", b"FULL", b"HDRS"]),
    envid=ENVIDS,
    gateway=st.booleans(),
    literal=st.booleans(),
    mode=st.sampled_from([b"", b"i", b"b", b"q"]),
    error_mode=st.sampled_from([b"p", b"m", b"w", b"q", b"e"]),
    verbose=st.booleans(),
    hops=st.integers(0, 1000),
    tag=TEXT,
)


@given(REQUESTS)
def test_request_comes_back_as_it_was(request: Request) -> None:
    head = format_request(request)
    verb, records = split_head(head)
    assert verb == b"submit"
    assert parse_request(records) == request
    assert head.find(b"\0\0") == len(head) - 2


@given(st.lists(st.binary(max_size=30), max_size=8))
def test_hostile_records_raise_nothing_but_value_error(records: list[bytes]) -> None:
    try:
        parse_request([b"i" + QUEUE_ID.encode(), *records])
    except ValueError:
        pass


@given(st.binary(max_size=60), st.booleans())
def test_hostile_head_raises_nothing_but_value_error(octets: bytes, magic: bool) -> None:
    try:
        _, records = split_head(MAGIC + octets if magic else octets)
        parse_request(records)
    except ValueError:
        pass


def test_head_without_records_is_a_verb() -> None:
    assert format_head(b"status", []) == b"pysendmail/1 status\0\0"
    assert split_head(b"pysendmail/1 status\0\0") == (b"status", [])


@pytest.mark.parametrize(
    "head",
    [b"", b"\0\0", b"pysendmail/2 submit\0\0", b"GET / HTTP/1.1\0\0", MAGIC, MAGIC + b"submit\0"],
    ids=repr,
)
def test_head_that_is_none_is_refused(head: bytes) -> None:
    with pytest.raises(ValueError):
        split_head(head)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (b"Z", "unknown record"),
        (b"", "unknown record"),
        (b"mx", "mode"),
        (b"ez", "error_mode"),
        (b"e", "error_mode"),
        (b"B9BIT", "body_type"),
        (b"RALL", "ret"),
        (b"NALWAYS", "notify"),
        (b"NNEVER\r\nRCPT TO:<x>", "notify"),
        (b"d", "unknown record"),
        (b"orfc822;a", "unknown record"),
        (b"V", "envid"),
        (b"Va b", "envid"),
        (b"V" + 101 * b"x", "envid"),
        (b"V" + 34 * b"+", "envid"),
        (b"s", "number"),
        (b"s-1", "number"),
        (b"s" + 16 * b"9", "number"),
        (b"s\xc2\xb2", "number"),
        (b"h1.5", "number"),
        (b"i0123456789abcd", "queue id"),
        (b"i../../etc/pass", "queue id"),
        (b"i0000000000000\n", "queue id"),
        (b"i", "queue id"),
    ],
    ids=repr,
)
def test_record_that_cannot_be_is_refused(record: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_request([b"i" + QUEUE_ID.encode(), record])


@pytest.mark.parametrize(
    "record",
    [
        b"d", b"dALWAYS", b"dNEVER,SUCCESS", b"dDELAY,DELAY", b"o", b"oa@b", b"o;a", b"orfc822;",
        b"orfc822;a\r\nX: y", b"orf c;a", b"orfc822;" + 200 * b"+", "orfc822;é".encode(),
    ],
)  # fmt: skip
def test_wish_of_a_recipient_that_cannot_be_is_refused(record: bytes) -> None:
    with pytest.raises(ValueError, match=r"notify|NOTIFY|orcpt"):
        parse_request([b"i" + QUEUE_ID.encode(), b"ca@b", record])


def test_queue_id_is_required() -> None:
    with pytest.raises(ValueError, match="no queue id"):
        parse_request([b"s0"])


def test_null_sender_and_no_sender_are_two_things() -> None:
    identity = b"i" + QUEUE_ID.encode()
    assert parse_request([identity]).sender is None
    assert parse_request([identity, b"f"]).sender == b""


@pytest.mark.parametrize(
    ("value", "good"),
    [(b"x", True), (100 * b"x", True), (33 * b"=", True), (34 * b"=", False), (None, False),
     (b"\x7f", False), (b"", False)],
)  # fmt: skip
def test_envid_is_printable_and_fits_as_xtext(value: object, good: bool) -> None:
    assert is_envid(value) is good


def test_requests_show_what_they_say() -> None:
    assert "sender=b'a@b'" in repr(Request(queue_id=QUEUE_ID, sender=b"a@b"))
    assert Request(queue_id=QUEUE_ID) != "something else"
