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


class NoRoom(Exception):
    """The peer would have more than he leaves to the others."""


class Hold:
    """What one peer takes of shares bit by bit, and gives back together: at the end of the context.

    What goes on after that, as an attempt whose caller has been told, has to `keep` it meanwhile.
    Safe between threads.
    """

    __slots__ = ("_amount", "_keepers", "_lock", "_peer", "_shares")

    def __init__(self, shares: Shares, peer: Peer) -> None:
        self._shares = shares
        self._peer = peer
        self._amount = 0
        self._keepers = 0
        self._lock = threading.Lock()

    def take(self, amount: int) -> None:
        """Take so many more; raises NoRoom."""
        if not self._shares.take(self._peer, amount):
            raise NoRoom
        self._amount += amount

    def keep(self) -> None:
        """Have what is held stay until one `release` more."""
        with self._lock:
            self._keepers += 1

    def release(self) -> None:
        """Give it all back, if nobody else keeps it."""
        with self._lock:
            self._keepers -= 1
            over = not self._keepers
        if over:
            self._shares.give_back(self._peer, self._amount)

    def __enter__(self) -> Hold:
        self.keep()
        return self

    def __exit__(self, *error: object) -> None:
        self.release()
