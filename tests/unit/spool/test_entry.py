"""The value of an entry and how it changes."""

from __future__ import annotations

import pytest

from pysendmail.spool.entry import Entry, check_queue_id
from pysendmail.spool.errors import BadQueueId, SpoolError
from tests.unit.spool.samples import ALICE, BOB, FIRST, SECOND, deferred, delivered, envelope


def sample() -> Entry:
    return Entry(FIRST, envelope(), arrived=1.0, uid=0, size=10, next_attempt=2.0)


def test_queue_id_that_is_one_is_returned() -> None:
    assert check_queue_id(FIRST) == FIRST


@pytest.mark.parametrize("name", ["", "0123456789abcd", "../0123456789A", b"0123456789ABCD"])
def test_queue_id_that_is_none_is_an_error(name):
    with pytest.raises(BadQueueId) as caught:
        check_queue_id(name)
    assert caught.value.queue_id == name
    assert isinstance(caught.value, SpoolError)
    assert isinstance(caught.value, ValueError)


def test_entry_with_a_bad_queue_id_cannot_be_made():
    with pytest.raises(BadQueueId):
        Entry("x", envelope(), arrived=1.0, uid=0, size=10, next_attempt=2.0)


def test_change_makes_another_entry():
    entry = sample()
    changed = entry.changed(held=True)
    assert changed.held
    assert not entry.held
    assert changed != entry
    assert entry == sample()
    assert entry != "entry"


def test_settling_changes_nothing_of_the_entry_before():
    entry = sample()
    settled = entry.settled([delivered(ALICE), deferred(BOB)], 5.0, now=3.0)
    assert entry == sample()
    assert [recipient.address for recipient in settled.pending] == [BOB]
    assert settled.reasons == {BOB: deferred(BOB)}


def test_warned_stays_unless_said_otherwise():
    warned = sample().settled([], 5.0, now=3.0, warned=True)
    assert warned.settled([], 6.0, now=4.0).warned
    assert not warned.settled([], 6.0, now=4.0, warned=False).warned


def test_last_of_several_outcomes_counts():
    settled = sample().settled([deferred(ALICE), delivered(ALICE)], 5.0, now=3.0)
    assert [recipient.address for recipient in settled.pending] == [BOB]


def test_repr_tells_what_matters():
    assert repr(sample()) == (
        f"<Entry {FIRST} from b'root@example.org', 2 of 2 pending, 10 octets>"
    )


def test_queue_ids_of_entries_differ():
    assert sample().changed(queue_id=SECOND) != sample()
