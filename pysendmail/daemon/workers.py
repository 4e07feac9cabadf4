"""The workers: a few threads that run deliveries, the urgent ones first.

A delivery is urgent while a caller waits for its verdict; those of several callers are taken in
turns. But a share of the workers belongs to the queue, so that callers who never cease cannot keep
it waiting. Threads are started as the work asks for them, up to a bound, and stay. A delivery that
raises is reported and its thread goes on: one bad message never stops the others.
"""

from __future__ import annotations

import threading
from collections import deque

from pysendmail.daemon.turns import Turns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


QUEUE_SHARE = 4  # one worker of so many is the queue's: at least one, where there are two


class Workers:
    """At most `most` threads; `failed(error)` is told of whatever a delivery raises."""

    def __init__(self, most: int, failed: Callable[[Exception], None]) -> None:
        self._most = most
        self.failed = failed
        self._changed = threading.Condition()
        self._urgent: Turns[Callable[[], None]] = Turns()
        self._waiting: deque[Callable[[], None]] = deque()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._queued = 0  # deliveries under way that are not urgent
        self._share = max(most // QUEUE_SHARE, 1) if most > 1 else 0
        self._closed = False

    def put(self, delivery: Callable[[], None], *, caller: int | None = None) -> None:
        """Have a delivery run as soon as a thread is free; `caller` is the uid of who waits.

        Raises RuntimeError, with nothing put in line, where no thread at all is to be had.
        """
        with self._changed:
            if caller is None:
                self._waiting.append(delivery)
            else:
                self._urgent.put(caller, delivery)
            unserved = len(self._urgent) + len(self._waiting) - self._idle
            if unserved > 0 and len(self._threads) < self._most and not self._closed:
                try:
                    self._start_thread()
                except RuntimeError:
                    self.withdraw(delivery)
                    raise
            self._changed.notify()

    def withdraw(self, delivery: Callable[[], None]) -> bool:
        """Take back a delivery that has not begun; False when it has."""
        with self._changed:
            if delivery in self._waiting:
                self._waiting.remove(delivery)
                return True
            return self._urgent.discard(delivery)

    @property
    def spare(self) -> int:
        """How many more deliveries of the queue would begin at once, or as soon as one ends."""
        with self._changed:
            free = self._most - len(self._threads) + self._idle
            begin = free - len(self._urgent) - len(self._waiting)
            return max(begin, self._share - self._queued - len(self._waiting), 0)

    @property
    def pressed(self) -> bool:
        """True when a caller's delivery waits and no thread is free for it."""
        with self._changed:
            full = len(self._threads) >= self._most
            return self._closed or (len(self._urgent) > 0 and not self._idle and full)

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

    def _start_thread(self) -> None:
        """Start one more thread; where none is to be had, those there are do the work."""
        thread = threading.Thread(target=self._work, name="worker", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            if not self._threads:
                raise
        else:
            self._threads.append(thread)

    def _work(self) -> None:
        while taken := self._next():
            delivery, urgent = taken
            try:
                delivery()
            except Exception as error:
                self.failed(error)
            finally:
                with self._changed:
                    self._queued -= not urgent
        with self._changed:
            self._threads.remove(threading.current_thread())
            self._changed.notify_all()

    def _next(self) -> tuple[Callable[[], None], bool] | None:
        """Wait for the next delivery; return it and whether it is urgent, None at the end."""
        with self._changed:
            self._idle += 1
            while not (self._urgent or self._waiting or self._closed):
                self._changed.wait()
            self._idle -= 1
            queue_first = self._waiting and self._queued < self._share
            if not queue_first and (urgent := self._urgent.take()):
                return urgent, True
            if self._waiting:
                self._queued += 1
                return self._waiting.popleft(), False
            return None
