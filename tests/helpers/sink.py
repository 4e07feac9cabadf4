"""A smarthost that plays the parts of the dialect's cases, and keeps every octet.

`Sink` is a `Catcher` without TLS and AUTH. Its profile says what it offers and how it fails:

full        8BITMIME SIZE PIPELINING DSN ENHANCEDSTATUSCODES
plain       no extension at all
down        connections are refused
blackhole   connections are accepted, and nothing is ever said
rej550      full, but RCPT for bad@example.org is answered with 550
cap100      full, but after a hundred RCPT the next are answered with 452
"""

from __future__ import annotations

import asyncio

from aiosmtpd.smtp import Envelope, Session

from tests.helpers.catcher import Catcher
from tests.helpers.dialogue import Caught, Dialogue
from tests.helpers.smarthost import RCPT

FULL, PLAIN, DOWN, BLACKHOLE, REJ550, CAP100 = (
    "full", "plain", "down", "blackhole", "rej550", "cap100",
)  # fmt: skip
CAP = 100
EXTENSIONS = ("8BITMIME", "SIZE 33554432", "PIPELINING", "DSN", "ENHANCEDSTATUSCODES")


class Wiretap(Dialogue):
    """A dialogue that keeps what the client sends, octet by octet, and may have enough of RCPT."""

    cap: int | None = None

    def data_received(self, data: bytes) -> None:
        self.heard += data
        super().data_received(data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.heard = bytearray()
        super().connection_made(transport)

    def data(self) -> bytes:
        """Return the octets of the message that has just ended, without the final dot."""
        content = b"\r\n" + self.heard  # an empty message is its final dot alone
        return content[2 : content.index(b"\r\n.\r\n") + 2]

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802
        self.heard.clear()  # commands: no client sends its message before it has our 354
        await super().smtp_DATA(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802
        assert self.envelope is not None
        if self.cap is not None and len(self.envelope.rcpt_tos) >= self.cap:
            await self.push("452 4.5.3 Too many recipients")
        else:
            await super().smtp_RCPT(arg)


class Sink(Catcher):
    """The smarthost of the cases; `play` gives it another part."""

    dialogue = Wiretap

    def __init__(self) -> None:
        self.profile = FULL
        self.wire: list[bytes] = []
        super().__init__()

    def play(self, profile: str) -> None:
        """Be as the profile says from now on, for new connections, and forget what came."""
        self.answer()
        self.profile = profile
        self.stop()  # also ends the connections that are kept warm
        self._received.clear()
        self.wire.clear()
        if profile == BLACKHOLE:
            self.hang()
        elif profile != DOWN:
            self.start()
        if profile == REJ550:
            self.answer("550 5.1.1 no such user", at=RCPT, recipient="bad@example.org")

    def _new_dialogue(self) -> Dialogue:
        dialogue = super()._new_dialogue()
        assert isinstance(dialogue, Wiretap)
        dialogue.cap = CAP if self.profile == CAP100 else None
        return dialogue

    async def handle_EHLO(  # noqa: N802
        self,
        _dialogue: Dialogue,
        session: Session,
        _envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        session.host_name = hostname
        names = () if self.profile == PLAIN else EXTENSIONS
        lines = ["sink.example.test", *names]
        return [f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"]

    async def handle_DATA(  # noqa: N802
        self, dialogue: Dialogue, session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(dialogue, Wiretap)
        data, reply = dialogue.data(), await super().handle_DATA(dialogue, session, envelope)
        if reply.startswith("2"):
            self.wire.append(data)
        return reply

    def taken(self) -> list[tuple[Caught, bytes]]:
        """Return the messages taken so far, each with its octets on the wire."""
        return list(zip(self.caught(), self.wire, strict=False))  # one may be on its way in
