"""What is due, in memory: queue ids by the time of their next attempt. About 300 octets an entry.

A hint for the scheduler, never the truth: that is in the entries. An id here waits for a time, or
is out of sight (`HELD` by the administrator, `CLAIMED` by this process), or is unknown. Safe
between threads. A heap with lazy deletion: an item is valid while it is the one in the table.
"""

from __future__ import annotations

import heapq
import threading

from pysendmail.spool.entry import AT_ONCE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HELD = float("inf")
CLAIMED = float("-inf")

# An entry that another process has in hand is looked at again after so many seconds. It ends by
# itself, so this only keeps the scheduler from asking in a tight loop.
LOOK_AGAIN = 10.0


class Index:
    """Times of next attempts, kept up by whoever changes an entry."""

    __slots__ = ("_asked", "_heap", "_items", "_lock")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: dict[str, tuple[float, str]] = {}
        self._heap: list[tuple[float, str]] = []
        self._asked = 0.0

    def put(self, queue_id: str, time: float) -> None:
        """Let this entry wait for `time` (epoch seconds), or put it out of sight."""
        with self._lock:
            self._put(queue_id, time)

    def drop(self, queue_id: str) -> None:
        """Forget this entry: it is gone."""
        with self._lock:
            self._items.pop(queue_id, None)

    def put_off(self, queue_id: str) -> None:
        """Look again a little later at an entry that was due, but that somebody else has."""
        with self._lock:
            item = self._items.get(queue_id)
            if item is not None and CLAIMED < item[0] <= self._asked:
                self._put(queue_id, self._asked + LOOK_AGAIN)

    def expedite(self, queue_ids: Iterable[str]) -> None:
        """Let those of these entries that are not out of sight be due at once.

        One that is unknown was entered by another process, or is gone, which a claim finds out.
        """
        with self._lock:
            for queue_id in queue_ids:
                time, _ = self._items.get(queue_id, (AT_ONCE, queue_id))
                if CLAIMED < time < HELD:
                    self._put(queue_id, AT_ONCE)

    def claim(self, queue_id: str) -> bool:
        """Put an entry out of sight; tell whether it was expedited, which its file may not say."""
        with self._lock:
            before = self._items.get(queue_id)
            self._put(queue_id, CLAIMED)
            return before is not None and before[0] == AT_ONCE

    def refresh(self, queue_id: str, look: Callable[[str], float | None]) -> None:
        """Take over the time that `look` finds on disk; None is "gone", which a claim finds out.

        The look happens under the lock, so who changes the entry meanwhile puts his time later.
        What this process has claimed is not looked at: it will be put back with its new time. What
        it has expedited stays so unless it is held now.
        """
        with self._lock:
            known = self._items.get(queue_id, (None, queue_id))[0]
            if known == CLAIMED:
                return
            time = look(queue_id)
            if time is None or time == known or (known == AT_ONCE and time != HELD):
                return
            self._put(queue_id, time)

    def due(self, now: float, limit: int) -> list[str]:
        """Return up to `limit` ids whose time has come, earliest first. They stay in the index."""
        with self._lock:
            self._asked = now
            found: list[tuple[float, str]] = []
            while len(found) < limit and (item := self._first()) is not None and item[0] <= now:
                found.append(heapq.heappop(self._heap))
            for item in found:
                heapq.heappush(self._heap, item)
            return [queue_id for _, queue_id in found]

    def next_due(self) -> float | None:
        """Return the earliest time anything waits for, or None."""
        with self._lock:
            item = self._first()
            return None if item is None else item[0]

    def _put(self, queue_id: str, time: float) -> None:
        item = (time, queue_id)
        self._items[queue_id] = item
        if CLAIMED < time < HELD:
            heapq.heappush(self._heap, item)
        # Stale items cost memory until their time comes: sort them out when they are the majority.
        if len(self._heap) > 2 * len(self._items) + 64:
            self._heap = [item for item in self._items.values() if CLAIMED < item[0] < HELD]
            heapq.heapify(self._heap)

    def _first(self) -> tuple[float, str] | None:
        """Return the earliest valid item, throwing away the stale ones before it."""
        while self._heap:
            item = self._heap[0]
            if self._items.get(item[1]) is item:
                return item
            heapq.heappop(self._heap)
        return None
