"""The outcome: what became of one recipient in one attempt, and how bytes are shown to people."""

from __future__ import annotations

DELIVERED = "delivered"
DEFERRED = "deferred"
FAILED = "failed"


class Outcome:
    """What became of one recipient.

    `kind` is DELIVERED, DEFERRED or FAILED; `status` the enhanced status code of RFC 3463
    (b"5.1.1"); `text` one printable line; `remote` the host that said it, b"" when we did.
    `maybe_duplicate`: the connection was lost after the final dot, so the smarthost may have the
    message all the same. `dsn`: that host has taken over what was asked about reports (RFC 3461).
    """

    __slots__ = ("dsn", "kind", "maybe_duplicate", "recipient", "remote", "status", "text")

    def __init__(
        self,
        recipient: bytes,
        kind: str,
        status: bytes,
        text: bytes,
        remote: bytes = b"",
        maybe_duplicate: bool = False,
        dsn: bool = False,
    ) -> None:
        self.recipient = recipient
        self.kind = kind
        self.status = status
        self.text = text
        self.remote = remote
        self.maybe_duplicate = maybe_duplicate
        self.dsn = dsn

    def __repr__(self) -> str:
        return (
            f"Outcome({self.recipient!r}, {self.kind!r}, {self.status!r}, {self.text!r},"
            f" {self.remote!r}, maybe_duplicate={self.maybe_duplicate}, dsn={self.dsn})"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Outcome):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __hash__(self) -> int:
        return hash((self.recipient, self.kind, self.status, self.text))


CUT = b"..."


def printable(text: bytes, limit: int = 500) -> bytes:
    r"""Return any bytes as one harmless line of at most `limit` octets of valid UTF-8.

    Line ends and other blanks become spaces; control characters, invalid octets and characters that
    steer the display (right-to-left overrides and the like) become escapes as `\x1b`. What is too
    long ends with three dots.
    """
    # No character takes more than four octets, so this cuts off nothing that could be shown.
    shown = text[: 4 * limit + 4].decode("utf-8", "backslashreplace")
    if not shown.isprintable():
        shown = "".join([character_shown(character) for character in shown])
    line = shown.encode()
    if len(line) <= limit:
        return line
    return line[: max(limit - len(CUT), 0)].decode("utf-8", "ignore").encode() + CUT[:limit]


def character_shown(character: str) -> str:
    """Return one character as itself, a space or an escape."""
    if character.isprintable():
        return character
    if character.isspace():
        return " "
    return character.encode("unicode_escape").decode("ascii")
