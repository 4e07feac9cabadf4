"""Accepting connections: a thread for each, and no more of them than there is room for.

A few threads wait at the sockets. The kernel wakes one of them for a connection, which serves it
itself: to start a thread for it, or to hand it to one, takes longer than most of what is asked. The
last one to be woken sees to it that there is another.

`Acceptor` is the part of a server that knows nothing of what is said. Who asks for more connections
than are his is closed at once; a connection that cannot be served ends no other.
"""

from __future__ import annotations

import os
import select
import threading
from collections import Counter

from pysendmail.journal import ERROR

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from pysendmail.journal import Journal

    # Whom a limit is for: a user id, or an address.
    Peer: TypeAlias = int | str


SLOWEST_OCTETS_S = 10_000.0  # who sends a message more slowly than this holds a place for nothing
SPARE = 2  # so many threads, and the first one, go on waiting when nobody comes


class Acceptor:
    """Serves listening sockets until it is closed; at most `connections` at a time.

    A server says who is at the other end (`identify`), how many connections are his (`limit`), and
    what is said (`converse`).
    """

    def __init__(
        self, listeners: Sequence[socket.socket], journal: Journal, *, connections: int, name: str
    ) -> None:
        self._listeners = {listener.fileno(): listener for listener in listeners}
        self._journal = journal
        self._limit = connections
        self._name = name
        self._changed = threading.Condition()
        self._connections: Counter[Peer] = Counter()
        self._listening = True
        self._at_sockets = 0  # threads that wait there
        self.closing = os.eventfd(0, os.EFD_CLOEXEC)  # readable once stopped, to all who poll

    def identify(self, connection: socket.socket) -> Peer | None:
        """Return who has connected, None for somebody who is not served; raises OSError."""
        raise NotImplementedError

    def limit(self, peer: Peer) -> int:
        """Return how many connections one peer may have."""
        raise NotImplementedError

    def turn_away(self, connection: socket.socket) -> None:
        """Say what there is to say to a peer for whom there is no room; never waits."""

    def converse(self, connection: socket.socket, peer: Peer) -> None:
        """Serve one connection; raises OSError when the peer has gone away."""
        raise NotImplementedError

    def run(self) -> None:
        """Serve until `close`, with as many threads more as it takes."""
        for listener in self._listeners.values():
            listener.setblocking(False)
        with self._changed:
            self._at_sockets += 1
        self._wait_and_serve(self._new_wait(), stays=True)

    def stop(self) -> None:
        """Accept nobody any more."""
        os.eventfd_write(self.closing, 1)

    def stop_if(self, nothing_waits: Callable[[], bool]) -> bool:
        """Accept nobody any more if nobody is served and `nothing_waits`; tell whether that is so.

        No connection is accepted meanwhile, so none is accepted and then not served: who calls now
        waits in the listening socket for our successor, or is told by the kernel that nobody is
        there.
        """
        with self._changed:
            if self._connections or not nothing_waits():
                return False
            self._listening = False
        self.stop()
        return True

    def close(self, patience: float) -> None:
        """Accept nobody any more; wait up to `patience` seconds for those who are served."""
        self.stop()
        with self._changed:
            self._changed.wait_for(lambda: not (self._listening or self._connections), patience)

    def idle(self) -> bool:
        """Tell whether nobody is being served."""
        return not self.served()

    def served(self) -> int:
        """Return how many connections are being served."""
        with self._changed:
            return self._connections.total()

    def _new_wait(self) -> select.epoll:
        """Return what one thread waits at: of several, one is woken for a connection."""
        # The listeners are never shut down to wake anybody: those that systemd keeps would be dead
        # for our successor.
        wait = select.epoll()
        for fd in self._listeners:
            wait.register(fd, select.EPOLLIN | select.EPOLLEXCLUSIVE)
        wait.register(self.closing, select.EPOLLIN)
        return wait

    def _wait_and_serve(self, wait: select.epoll, *, stays: bool) -> None:
        """Serve one connection after the other, until `close` or, if it is not one that `stays`,
        until there are enough that wait without this thread.
        """
        with wait:
            while True:
                for fd, _event in wait.poll():
                    if fd == self.closing:
                        self._stop_listening()
                        return
                    if taken := self._accept_one(self._listeners[fd]):
                        self._serve(*taken)
                        if not self._come_back(stays=stays):
                            return

    def _come_back(self, *, stays: bool) -> bool:
        """Tell whether a thread that has served is to wait once more, and count it then."""
        with self._changed:
            needed = stays or self._at_sockets < SPARE
            self._at_sockets += needed
            return needed

    def _stop_listening(self) -> None:
        with self._changed:
            for listener in self._listeners.values():
                listener.close()
            self._listening = False
            self._changed.notify_all()

    def _accept_one(self, listener: socket.socket) -> tuple[socket.socket, Peer] | None:
        """Return a connection that is to be served, None where there is none."""
        try:
            return self._accept(listener)
        except BlockingIOError:
            pass  # the caller has gone again, or another thread was quicker
        except (OSError, RuntimeError) as error:  # no descriptors, no threads: some come free
            self._journal.event("", "cannot accept", priority=ERROR, said=str(error))
            threading.Event().wait(0.1)
        return None

    def _accept(self, listener: socket.socket) -> tuple[socket.socket, Peer] | None:
        """Accept one connection and leave the sockets to others, or close it."""
        with self._changed:
            if not self._listening:
                return None
            connection, _ = listener.accept()
            try:
                peer = self.identify(connection)
                if peer is not None and self._admit(peer):
                    try:
                        self._leave_sockets()
                    except BaseException:
                        self._leave(peer)
                        raise
                    return connection, peer
                if peer is not None:
                    self.turn_away(connection)
                connection.close()
                return None
            except BaseException:
                connection.close()
                raise

    def _leave_sockets(self) -> None:
        """Let the calling thread serve; raises OSError or RuntimeError where nobody would wait."""
        if self._at_sockets > 1:
            self._at_sockets -= 1
            return
        wait = self._new_wait()
        try:
            threading.Thread(
                target=self._wait_and_serve,
                args=(wait,),
                kwargs={"stays": False},
                name=self._name,
                daemon=True,
            ).start()
        except RuntimeError:
            wait.close()
            raise

    def _admit(self, peer: Peer) -> bool:
        if self._connections.total() >= self._limit:
            return False
        if self._connections[peer] >= self.limit(peer):
            return False
        self._connections[peer] += 1
        return True

    def _serve(self, connection: socket.socket, peer: Peer) -> None:
        try:
            with connection:
                self.converse(connection, peer)
        except OSError:
            pass  # the caller went away: it keeps its message
        except Exception as error:
            self._journal.event("", "internal error", priority=ERROR, said=repr(error))
        finally:
            self._leave(peer)

    def _leave(self, peer: Peer) -> None:
        with self._changed:
            self._connections[peer] -= 1
            if not self._connections[peer]:
                del self._connections[peer]
            self._changed.notify_all()
