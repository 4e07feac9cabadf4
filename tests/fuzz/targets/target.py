"""What a target is, and how inputs are cut: their first octets say how the rest comes in pieces."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import TypeAlias

Target: TypeAlias = Callable[[bytes], None]


def cut(octets: bytes) -> list[bytes]:
    """Return the pieces of an input: its first octet is the number of lengths that follow it."""
    count = octets[0] % 8 if octets else 0
    lengths = octets[1 : 1 + count] or b"\0"
    rest = octets[1 + count :]
    pieces = []
    for length in cycle(lengths):
        if not rest:
            return pieces
        size = length or len(rest)
        pieces.append(rest[:size])
        rest = rest[size:]
    return pieces


class Pieces:
    """A connection by which the pieces come, one at a time, and then its end."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = iter(pieces)

    def recv(self, size: int) -> bytes:
        return next(self._pieces, b"")

    def settimeout(self, seconds: float) -> None:
        """Nothing is waited for."""
