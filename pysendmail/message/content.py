"""Content: octets at rest, read as often as one likes.

`Content` keeps what is written to it in memory, and beyond a bound in a file without a name, so
that memory stays bounded whatever callers send and nothing is left behind by a crash. `FileSlice`
reads a part of a file that exists, `Octets` is what is small and was read already; `Slice` reads a
part of any of them. All four are `Readable`.

Reading is by position (pread), so several threads may read at once. A file that turns out shorter
than it was raises OSError: half a message must never look like a whole one.
"""

from __future__ import annotations

import errno
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

# Where a file goes when the directory asked for cannot take it (it may be missing).
FALLBACK_DIRECTORIES = ("/var/tmp", "/tmp")  # noqa: S108 - the files have no names


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
        fd = open_unnamed(self._directory)
        try:
            write_all(fd, bytes(self._memory))
        except BaseException:
            posix.close(fd)
            raise
        self._fd = fd
        self._memory = bytearray()


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


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`, in as many calls as the kernel wants."""
    rest = memoryview(data)
    while rest:
        rest = rest[posix.write(fd, rest) :]


def open_unnamed(directory: str | None) -> int:
    """Open a new file that has no name, in `directory` or where temporary files go.

    Returns a descriptor; raises the OSError of the last directory tried.
    """
    candidates = [nearest_directory(directory)] if directory is not None else []
    candidates += FALLBACK_DIRECTORIES
    for place in candidates[:-1]:
        try:
            return open_unnamed_in(place)
        except OSError:
            pass  # missing, full of quotas, not ours: the next one may do
    return open_unnamed_in(candidates[-1])


def nearest_directory(path: str) -> str:
    """Return this directory, or the nearest one above it where it has not been made yet.

    In a container with a read-only root that is the only place there is.
    """
    import os  # for what is too large for memory

    while not os.path.isdir(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def open_unnamed_in(directory: str) -> int:
    """Open a file without a name in `directory`; raises OSError."""
    try:
        return posix.open(directory, posix.O_TMPFILE | posix.O_RDWR, 0o600)
    except OSError as error:
        # What kernels and file systems say that know no O_TMPFILE, see open(2).
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            raise
    path = f"{directory}/.pysendmail-{posix.urandom(12).hex()}"
    fd = posix.open(path, posix.O_RDWR | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW, 0o600)
    posix.unlink(path)
    return fd
