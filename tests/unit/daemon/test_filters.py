"""The filters of a queue run: what each finds, and how several go together."""

from __future__ import annotations

import pytest

from pysendmail.daemon.filters import Filters
from pysendmail.message.envelope import Envelope, Recipient
from pysendmail.spool.entry import Entry

ENTRY = Entry(
    "0123456789ABCD",
    Envelope(b"joe@Example.org", (Recipient(b"alice@example.com"), Recipient(b"bob@x.test"))),
    arrived=0.0,
    uid=33,
    size=1,
    next_attempt=0.0,
)


def matches(*written: bytes) -> bool:
    filters = Filters()
    for one in written:
        filters.add(one)
    return filters.match(ENTRY)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ((), True),
        ((b"I6789",), True),
        ((b"Iabcd",), True),
        ((b"IEEE",), False),
        ((b"!IEEE",), True),
        ((b"!I6789",), False),
        ((b"Sexample.ORG",), True),
        ((b"Salice",), False),
        ((b"Ralice",), True),
        ((b"R@x.test",), True),
        ((b"Rjoe",), False),
        ((b"!Rbob",), False),
        ((b"Rnobody", b"Rbob"), True),
        ((b"Rnobody", b"Rnoone"), False),
        ((b"Rbob", b"Sjoe"), True),
        ((b"Rbob", b"Sjane"), False),
        ((b"Gdefault",), False),
        ((b"",), False),
    ],
    ids=repr,
)
def test_filters_find_what_sendmail_would(written: tuple[bytes, ...], *, found: bool) -> None:
    assert matches(*written) is found


def test_null_sender_is_found_by_no_text() -> None:
    filters = Filters()
    filters.add(b"SMAILER")
    assert not filters.match(
        Entry(
            "0123456789ABCD",
            Envelope(b"", (Recipient(b"bob@x.test"),)),
            arrived=0.0,
            uid=0,
            size=1,
            next_attempt=0.0,
        )
    )
