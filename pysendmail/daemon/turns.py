"""Turns: what stands in line is taken submitter by submitter, in the order of each.

So nobody waits behind all that another has brought: a user who has one message in line is next but
for one message of each other user, however many they have.
"""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Turns(Generic[Item]):
    """Lines, one for each submitter (a uid), of at most `most` things each. Safe between threads.

    What is in a line must be hashable, and in one line only.
    """

    __slots__ = ("_lines", "_lock", "_most", "_submitters")

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._lines: dict[int, dict[Item, None]] = {}
        self._submitters: dict[Item, int] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._submitters)

    def put(self, submitter: int, item: Item) -> None:
        """Put something at the end of a submitter's line, unless that is as long as it may be."""
        with self._lock:
            line = self._lines.setdefault(submitter, {})
            if self._most is None or len(line) < self._most:
                line[item] = None
                self._submitters[item] = submitter

    def take(self) -> Item | None:
        """Return the first in line of him whose turn it is, None when nothing is there."""
        with self._lock:
            if not self._lines:
                return None
            submitter, line = next(iter(self._lines.items()))
            item = next(iter(line))
            self._remove(item)
            if line:
                self._lines[submitter] = self._lines.pop(submitter)  # his next turn is the last
            return item

    def discard(self, item: Item) -> bool:
        """Take something out of its line; tell whether it was there."""
        with self._lock:
            if item not in self._submitters:
                return False
            self._remove(item)
            return True

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._lines.clear()
            self._submitters.clear()

    def _remove(self, item: Item) -> None:
        submitter = self._submitters.pop(item)
        del self._lines[submitter][item]
        if not self._lines[submitter]:
            del self._lines[submitter]
