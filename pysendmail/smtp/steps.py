"""What a dialogue yields to its driver.

    bytes     command lines to be written
    Secret    a command line that a trace may show only in part
    Body      octets of the message after DATA; True comes back when no more of it is wanted,
              because the server has answered already or is gone
    Chunk     a part of the message whose length BDAT has announced
    Mark      a place in the stream of octets
    Told      something for whoever performs the dialogue
    Phase     wait for the next reply, no longer than that phase allows; the `Reply` comes back

What is to be written is collected until a reply is awaited, so that it travels together. Troubles
of the connection are thrown into the dialogue where it waits, so that it can add what it knows.
"""

from __future__ import annotations

from .phases import Phase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from typing import Any, TypeAlias, TypeVar

    Step: TypeAlias = "bytes | Secret | Body | Chunk | Mark | Told | Phase"
    T = TypeVar("T")
    Dialogue: TypeAlias = Generator[Step, Any, T]


class Secret:
    """A line whose octets from position `shown` on must not be seen.

    Nor must `carried`, the passwords and tokens behind them, where the server says them back.
    """

    __slots__ = ("carried", "octets", "shown")

    def __init__(self, octets: bytes, shown: int = 0, carried: Iterable[bytes] = ()) -> None:
        self.octets = octets
        self.shown = shown
        self.carried = carried

    def __repr__(self) -> str:
        return f"Secret({self.octets[: self.shown]!r}...)"


class Body:
    """Octets of a message, ready for the wire; a server that answers is sent no more of them."""

    __slots__ = ("octets",)

    def __init__(self, octets: bytes) -> None:
        self.octets = octets

    def __repr__(self) -> str:
        return f"Body({len(self.octets)} octets)"


class Chunk:
    """Octets of a message that were announced by their number, and so must all follow."""

    __slots__ = ("octets",)

    def __init__(self, octets: bytes) -> None:
        self.octets = octets

    def __repr__(self) -> str:
        return f"Chunk({len(self.octets)} octets)"


class Mark:
    """A place between octets; `passed` as soon as all before it were handed to the connection."""

    __slots__ = ("passed",)

    def __init__(self) -> None:
        self.passed = False

    def __repr__(self) -> str:
        return f"Mark(passed={self.passed})"


class Told:
    """A `value` that is known by now and need not wait for the end of the dialogue."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"Told({self.value!r})"
