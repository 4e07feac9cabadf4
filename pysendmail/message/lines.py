"""What a server may not take, looked for in octets: lines that are too long, octets above 127."""

from __future__ import annotations

from pysendmail.message.encode import HIGH, LINE_LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# The longest line that may be, with its CRLF.
LONGEST = LINE_LIMIT + 2


class Survey:
    """`size` octets, of which `high` are above 127; `long_line`: a line is longer than allowed."""

    __slots__ = ("high", "long_line", "size")

    def __init__(self, size: int, high: int, *, long_line: bool) -> None:
        self.size = size
        self.high = high
        self.long_line = long_line

    def __repr__(self) -> str:
        return f"Survey({self.size}, {self.high}, long_line={self.long_line})"


def survey(chunks: Iterable[bytes]) -> Survey:
    """Look at canonical octets, however they are cut."""
    size = high = 0
    begun = 0  # octets of the line in hand before this chunk
    long_line = False
    for chunk in chunks:
        size += len(chunk)
        if not chunk.isascii():
            high += len(chunk) - len(chunk.translate(None, HIGH))
        if not long_line:
            begun = length_of_last_line(chunk, begun)
            long_line = begun >= LONGEST
    return Survey(size, high, long_line=long_line or begun > LINE_LIMIT)


def length_of_last_line(chunk: bytes, begun: int) -> int:
    """Return how many octets the last line has so far, `begun` of the first one before this chunk.

    At least LONGEST when a line is too long, be it the last one or not.
    """
    start = -begun
    while True:
        # The last line end where the longest line could have its own: one hop over many short ones.
        end = chunk.rfind(b"\n", max(start, 0), start + LONGEST)
        if end < 0:
            return len(chunk) - start
        start = end + 1
