"""What waits to be written: collected while a dialogue talks, written when it comes to listen."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .steps import Mark


class Outbox:
    """Octets in order, where the message among them ends, and marked places."""

    __slots__ = ("_marks", "_parts", "message_end", "size")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._marks: list[tuple[int, Mark]] = []
        self.size = 0
        self.message_end = 0  # before this position an answer comes early

    @property
    def empty(self) -> bool:
        """True when there is nothing to write and nothing to mark."""
        return not (self._parts or self._marks)

    def put(self, octets: bytes, *, message: bool) -> None:
        """Append octets."""
        self._parts.append(octets)
        self.size += len(octets)
        if message:
            self.message_end = self.size

    def mark(self, mark: Mark) -> None:
        """Remember a place: behind all that was put so far."""
        self._marks.append((self.size, mark))

    def octets(self) -> bytes:
        """Return all octets."""
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    def written(self, count: int) -> None:
        """Let the marks know that so many octets were written."""
        for position, mark in self._marks:
            mark.passed = position <= count
