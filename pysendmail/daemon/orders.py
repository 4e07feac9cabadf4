"""Orders to a daemon: given by signals or by any thread, obeyed by one thread in turn.

Whoever waits for one sleeps until it comes. A signal may be delivered to another thread than the
one whose handlers Python runs, so the interpreter itself writes into a pipe that is waited for
(`hear_signals`); `put` writes there too.
"""

from __future__ import annotations

import math
import os
import queue
import select
import signal


class Orders:
    """A line of orders, each a word."""

    def __init__(self) -> None:
        self._given: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._ear, self._bell = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def hear_signals(self) -> None:
        """Let every signal that has a handler end a `get` for a moment. For the main thread."""
        signal.set_wakeup_fd(self._bell, warn_on_full_buffer=False)

    def put(self, order: str) -> None:
        """Give an order; safe in signal handlers."""
        self._given.put(order)
        try:
            os.write(self._bell, b"\n")
        except BlockingIOError:
            pass  # full of rings already

    def get(self, timeout: float) -> str | None:
        """Return the next order; None when none has come for `timeout` seconds."""
        poll = select.poll()
        poll.register(self._ear, select.POLLIN)
        while self._given.empty():
            if not poll.poll(math.ceil(timeout * 1000)):
                return None
            os.read(self._ear, 4096)
        return self._given.get()
