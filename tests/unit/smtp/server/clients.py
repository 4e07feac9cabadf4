"""A session driven as its owner drives it, with what it said and what it gave out."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pysendmail.smtp import Reply
from pysendmail.smtp.server import Profile, Session, Transaction

TAKEN = Reply(250, (b"2.0.0 Ok: queued as 0A1B",))
SIZE = 1000


class Box:
    """A place for one message."""

    def __init__(self, full_after: int | None = None) -> None:
        self.octets = b""
        self.closed = False
        self._full_after = full_after

    def write(self, chunk: bytes, /) -> None:
        if self._full_after is not None and len(self.octets) + len(chunk) > self._full_after:
            raise OSError("no space")
        self.octets += chunk

    def close(self) -> None:
        self.closed = True


class Server:
    """One session, its replies so far, and the messages that were complete."""

    def __init__(
        self,
        *,
        lf: bool = False,
        recipients: int = 3,
        login: Callable[[bytes, bytes], bool] | None = None,
        acceptable: Callable[[bytes], bool] = bool,
        room: int | None = None,
        reply: Reply = TAKEN,
    ) -> None:
        profile = Profile(
            b"host.example.org",
            size=SIZE,
            recipients=recipients,
            lf=lf,
            login=login,
            acceptable=acceptable,
        )
        self.boxes: list[Box] = []
        self.session = Session(profile, lambda: self._new_box(room))
        self.messages: list[Transaction] = []
        self.contents: list[bytes] = []
        self.said = b""
        self._reply = reply
        self.greeting = self._replies()

    def _new_box(self, room: int | None) -> Box:
        self.boxes.append(Box(room))
        return self.boxes[-1]

    def _replies(self) -> bytes:
        octets = self.session.take_replies()
        self.said += octets
        return octets

    def hear(self, *pieces: bytes) -> bytes:
        """Feed the pieces; return what was said to them."""
        before = len(self.said)
        for piece in pieces:
            self.session.feed(piece)
            while (message := self.session.next_message()) is not None:
                self._replies()
                self.messages.append(message)
                self.contents.append(self.boxes[-1].octets)
                self.session.answer(self._reply)
            self._replies()
        return self.said[before:]

    def codes(self, *pieces: bytes) -> list[int]:
        """Feed the pieces; return the codes of the replies, one for each."""
        return codes_of(self.hear(*pieces))


def codes_of(octets: bytes) -> list[int]:
    """Return the codes of whole replies."""
    lines = octets.split(b"\r\n")
    assert lines.pop() == b""
    return [int(line[:3]) for line in lines if line[3:4] == b" "]


def lines(*texts: bytes) -> bytes:
    """Return the lines as they are sent."""
    return b"".join(text + b"\r\n" for text in texts)


def cuts_of(octets: bytes) -> Iterable[list[bytes]]:
    """Yield the octets whole, one by one, and cut in two everywhere."""
    yield [octets]
    yield [bytes([octet]) for octet in octets]
    for place in range(1, len(octets)):
        yield [octets[:place], octets[place:]]
