"""The workers: a few threads that run deliveries, the urgent ones first.

A delivery is urgent while a caller waits for its verdict. Threads are started as the work asks for
them, up to a bound, and stay. A delivery that raises is reported and its thread goes on: one bad
message never stops the others.
"""

from __future__ import annotations

import threading
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Workers:
    """At most `most` threads; `failed(error)` is told of whatever a delivery raises."""

    def __init__(self, most: int, failed: Callable[[Exception], None]) -> None:
        self._most = most
        self._failed = failed
        self._changed = threading.Condition()
        self._urgent: deque[Callable[[], None]] = deque()
        self._waiting: deque[Callable[[], None]] = deque()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._closed = False

    def put(self, delivery: Callable[[], None], *, urgent: bool = False) -> None:
        """Have a delivery run as soon as a thread is free."""
        with self._changed:
            (self._urgent if urgent else self._waiting).append(delivery)
            unserved = len(self._urgent) + len(self._waiting) - self._idle
            if unserved > 0 and len(self._threads) < self._most and not self._closed:
                thread = threading.Thread(target=self._work, name="worker", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._changed.notify()

    def withdraw(self, delivery: Callable[[], None]) -> bool:
        """Take back a delivery that has not begun; False when it has."""
        with self._changed:
            for line in (self._urgent, self._waiting):
                if delivery in line:
                    line.remove(delivery)
                    return True
            return False

    @property
    def spare(self) -> int:
        """How many more deliveries would begin at once."""
        with self._changed:
            free = self._most - len(self._threads) + self._idle
            return max(free - len(self._urgent) - len(self._waiting), 0)

    def close(self, patience: float) -> bool:
        """Run nothing new, wait up to `patience` seconds for what is running; tell whether all
        ended.
        """
        with self._changed:
            self._closed = True
            self._urgent.clear()
            self._waiting.clear()
            self._changed.notify_all()
            busy = len(self._threads) - self._idle
            return self._changed.wait_for(lambda: not self._threads, patience if busy else 5.0)

    def _work(self) -> None:
        while delivery := self._next():
            try:
                delivery()
            except Exception as error:
                self._failed(error)
        with self._changed:
            self._threads.remove(threading.current_thread())
            self._changed.notify_all()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            self._idle += 1
            while not (self._urgent or self._waiting or self._closed):
                self._changed.wait()
            self._idle -= 1
            if self._urgent:
                return self._urgent.popleft()
            return self._waiting.popleft() if self._waiting else None
