"""Content: octets that come in, read as often as one likes.

`Content` keeps what is written to it in memory, and beyond a bound in a file without a name, so
that memory stays bounded whatever callers send and nothing is left behind by a crash. It is
`Readable`, as are those of `slices`.
"""

from __future__ import annotations

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    class Readable(Protocol):
        """Octets that can be read again and again."""

        @property
        def size(self) -> int:
            """The number of octets."""

        def chunks(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
            """Yield the octets from `start` to `end`, in pieces of bounded length."""

        def close(self) -> None:
            """Give back what is held; idempotent."""


CHUNK = 64 * 1024


class Content:
    """Octets written once: at most `memory` in memory, more in an unnamed file in `directory`.

    Raises OSError when the file cannot be made or written.
    """

    __slots__ = ("_directory", "_fd", "_limit", "_memory", "_size")

    def __init__(self, *, memory: int = 256 * 1024, directory: str | None = None) -> None:
        self._limit = memory
        self._directory = directory
        self._memory = bytearray()
        self._fd = -1
        self._size = 0

    def __repr__(self) -> str:
        return f"<Content of {self._size} octets in {'memory' if self._fd < 0 else 'a file'}>"

    def __del__(self) -> None:
        self.close()

    @property
    def size(self) -> int:
        """The number of octets written."""
        return self._size

    def write(self, chunk: bytes) -> None:
        """Append `chunk`."""
        if self._fd < 0 and self._size + len(chunk) <= self._limit:
            self._memory += chunk
        else:
            if self._fd < 0:
                self._spill()
            write_all(self._fd, chunk)
        self._size += len(chunk)

    def chunks(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the octets from `start` to `end`, by default all that are there now."""
        end = self._size if end is None else min(end, self._size)
        if self._fd >= 0:
            from pysendmail.message.slices import read_range

            yield from read_range(self._fd, start, end)
            return
        for position in range(start, end, CHUNK):
            yield bytes(self._memory[position : min(position + CHUNK, end)])

    def close(self) -> None:
        """Forget the octets; the file, having no name, is gone with its descriptor.

        Raises nothing: nobody has relied on that file.
        """
        fd, self._fd = self._fd, -1
        if fd >= 0:
            try:
                posix.close(fd)
            except OSError:
                pass  # it is closed all the same (close(2))
        self._memory = bytearray()
        self._size = 0

    def _spill(self) -> None:
        """Move from memory to a file."""
        from pysendmail.message.unnamed import open_unnamed

        fd = open_unnamed(self._directory)
        try:
            write_all(fd, bytes(self._memory))
        except BaseException:
            posix.close(fd)
            raise
        self._fd = fd
        self._memory = bytearray()


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`, in as many calls as the kernel wants."""
    rest = memoryview(data)
    while rest:
        rest = rest[posix.write(fd, rest) :]
