"""The phases of a conversation: how long each may take, and what to call it when it took longer.

The times are the minimum defaults of RFC 5321 section 4.5.3.2 where that has one; ours otherwise.
A phase that waits for a reply bounds the whole reply, so that a server cannot stretch it by sending
an octet now and then. A short time for FINAL produces duplicates: leave it long.
"""

from __future__ import annotations

from .errors import UsageError


class Phase:
    """One wait of the client.

    `name` is the key of `Timeouts`, `command` the verb that a refusal is charged to, `phrase` fits
    behind "while", `after_end_of_data` marks the wait whose failure leaves the verdict unknown.
    """

    __slots__ = ("after_end_of_data", "command", "name", "phrase", "seconds")

    def __init__(
        self,
        name: str,
        seconds: float,
        phrase: str,
        command: bytes = b"",
        *,
        after_end_of_data: bool = False,
    ) -> None:
        self.name = name
        self.seconds = seconds
        self.phrase = phrase
        self.command = command
        self.after_end_of_data = after_end_of_data

    def __repr__(self) -> str:
        return f"Phase({self.name!r})"


CONNECT = Phase("connect", 30, "connecting")
TLS = Phase("tls", 60, "negotiating TLS")
IDLE = Phase("idle", 0, "the connection was idle", b"idle connection")
COMMANDS = Phase("commands", 300, "sending commands")
GREETING = Phase("greeting", 300, "waiting for the greeting", b"greeting")
HELLO = Phase("hello", 300, "waiting for the answer to EHLO", b"EHLO")
STARTTLS = Phase("starttls", 300, "waiting for the answer to STARTTLS", b"STARTTLS")
AUTH = Phase("auth", 300, "waiting for the answer to AUTH", b"AUTH")
MAIL = Phase("mail", 300, "waiting for the answer to MAIL FROM", b"MAIL")
RCPT = Phase("rcpt", 300, "waiting for the answer to RCPT TO", b"RCPT")
DATA = Phase("data", 120, "waiting for the answer to DATA", b"DATA")
CHUNK = Phase("chunk", 180, "waiting for the answer to BDAT", b"BDAT")
BLOCK = Phase("block", 180, "sending the message", b"end of data")
FINAL = Phase(
    "final",
    600,
    "waiting for the answer to the end of data",
    b"end of data",
    after_end_of_data=True,
)
RESET = Phase("reset", 300, "waiting for the answer to RSET", b"RSET")
OTHER = Phase("other", 300, "waiting for an answer", b"command")
QUIT = Phase("quit", 5, "waiting for the answer to QUIT", b"QUIT")

PHASES = (
    CONNECT, TLS, IDLE, COMMANDS, GREETING, HELLO, STARTTLS, AUTH, MAIL, RCPT, DATA, CHUNK, BLOCK,
    FINAL, RESET, OTHER, QUIT,
)  # fmt: skip


class Timeouts:
    """Seconds for each phase by its name: `Timeouts(connect=5, final=900)` changes two of them."""

    __slots__ = ("_seconds",)

    def __init__(self, **seconds: float) -> None:
        self._seconds = {phase.name: phase.seconds for phase in PHASES}
        unknown = sorted(seconds.keys() - self._seconds.keys())
        if unknown:
            raise UsageError(f"no such phase: {', '.join(unknown)}")
        self._seconds.update(seconds)

    @classmethod
    def of(cls, given: Timeouts | float | None) -> Timeouts:
        """Return what the caller means: a number bounds each phase, but no farewell gets longer."""
        if isinstance(given, Timeouts):
            return given
        if given is None:
            return cls()
        every = {phase.name: given for phase in PHASES}
        return cls(**{**every, QUIT.name: min(given, QUIT.seconds)})

    def seconds(self, phase: Phase) -> float:
        """Return how many seconds `phase` may take."""
        return self._seconds[phase.name]

    def __repr__(self) -> str:
        return f"Timeouts({self._seconds!r})"
