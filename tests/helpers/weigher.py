"""A smarthost that takes messages of any size and keeps of each only what it weighs.

For tests of memory: it has its own bounded, and is quick enough for gigabytes. With `hold` it
answers no message until a test lets some through.
"""

from __future__ import annotations

import hashlib
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress

from pysendmail.smtp.server.content import ContentReader
from tests.helpers.waiting import ReservedPort, wait_until

CHUNK = 256 * 1024
ALL = (b"PIPELINING", b"8BITMIME", b"CHUNKING", b"SIZE", b"DSN", b"ENHANCEDSTATUSCODES")


class Weight:
    """One message: its envelope, its header, and the octets and SHA-256 of its body.

    `ascii`: whether the body has no octet above 127.
    """

    def __init__(self, sender: bytes, recipients: Iterable[bytes]) -> None:
        self.sender = sender
        self.recipients = tuple(recipients)
        self.header = bytearray()
        self.size = 0
        self.ascii = True
        self._digest = hashlib.sha256()
        self._in_body = False

    def __repr__(self) -> str:
        return f"Weight({self.subject[:40]!r}, {self.size} octets)"

    @property
    def subject(self) -> bytes:
        """The value of Subject, which the tests use to tell messages apart."""
        for line in self.header.split(b"\r\n"):
            if line.lower().startswith(b"subject:"):
                return bytes(line.partition(b":")[2].strip())
        return b""

    @property
    def digest(self) -> str:
        """The SHA-256 of the body."""
        return self._digest.hexdigest()

    def add(self, octets: bytes) -> None:
        """Take the next octets of the content."""
        if not self._in_body:
            searched = max(len(self.header) - 3, 0)
            self.header += octets
            end = self.header.find(b"\r\n\r\n", searched)
            if end < 0:
                return
            octets = bytes(self.header[end + 4 :])
            del self.header[end + 2 :]
            self._in_body = True
        self.size += len(octets)
        self.ascii = self.ascii and octets.isascii()
        self._digest.update(octets)


class Weigher:
    """The smarthost, at a port of 127.0.0.1 that stays the same until `close()`.

    `offers`: the extensions that it knows. While it `refuses`, it takes nothing but bounces.
    """

    host = "127.0.0.1"

    def __init__(self, offers: Iterable[bytes] = ALL) -> None:
        self.weights: list[Weight] = []
        self.refuses = False
        self._offers = tuple(offers)
        self._port = ReservedPort()
        self._changed = threading.Condition()
        self._let_through: int | None = None  # None: all
        self._held = 0
        self._listener: socket.socket | None = None
        self._connections: set[socket.socket] = set()
        self.start()

    @property
    def port(self) -> int:
        """The port."""
        return self._port.number

    @property
    def url(self) -> str:
        """The smarthost as pysendmail's configuration names it."""
        return f"smtp://{self.host}:{self.port}"

    def start(self) -> None:
        """Accept connections."""
        self._listener = self._port.listen()
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections from now on, and end those that are open."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        with self._changed:
            for connection in self._connections:
                with suppress(OSError):  # the other side has ended it already
                    connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End everything."""
        self.release()
        self.stop()
        self._port.close()

    def hold(self) -> None:
        """From now on take messages, and answer none of them."""
        with self._changed:
            self._let_through = 0

    def release(self, count: int | None = None) -> None:
        """Answer so many of those that are held, None: all from now on."""
        with self._changed:
            self._let_through = None if count is None else (self._let_through or 0) + count
            self._changed.notify_all()

    def wait_for_held(self) -> None:
        """Wait until a message is held."""
        wait_until(lambda: self._held, what="a message that is held")

    def wait_for(self, count: int, seconds: float = 60.0) -> list[Weight]:
        """Return the messages once there are so many; AssertionError after `seconds`."""
        wait_until(
            lambda: len(self.weights) >= count,
            seconds=seconds,
            what=f"{count} messages at the weigher",
            evidence=lambda: f"there: {self.weights}",
        )
        return list(self.weights)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with self._changed:
            self._connections.add(connection)
        try:
            with connection:
                _Dialogue(connection, self._offers, self._take).run()
        except OSError:
            pass  # it went away
        finally:
            with self._changed:
                self._connections.discard(connection)

    def _take(self, weight: Weight) -> bytes:
        """Keep one message, once it may be answered, or refuse it."""
        if self.refuses and weight.sender:
            return b"554 5.6.0 refused"
        with self._changed:
            self._held += 1
            self._changed.wait_for(lambda: self._let_through is None or self._let_through > 0)
            self._held -= 1
            if self._let_through is not None:
                self._let_through -= 1
            self.weights.append(weight)
        return b"250 2.0.0 weighed"


class _Dialogue:
    """One connection; `take` is given each message and returns the reply, in its own time."""

    def __init__(
        self,
        connection: socket.socket,
        offers: tuple[bytes, ...],
        take: Callable[[Weight], bytes],
    ) -> None:
        self._connection = connection
        self._offers = offers
        self._take = take
        self._unread = b""
        self._sender = b""
        self._recipients: list[bytes] = []
        self._weight: Weight | None = None

    def run(self) -> None:
        """Obey commands until QUIT or the end of the connection."""
        self._say(b"220 weigher.example.net")
        while line := self._read_line():
            verb, _, arguments = line.strip().partition(b" ")
            verb = verb.upper()
            if verb == b"EHLO":
                lines = [b"weigher.example.net", *self._offers]
                self._say(b"".join(b"250-%b\r\n" % one for one in lines[:-1]) + b"250 " + lines[-1])
            elif verb == b"MAIL":
                self._sender, self._recipients, self._weight = _path(arguments), [], None
                self._say(b"250 2.1.0 ok")
            elif verb == b"RCPT":
                self._recipients.append(_path(arguments))
                self._say(b"250 2.1.5 ok")
            elif verb == b"DATA":
                self._say(b"354 go on")
                self._data()
            elif verb == b"BDAT":
                self._bdat(arguments.upper().split())
            elif verb == b"QUIT":
                self._say(b"221 2.0.0 bye")
                return
            else:
                self._say(b"250 2.0.0 ok")

    def _say(self, line: bytes) -> None:
        self._connection.sendall(line + b"\r\n")

    def _read_line(self) -> bytes:
        while (end := self._unread.find(b"\n") + 1) == 0:
            octets = self._connection.recv(CHUNK)
            if not octets:
                return b""
            self._unread += octets
        line, self._unread = self._unread[:end], self._unread[end:]
        return line

    def _read(self, most: int = CHUNK) -> bytes:
        """Return what comes next, at most so many octets; raises OSError at the end."""
        octets = self._unread[:most] or self._connection.recv(min(most, CHUNK))
        self._unread = self._unread[most:]
        if not octets:
            raise ConnectionResetError
        return octets

    def _data(self) -> None:
        reader = ContentReader(lf=False)
        weight = Weight(self._sender, self._recipients)
        while not reader.ended:
            content, self._unread = reader.feed(self._read(sys.maxsize))
            weight.add(content)
        self._say(self._take(weight))

    def _bdat(self, words: list[bytes]) -> None:
        weight = self._weight = self._weight or Weight(self._sender, self._recipients)
        left = int(words[0])
        while left:
            octets = self._read(left)
            weight.add(octets)
            left -= len(octets)
        if words[1:] != [b"LAST"]:
            self._say(b"250 2.0.0 go on")
            return
        self._weight = None
        self._say(self._take(weight))


def _path(arguments: bytes) -> bytes:
    """Return the address in the argument of MAIL or RCPT."""
    return arguments.partition(b"<")[2].partition(b">")[0]
