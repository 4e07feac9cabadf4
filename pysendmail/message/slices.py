"""Octets that are there already, read as often as one likes.

`FileSlice` reads a part of a file, `Octets` is what is small and was read already; `Slice` reads a
part of another. All are `Readable`, see `content`.

Reading is by position (pread), so several threads may read at once. A file that turns out shorter
than it was raises OSError: half a message must never look like a whole one.
"""

from __future__ import annotations

import errno
import posix

from pysendmail.message.content import CHUNK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pysendmail.message.content import Readable


class FileSlice:
    """`size` octets of an open file from `offset`; closes the descriptor if it `owns` it."""

    __slots__ = ("_fd", "_offset", "_owns", "size")

    def __init__(self, fd: int, offset: int, size: int, *, owns: bool = False) -> None:
        self._fd = fd
        self._offset = offset
        self._owns = owns
        self.size = size

    def __repr__(self) -> str:
        return f"FileSlice({self._fd}, {self._offset}, {self.size}, owns={self._owns})"

    def __del__(self) -> None:
        self.close()

    def chunks(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the octets from `start` to `end` of the slice."""
        end = self.size if end is None else min(end, self.size)
        # Not handed on: this frame keeps the slice, and with it the descriptor, alive.
        yield from read_range(self._fd, self._offset + start, self._offset + end)

    def close(self) -> None:
        """Close the descriptor if it is ours."""
        if self._owns and self._fd >= 0:
            posix.close(self._fd)
        self._fd = -1


class Octets:
    """Octets in memory, for good."""

    __slots__ = ("_octets", "size")

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self.size = len(octets)

    def __repr__(self) -> str:
        return f"<Octets: {self.size}>"

    def chunks(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the octets from `start` to `end`, in pieces of bounded length."""
        end = self.size if end is None else min(end, self.size)
        for position in range(start, end, CHUNK):
            yield self._octets[position : min(position + CHUNK, end)]

    def close(self) -> None:
        """Nothing is held that has to be given back."""


class Slice:
    """The octets of another readable from `start` on; closing it closes the other."""

    __slots__ = ("_start", "_whole", "size")

    def __init__(self, whole: Readable, start: int) -> None:
        self._whole = whole
        self._start = start
        self.size = max(whole.size - start, 0)

    def __repr__(self) -> str:
        return f"Slice({self._whole!r}, {self._start})"

    def chunks(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the octets from `start` to `end` of the slice."""
        end = self.size if end is None else min(end, self.size)
        return self._whole.chunks(self._start + start, self._start + end)

    def close(self) -> None:
        """Close the whole."""
        self._whole.close()


def read_range(fd: int, start: int, end: int) -> Iterator[bytes]:
    """Yield the octets of a file from `start` to `end`; raises OSError when it ends before."""
    while start < end:
        chunk = posix.pread(fd, min(CHUNK, end - start), start)
        if not chunk:
            raise OSError(errno.EIO, f"the file ends {end - start} octets too early")
        start += len(chunk)
        yield chunk
