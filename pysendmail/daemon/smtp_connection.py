"""One client of the SMTP listener: the octets and the time that its session knows nothing of.

A client may be silent, and may talk without a message coming of it, for as long as the server's
patience lasts; the first is counted from the last reply, the second from the last message that was
answered. A message that comes buys time by its octets, `SLOWEST_OCTETS_S` of them a second, so
dripping does not. A session has an end in any case. Who runs out of time, and everybody when the
daemon stops, is told so (421) and keeps the message.

Raises OSError when the client has gone away.
"""

from __future__ import annotations

import select
import time

from pysendmail.daemon.acceptor import SLOWEST_OCTETS_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from pysendmail.smtp.reply import Reply
    from pysendmail.smtp.server import Session, Transaction

SESSION_S = 3600.0
SEND_S = 30.0  # for a client to take its replies
LOOK_S = 1.0  # how soon a change of patience is noticed
CHUNK = 64 * 1024


class Patience:
    """How many seconds a client may be silent, and how many it may be there without a message."""

    __slots__ = ("fruitless", "silent")

    def __init__(self, *, silent: float, fruitless: float) -> None:
        self.silent = silent
        self.fruitless = fruitless


class Connection:
    """A client and its session; `take` has a message taken and returns the reply to it.

    `closing` is a descriptor that becomes readable when the daemon stops; `patience` tells how long
    a client may be of no use, as things are now.
    """

    def __init__(
        self,
        connection: socket.socket,
        session: Session,
        take: Callable[[Transaction], Reply],
        *,
        closing: int,
        patience: Callable[[], Patience],
    ) -> None:
        self._connection = connection
        self._session = session
        self._take = take
        self._closing = closing
        self._patience = patience
        self._end = time.monotonic() + SESSION_S
        self._since = time.monotonic()  # the last reply
        self._octets = 0  # received since
        self._fruit = self._since  # the last message that was answered
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)
        self._poll.register(closing, select.POLLIN)

    def run(self) -> None:
        """Serve the client to the end of its session."""
        session = self._session
        self._connection.settimeout(SEND_S)
        try:
            self._send()
            while not session.closed:
                octets = self._receive()
                if not octets:
                    break
                session.feed(octets)
                while (transaction := session.next_message()) is not None:
                    self._send()
                    session.answer(self._take(transaction))
                    self._fruit = time.monotonic()
                self._send()
            self._send()
        finally:
            session.close()

    def _send(self) -> None:
        replies = self._session.take_replies()
        if replies:
            self._connection.sendall(replies)
            self._since = time.monotonic()
            self._octets = 0

    def _receive(self) -> bytes:
        """Return what the client sends next; b"" when nothing more will be heard of it."""
        while (left := self._time_left()) > 0:
            ready = [fd for fd, _event in self._poll.poll(min(left, LOOK_S) * 1000)]
            if self._closing in ready:
                self._session.shut_down(b"4.3.2 The server stops, come again")
                return b""
            if ready:
                octets = self._connection.recv(CHUNK)
                self._octets += len(octets)
                return octets
        self._session.shut_down(b"4.4.2 Waited too long for you")
        return b""

    def _time_left(self) -> float:
        patience = self._patience()
        silent = self._since + patience.silent + self._octets / SLOWEST_OCTETS_S
        fruitless = self._fruit + patience.fruitless + self._session.received / SLOWEST_OCTETS_S
        return min(silent, fruitless, self._end) - time.monotonic()
