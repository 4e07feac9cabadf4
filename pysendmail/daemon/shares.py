"""Fair shares of what is scarce: connections, memory, questions about the queue.

A peer may have as much as he leaves free. One alone so gets half of all there is, the next half of
the rest, and who comes last still finds something: it takes many peers together to use it up, and
nothing lies idle for peers who may never come.
"""

from __future__ import annotations

import threading
from collections import Counter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pysendmail.daemon.acceptor import Peer


class Shares:
    """`most` units of something. Safe between threads."""

    __slots__ = ("_held", "_lock", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: Counter[Peer] = Counter()
        self._lock = threading.Lock()

    def take(self, peer: Peer, amount: int = 1) -> bool:
        """Give a peer so many more, or none when he would have more than he leaves."""
        with self._lock:
            if self._held[peer] + amount > self._most - self._held.total():
                return False
            self._held[peer] += amount
            return True

    def give_back(self, peer: Peer, amount: int = 1) -> None:
        """Take back what a peer does not need any more."""
        with self._lock:
            self._held[peer] -= amount
            if self._held[peer] <= 0:
                del self._held[peer]
