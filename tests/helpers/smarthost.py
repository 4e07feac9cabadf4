"""What the test smarthosts share: `PostfixSmarthost` and `Catcher` answer and tell alike.

Both have: `host`, `port`, `url`, `answer(…)`, `received()`, `wait_for(n)`, `start()`, `stop()`,
`hang()`, `close()`, so that a test can be run against either.  Addresses and content are bytes, as
everywhere in pysendmail.
"""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from tests.helpers.waiting import ReservedPort

# Where in the dialogue an answer is given: the names of Postfix's policy protocol.
CONNECT, EHLO, MAIL, RCPT, DATA = "CONNECT", "EHLO", "MAIL", "RCPT", "DATA"
END_OF_MESSAGE = "END-OF-MESSAGE"


class Received:
    """One message the smarthost took responsibility for: one SMTP transaction.

    `content` has CRLF line ends, with whatever trace field the smarthost put before it.
    """

    __slots__ = ("content", "recipients", "sender")

    def __init__(self, sender: bytes, recipients: Iterable[bytes], content: bytes) -> None:
        self.sender = sender
        self.recipients = tuple(recipients)
        self.content = content

    def __repr__(self) -> str:
        return f"Received({self.sender!r}, {self.recipients!r}, {len(self.content)} octets)"

    def field(self, name: bytes) -> bytes:
        """Return the unfolded value of the first header field `name`; b'' when there is none."""
        header = self.content.partition(b"\r\n\r\n")[0]
        for line in header.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").split(b"\r\n"):
            key, _, value = line.partition(b":")
            if key.lower() == name.lower():
                return value.strip()
        return b""

    @property
    def subject(self) -> bytes:
        """The value of Subject, which the tests use to tell messages apart."""
        return self.field(b"Subject")


class Smarthost(Protocol):
    """The common face of the test smarthosts."""

    host: str

    @property
    def port(self) -> int: ...
    @property
    def url(self) -> str: ...
    def answer(self, reply: str = "", *, at: str = RCPT, recipient: str = "") -> None: ...
    def received(self) -> list[Received]: ...
    def wait_for(self, count: int, seconds: float = 30.0) -> list[Received]: ...
    def login(self, user: str, password: str) -> None: ...
    def certify(self, certificate: bytes | None) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def hang(self) -> None: ...
    def close(self) -> None: ...


class Answers:
    """The replies a smarthost shall give in place of its own; for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[tuple[str, str, str]] = []

    def set(self, reply: str, at: str, recipient: str) -> None:
        """Add one rule; an empty `reply` forgets them all.

        With a `recipient` it is for him only; beyond RCPT, for messages to him alone.
        """
        with self._lock:
            self._rules = [*self._rules, (at, recipient.lower(), reply)] if reply else []

    def find(self, at: str, recipient: str = "") -> str:
        """Return the reply for this place in the dialogue, '' for the smarthost's own."""
        with self._lock:
            rules = self._rules
        for place, only, reply in rules:
            if place == at and only in ("", recipient.lower()):
                return reply
        return ""


class SilentListener:
    """A server that accepts connections, as many as come, and never says a word."""

    def __init__(self, port: ReservedPort) -> None:
        self._listener = port.listen()
        self._accepted: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                self._accepted.append(self._listener.accept()[0])
            except OSError:
                return  # shut down by close()

    def close(self) -> None:
        """End the listener and every connection it holds."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for connection in self._accepted:
            connection.close()


def times_received(received: Iterable[Received]) -> Counter[tuple[bytes, bytes]]:
    """Count, for each (subject, recipient), how often it was delivered."""
    return Counter((one.subject, address) for one in received for address in one.recipients)
