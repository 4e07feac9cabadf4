"""The bytes of an entry: every value comes back, and bytes of others are refused, never trusted."""

from __future__ import annotations

import binascii
import itertools
import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.message.envelope import Envelope, Recipient
from pysendmail.message.outcome import DEFERRED, Outcome
from pysendmail.spool import codec
from pysendmail.spool.entry import Entry
from pysendmail.spool.errors import BrokenEntry
from tests.unit.spool.samples import ALICE, BOB, FIRST, deferred, delivered, envelope

SUM = 12345

octets = st.binary(max_size=40)
times = st.floats(0, 2**40)
recipients = st.builds(
    Recipient,
    octets,
    notify=st.lists(octets, max_size=3).map(tuple),
    orcpt=octets,
)
envelopes = st.builds(
    Envelope,
    octets,
    st.lists(recipients, min_size=1, max_size=5).map(tuple),
    ret=octets,
    envid=octets,
    eight_bit=st.booleans(),
    smtputf8=st.booleans(),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def outcomes_for(one: Envelope):
    return st.lists(
        st.builds(
            Outcome,
            st.sampled_from([recipient.address for recipient in one.recipients]),
            st.sampled_from(["delivered", DEFERRED, "failed"]),
            octets,
            octets,
            octets,
            maybe_duplicate=st.booleans(),
        ),
        max_size=5,
    )


@st.composite
def histories(draw):
    """An entry, and what became of it attempt by attempt."""
    entry = Entry(
        draw(st.text("0123456789ABCDEF", min_size=14, max_size=14)),
        draw(envelopes),
        arrived=draw(times),
        uid=draw(st.integers(0, 2**32 - 1)),
        size=draw(st.integers(0, 10**9)),
        next_attempt=draw(times),
        extra={
            f"later_{name}": value
            for name, value in draw(
                st.dictionaries(
                    st.text(string.ascii_lowercase, max_size=5), json_values, max_size=3
                )
            ).items()
        },
    )
    history = [entry]
    for _ in range(draw(st.integers(0, 4))):
        outcomes = draw(outcomes_for(entry.envelope))
        entry = entry.settled(
            outcomes, draw(times), now=draw(times), warned=draw(st.none() | st.booleans())
        ).changed(held=draw(st.booleans()))
        history.append(entry)
    return history


def parse(start: bytes) -> Entry:
    return parse_all(start, b"")[0]


def parse_all(start: bytes, journal: bytes) -> tuple[Entry, int]:
    first_line = codec.parse_first_line(start[: codec.FIRST_LINE_LENGTH])
    head = start[codec.FIRST_LINE_LENGTH : first_line.head_end]
    return codec.parse_entry(first_line, head, journal)


@given(histories())
def test_entry_and_its_journal_come_back(history):
    start = codec.format_start(history[0], SUM)
    assert parse(start) == history[0]
    journal = b"".join(codec.format_record(old, new) for old, new in itertools.pairwise(history))
    assert parse_all(start, journal) == (history[-1], len(journal))


@given(histories())
def test_entry_that_has_a_history_comes_back_from_one_head(history):
    if history[-1].pending:
        assert parse(codec.format_start(history[-1], SUM)) == history[-1]


@given(st.binary(max_size=200))
def test_foreign_octets_are_broken_and_nothing_else(data):
    with pytest.raises(BrokenEntry):
        codec.parse_first_line(data)


@given(st.binary(max_size=200))
def test_foreign_journal_is_no_journal(data):
    entry = sample()
    assert parse_all(codec.format_start(entry, SUM), data) == (entry, 0)


@given(st.data())
def test_one_changed_octet_of_first_line_or_head_is_broken(data):
    start = bytearray(codec.format_start(sample(), SUM))
    place = data.draw(st.integers(0, len(start) - 1))
    start[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BrokenEntry):
        parse(bytes(start))


def sample(**facts) -> Entry:
    return Entry(
        FIRST,
        envelope(ALICE, BOB),
        **{"arrived": 1.0, "uid": 0, "size": 10, "next_attempt": 2.0, **facts},
    )


def head_saying(**facts) -> bytes:
    """A head with a right checksum that says something else."""
    said = json.loads(codec.format_start(sample(), SUM).split(b"\n")[1])
    said.update(facts)
    head = json.dumps({name: value for name, value in said.items() if value != "absent"}).encode()
    return sealed(head + b"\n")


def sealed(head: bytes) -> bytes:
    line = b"pysendmail-entry 1 %08x %012x" % (len(head), 10)
    return b"%s %08x\n%s" % (line, binascii.crc32(line + head), head)


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"queue_id": "x"}, id="bad queue id"),
        pytest.param({"queue_id": 5}, id="queue id of another type"),
        pytest.param({"queue_id": "absent"}, id="no queue id"),
        pytest.param({"sender": "absent"}, id="no sender"),
        pytest.param({"sender": None}, id="sender of another type"),
        pytest.param({"sender": "\ud800"}, id="sender that is no octets"),
        pytest.param({"recipients": [{}]}, id="recipient without address"),
        pytest.param({"recipients": ["alice"]}, id="recipient of another type"),
        pytest.param({"recipients": 3}, id="recipients of another type"),
        pytest.param({"arrived": "today"}, id="time of another type"),
        pytest.param({"arrived": True}, id="time that is a truth"),
        pytest.param({"arrived": float("nan")}, id="time that is no number"),
        pytest.param({"next_attempt": float("inf")}, id="time that never comes"),
        pytest.param({"next_attempt": 10**400}, id="time too large"),
        pytest.param({"next_attempt": "absent"}, id="no time"),
        pytest.param({"uid": 1.5}, id="uid that is not whole"),
        pytest.param({"uid": None}, id="uid of another type"),
        pytest.param({"attempts": "3"}, id="attempts of another type"),
        pytest.param({"crossed_off": [2]}, id="crossed off who is not there"),
        pytest.param({"crossed_off": [-1]}, id="crossed off before the first"),
        pytest.param({"crossed_off": 1}, id="crossed off of another type"),
        pytest.param({"reasons": [{}]}, id="empty reason"),
        pytest.param({"reasons": {"a": 1}}, id="reasons of another type"),
        pytest.param({"later": float("nan")}, id="what is later no number"),
        pytest.param({"later": [float("-inf")]}, id="what is later infinite"),
    ],
)
def test_head_with_facts_of_others_is_broken(facts):
    with pytest.raises(BrokenEntry):
        parse(head_saying(**facts))


def test_number_that_could_not_be_written_again_is_broken():
    _line, head = head_saying(later=0.25).split(b"\n", 1)
    with pytest.raises(BrokenEntry):
        parse(sealed(head.replace(b"0.25", b"1e999")))


@pytest.mark.parametrize(
    "head",
    [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b"1" * 5000],
    ids=["empty", "torn", "list", "null", "no text", "deeply nested", "long number"],
)
def test_head_that_is_no_object_is_broken(head):
    with pytest.raises(BrokenEntry):
        parse(sealed(head))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n" * codec.FIRST_LINE_LENGTH,
        b"pysendmail-entry",
        b"pysendmail-entry 1",
        b"pysendmail-entry 1 00000001 000000000001 00000001",
        b"pysendmail-entry 1 0000000g 000000000001 00000001\n",
        b"pysendmail-entry 1 +0000001 000000000001 00000001\n",
        b"pysendmail-entry 1 00_00001 000000000001 00000001\n",
        b"pysendmail-entry 1 0000000A 000000000001 00000001\n",
        b"pysendmail-entry 1 7fffffff 000000000001 00000001\n",
        b"pysendmail-entry 1 00000001 000000000001 00000001 ",
        b"pysendmail-entry 2 00000001 000000000001 00000001\n",
        b"postfix-entry 1 00000001 000000000001 00000001\n",
    ],
)
def test_first_line_of_others_is_broken(line):
    with pytest.raises(BrokenEntry):
        codec.parse_first_line(line)


@pytest.mark.parametrize("text", [b"", b"{}", b" {}\n", b"{} \n", b"{}\r\n", b"{}\n\n", b"[]\n"])
def test_what_is_not_one_object_in_one_line_is_broken(text):
    with pytest.raises(BrokenEntry):
        codec._parse_json(text)
    assert codec._parse_json(b"{}\n") == {}


def test_newer_version_is_named():
    line = b"pysendmail-entry 2 00000001 000000000001 00000001\n"
    with pytest.raises(BrokenEntry, match="knows 1"):
        codec.parse_first_line(line)


def test_keys_of_newer_versions_are_kept():
    start = head_saying(priority=7)
    assert parse(start).extra == {"priority": 7}
    record = b'{"attempts":1,"routes":["a"]}\n'
    entry, _ = parse_all(start, b"%08x %s" % (binascii.crc32(record), record))
    assert entry.attempts == 1
    assert entry.extra == {"priority": 7, "routes": ["a"]}
    assert parse(codec.format_start(entry, SUM)).extra == entry.extra


@pytest.mark.parametrize("depth", [1, *range(900, 1000, 3), 100_000])
def test_what_could_not_be_written_again_is_broken(depth):
    head = head_saying(later=1).partition(b"\n")[2]
    start = sealed(head.replace(b'"later": 1', b'"later": ' + b"[" * depth + b"]" * depth))
    try:
        entry = parse(start)
    except BrokenEntry:
        assert depth > 1
    else:
        codec.format_start(entry, SUM)


def test_record_with_a_right_sum_and_wrong_facts_is_broken():
    start = codec.format_start(sample(), SUM)
    record = b'{"crossed_off":[9]}\n'
    with pytest.raises(BrokenEntry):
        parse_all(start, b"%08x %s" % (binascii.crc32(record), record))


def test_record_says_only_what_changed():
    old = sample()
    new = old.settled([delivered(ALICE), deferred(BOB)], 5.0, now=2.0)
    assert json.loads(codec.format_record(old, new)[9:]) == {
        "attempts": 1,
        "last_attempt": 2.0,
        "next_attempt": 5.0,
        "crossed_off": [0],
        "reasons": [
            {
                "recipient": "bob@example.com",
                "status": "4.2.0",
                "text": "450 4.2.0 later",
                "remote": "mx.example.com",
            }
        ],
    }
    again = new.settled([deferred(BOB)], 6.0, now=5.0)
    assert "reasons" not in json.loads(codec.format_record(new, again)[9:])


def test_format_of_an_entry_stays_as_it_is():
    """What earlier versions wrote must be read for ever: this is a sample of version 1."""
    written = (
        b"pysendmail-entry 1 000000ed 00000000000a 16ad956c\n"
        b'{"queue_id":"00000000000001","arrived":1.0,"uid":0,"sender":"root@example.org",'
        b'"recipients":[{"address":"alice@example.com"},{"address":"bob@example.com"}],'
        b'"attempts":0,"last_attempt":null,"next_attempt":2.0,"held":false,"warned":false}\n'
    )
    assert parse(written) == sample()
    assert codec.format_start(sample(), SUM) == (
        b"pysendmail-entry 1 00000101 00000000000a 96dd921f\n"
        b'{"message_sum":12345,"queue_id":"00000000000001","arrived":1.0,"uid":0,'
        b'"sender":"root@example.org",'
        b'"recipients":[{"address":"alice@example.com"},{"address":"bob@example.com"}],'
        b'"attempts":0,"last_attempt":null,"next_attempt":2.0,"held":false,"warned":false}\n'
    )
