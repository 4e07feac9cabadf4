"""The server's side of a transaction: what MAIL and RCPT have said, and where the content goes."""

from __future__ import annotations

from .replies import NO_ROOM, too_large

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from ..reply import Reply
    from ..transaction import Recipient

    class Sink(Protocol):
        """Takes the content of one message. `write` may raise OSError: the message is refused."""

        def write(self, chunk: bytes, /) -> None:
            """Take the next octets."""

        def close(self) -> None:
            """Forget what was taken: the message will not come."""


class Transaction:
    """A sender (b"" is the null sender), recipients, and the content as it comes.

    `body_type` is b"", b"7BIT" or b"8BITMIME"; `ret` b"", b"FULL" or b"HDRS"; `envid` the envelope
    id, not encoded; `declared` what SIZE= said. `content` is the sink that the session's owner
    made, None before the first octet is awaited; `size` counts what came, and `refused` is the
    reply that will answer the end of data when the message cannot be taken.
    """

    __slots__ = (
        "body_type", "content", "declared", "envid", "recipients", "refused", "ret", "sender",
        "size", "smtputf8",
    )  # fmt: skip

    def __init__(self, sender: bytes) -> None:
        self.sender = sender
        self.recipients: list[Recipient] = []
        self.body_type = b""
        self.ret = b""
        self.envid = b""
        self.smtputf8 = False
        self.declared = 0
        self.content: Any = None
        self.size = 0
        self.refused: Reply | None = None

    def __repr__(self) -> str:
        return f"<Transaction from {self.sender!r} to {self.recipients!r}, {self.size} octets>"

    def write(self, chunk: bytes, limit: int) -> None:
        """Pass on octets of the content, or drop them when the message cannot be taken."""
        self.size += len(chunk)
        if self.size > limit:
            self.refuse(too_large(limit))  # whatever was wrong before: to come again is of no use
        elif self.refused is None and self.content is not None:
            try:
                self.content.write(chunk)
            except OSError:
                self.refuse(NO_ROOM)

    def refuse(self, reply: Reply) -> None:
        """Take nothing more of the content, forget what was taken."""
        self.refused = reply
        self.close()

    def close(self) -> None:
        """Forget the content; idempotent."""
        if self.content is not None:
            self.content.close()
            self.content = None
