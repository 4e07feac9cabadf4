"""An entry of the spool, as it is read from its file."""

from __future__ import annotations

import binascii

from pysendmail.message.envelope import Envelope, Recipient
from pysendmail.message.outcome import DEFERRED, DELIVERED, Outcome
from pysendmail.spool import codec
from pysendmail.spool.entry import Entry
from pysendmail.spool.errors import BrokenEntry
from tests.fuzz.targets.target import Target

SIZE = 10


def entry(octets: bytes) -> None:
    """Any octets are an entry as it was written, with the changes that were, or `BrokenEntry`.

    The first octet tells whether the checksums are made right, which nobody would hit upon: what is
    behind them is the head on the first line, and on each other one a record.
    """
    head, *records = octets[1:].split(b"\n") if octets[:1] > b"\x0f" else [b""]
    start, journal = octets[1:], b""
    if octets[:1] > b"\x0f":
        start = sealed(head + b"\n")
        journal = b"".join(record_of(record) for record in records)
    try:
        first, _ = read(start)
    except BrokenEntry:
        return
    assert first.size == SIZE or octets[:1] <= b"\x0f"
    start = codec.format_start(first, 0)
    assert read(start) == (first, 0)
    check_journal(start, first, journal)


def read(start: bytes, journal: bytes = b"") -> tuple[Entry, int]:
    line = codec.parse_first_line(start[: codec.FIRST_LINE_LENGTH])
    return codec.parse_entry(line, start[codec.FIRST_LINE_LENGTH : line.head_end], journal)


def check_journal(start: bytes, first: Entry, journal: bytes) -> None:
    """Each record counts that was written to its end, whatever is torn behind it."""
    try:
        last, end = read(start, journal)
    except BrokenEntry:
        return
    assert journal[:end] == journal
    assert read(start, journal + journal[: len(journal) // 2])[1] >= end
    assert read(start, journal + b"01234567 {")[1] == end
    assert read(start, journal[:-1])[1] < max(end, 1)
    assert set(last.pending) <= set(first.pending)
    assert last.reasons.keys() <= {recipient.address for recipient in last.pending} | (
        first.reasons.keys()
    )
    record = codec.format_record(first, last)
    again, length = read(start, record)
    assert length == len(record)
    assert again.changed(extra=last.extra) == last
    assert not last.pending or read(codec.format_start(last, 0))


def sealed(head: bytes) -> bytes:
    """Return a head behind the first line that belongs to it."""
    line = b"pysendmail-entry 1 %08x %012x" % (len(head), SIZE)
    return b"%s %08x\n%s" % (line, binascii.crc32(line + head), head)


def record_of(text: bytes) -> bytes:
    """Return a record with the sum that belongs to it."""
    record = text + b"\n"
    return b"%08x %s" % (binascii.crc32(record), record)


TARGETS = (entry,)


def seeds() -> dict[Target, list[bytes]]:
    """Return inputs to begin with."""
    recipients = (
        Recipient(b"a@x", (b"SUCCESS", b"DELAY"), b"rfc822;c@z"), Recipient(b"\xff@y"),
        Recipient(b"b@y", (b"NEVER",)),
    )  # fmt: skip
    envelope = Envelope(b"s@x", recipients, ret=b"HDRS", envid=b"e", eight_bit=True, smtputf8=True)
    first = Entry(
        "0123456789ABCD", envelope, arrived=1.5, uid=33, size=SIZE, next_attempt=2.0,
        extra={"later": [1, None]},
    )  # fmt: skip
    second = first.settled(
        [
            Outcome(b"a@x", DELIVERED, b"2.0.0", b"250 ok"),
            Outcome(b"\xff@y", DEFERRED, b"4.2.0", b"450 later", b"mx", maybe_duplicate=True),
        ],
        9.0, now=3.0, warned=True,
    ).changed(held=True)  # fmt: skip
    start = codec.format_start(first, 0)
    record = codec.format_record(first, second)
    history = start[codec.FIRST_LINE_LENGTH :] + record[9:]
    return {
        entry: [
            b"\0" + start,
            b"\x20" + history.rstrip(b"\n"),
            b"\x20" + codec.format_start(second, 0)[codec.FIRST_LINE_LENGTH :] + b'{"attempts":2}',
        ]
    }
