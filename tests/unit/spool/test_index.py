"""The index: order, hiding, staleness, and its price in memory."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from pysendmail.spool.index import CLAIMED, HELD, LOOK_AGAIN, Index


def test_item_put_again_is_due_at_its_new_time_only():
    index = Index()
    index.put("a", 10.0)
    index.put("a", 30.0)
    index.put("b", 20.0)
    assert index.due(25.0, 5) == ["b"]
    assert index.next_due() == 20.0
    index.put("a", 5.0)
    assert index.due(25.0, 5) == ["a", "b"]
    assert index.due(35.0, 5) == ["a", "b"]


def test_held_and_claimed_are_out_of_sight():
    index = Index()
    index.put("a", HELD)
    index.put("b", CLAIMED)
    assert index.due(1e300, 5) == []
    assert index.next_due() is None


def test_dropped_is_gone_even_twice():
    index = Index()
    index.put("a", 1.0)
    index.drop("a")
    index.drop("a")
    assert index.due(2.0, 5) == []


def test_putting_off_moves_only_what_was_due():
    index = Index()
    index.put("due", 10.0)
    index.put("later", 100.0)
    index.put("claimed", CLAIMED)
    index.due(50.0, 5)
    for name in ("due", "later", "claimed", "unknown"):
        index.put_off(name)
    assert index.due(1e9, 5) == ["due", "later"]
    assert index.next_due() == 50.0 + LOOK_AGAIN


def test_refresh_takes_over_what_is_on_disk_but_not_for_claims():
    index = Index()
    index.put("claimed", CLAIMED)
    index.put("known", 10.0)
    for name in ("claimed", "known", "new"):
        index.refresh(name, lambda _: 5.0)
    index.refresh("gone", lambda _: None)
    assert index.due(5.0, 5) == ["known", "new"]


def test_refresh_leaves_what_was_expedited_but_hides_what_is_held():
    index = Index()
    for name in ("waits", "held"):
        index.put(name, 10.0)
    index.expedite(["waits", "held"])
    index.refresh("waits", lambda _: 10.0)
    index.refresh("held", lambda _: HELD)
    assert index.due(0.0, 5) == ["waits"]
    assert index.claim("waits")
    assert not index.claim("waits")
    assert not index.claim("unknown")
    assert index.due(1e12, 5) == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcdefgh"),
            st.one_of(st.none(), st.integers(0, 50).map(float), st.sampled_from([HELD, CLAIMED])),
        ),
        max_size=300,
    ),
    st.integers(0, 50),
    st.integers(0, 10),
)
def test_due_agrees_with_a_plain_table(operations, now, limit):
    index, table = Index(), {}
    for name, time in operations:
        if time is None:
            index.drop(name)
            table.pop(name, None)
        else:
            index.put(name, time)
            table[name] = time
    waiting = sorted((time, name) for name, time in table.items() if CLAIMED < time < HELD)
    assert index.due(now, limit) == [name for time, name in waiting if time <= now][:limit]
    assert index.next_due() == (waiting[0][0] if waiting else None)


def test_many_changes_of_few_entries_do_not_pile_up():
    index = Index()
    tracemalloc.start()
    try:
        for number in range(20_000):
            index.put("a", float(number))
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < 50_000


def test_entry_costs_less_than_400_octets():
    tracemalloc.start()
    try:
        index = Index()
        for number in range(20_000):
            index.put(f"{number:014X}", 1_700_000_000.0 + number)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used / 20_000 < 400
