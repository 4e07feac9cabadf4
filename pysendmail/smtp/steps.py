"""What a dialogue yields to its driver.

    bytes     command lines to be written; the driver sends back None
    Secret    a command line that a trace may show only in part; None
    Body      octets of the message; the server's reply if it has answered before the end, else None
    Phase     wait for the next reply, no longer than that phase allows; the `Reply`

Troubles of the connection are thrown into the dialogue where it waits, so that it can add what it
knows; it must let them pass.
"""

from __future__ import annotations

from .phases import Phase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, TypeAlias, TypeVar

    Step: TypeAlias = "bytes | Secret | Body | Phase"
    T = TypeVar("T")
    Dialogue: TypeAlias = Generator[Step, Any, T]


class Secret:
    """A line whose octets from position `shown` on must not be seen."""

    __slots__ = ("octets", "shown")

    def __init__(self, octets: bytes, shown: int = 0) -> None:
        self.octets = octets
        self.shown = shown

    def __repr__(self) -> str:
        return f"Secret({self.octets[: self.shown]!r}...)"


class Body:
    """Octets of a message, ready for the wire."""

    __slots__ = ("octets",)

    def __init__(self, octets: bytes) -> None:
        self.octets = octets

    def __repr__(self) -> str:
        return f"Body({len(self.octets)} octets)"
