"""Every system call that changes the spool, and no other: the place to watch, fail or replay it.

A test hands the spool a subclass that records each call, raises ENOSPC at the n-th, or kills the
process there. Names are relative to an open directory (`dir_fd`), so a path component swapped
under a running daemon leads nowhere. Everything raises OSError.
"""

from __future__ import annotations

import os

# Never follow a link, never leak into a child, never hang on a FIFO somebody put there.
SAFE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Disk:
    """The real thing. Holds no state."""

    __slots__ = ()

    def make_directory(self, name: str, dir_fd: int | None, mode: int) -> None:
        """Make directory `name`; the mode is set by `set_mode`, the umask being what it is."""
        os.mkdir(name, mode, dir_fd=dir_fd)

    def make_fifo(self, name: str, dir_fd: int) -> None:
        """Make a FIFO for the owner alone."""
        os.mkfifo(name, 0o600, dir_fd=dir_fd)

    def create(self, name: str, dir_fd: int, mode: int = 0o600, *, exclusive: bool = True) -> int:
        """Create file `name` for the owner alone and open it for reading and writing."""
        flags = os.O_RDWR | os.O_CREAT | SAFE | (os.O_EXCL if exclusive else 0)
        return os.open(name, flags, mode, dir_fd=dir_fd)

    def write(self, fd: int, data: bytes, offset: int) -> None:
        """Write all of `data` at `offset`. Short writes (a signal, the last free block) go on."""
        view = memoryview(data)
        while view:
            written = os.pwrite(fd, view, offset)
            view, offset = view[written:], offset + written

    def truncate(self, fd: int, size: int) -> None:
        """Cut the file to `size` octets."""
        os.ftruncate(fd, size)

    def set_times(self, fd: int, microseconds: int) -> None:
        """Set the modification time, microseconds since the epoch."""
        os.utime(fd, ns=(microseconds * 1000, microseconds * 1000))

    def set_mode(self, fd: int, mode: int) -> None:
        """Set permission bits, whatever the umask."""
        os.fchmod(fd, mode)

    def set_owner(self, fd: int, uid: int, gid: int) -> None:
        """Give the file to another user (root only)."""
        os.fchown(fd, uid, gid)

    def rename(self, name: str, from_fd: int, new_name: str, to_fd: int) -> None:
        """Move a name; atomic, replaces what is there."""
        os.rename(name, new_name, src_dir_fd=from_fd, dst_dir_fd=to_fd)

    def unlink(self, name: str, dir_fd: int) -> None:
        """Remove a name."""
        os.unlink(name, dir_fd=dir_fd)

    def sync(self, fd: int) -> None:
        """Return when the file's content, or the directory's names, survive a power cut."""
        os.fsync(fd)
