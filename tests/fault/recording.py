"""What a process does to the files below a directory: every call that changes something, in order.

`Recording` puts itself in the place of the functions of `posix` and `os` by which Python changes
files, lets each call through, and notes it: by inode, so that it is known which file a write went
to whatever its name is by then. That nothing was missed is seen by replaying it:
`power_cut.kept_by` all of it gives the very tree that is on disk.
"""

from __future__ import annotations

import os
import posix
import stat
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple

FILE, DIRECTORY, FIFO = "file", "directory", "fifo"
# Kinds of changes: of the names in a directory, of a file itself, and none at all.
ENTER, REMOVE, MOVE = "enter", "remove", "move"
WRITE, TRUNCATE, TIMES, MODE = "write", "truncate", "times", "mode"
SYNC, MARK = "sync", "mark"
OF_NAMES = (ENTER, REMOVE, MOVE)
OF_FILES = (WRITE, TRUNCATE, TIMES, MODE)

ROOT = 0  # the inode of the directory that is watched


class Change(NamedTuple):
    """One change: which inode, and for names also in which directory and to which."""

    kind: str
    inode: int
    directory: int = -1
    name: str = ""
    to_directory: int = -1
    to_name: str = ""
    value: int = 0  # offset, size, time or mode
    data: bytes = b""
    mark: Any = None


class Recording:
    """The changes below `root` while it is entered (as a context manager)."""

    def __init__(self, root: str) -> None:
        self.changes: list[Change] = []
        self.kinds: dict[int, str] = {ROOT: DIRECTORY}
        self._root = root
        self._inodes = {os.stat(root).st_ino: ROOT}  # numbers of the file system -> ours
        self._real: dict[str, Callable[..., Any]] = {}

    def mark(self, mark: object) -> None:
        """Note that something happened in the world between two changes."""
        self.changes.append(Change(MARK, -1, mark=mark))

    def __enter__(self) -> Recording:
        for name in (
            "open", "mkdir", "mkfifo", "rename", "replace", "link", "symlink", "unlink", "rmdir",
            "write", "pwrite", "ftruncate", "truncate", "utime", "chmod", "fchmod", "fsync",
            "fdatasync",
        ):  # fmt: skip
            self._real[name] = getattr(os, name)
            for module in (os, posix):
                setattr(module, name, getattr(self, f"_{name}", None) or self._refuse(name))
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for name, function in self._real.items():
            for module in (os, posix):
                setattr(module, name, function)

    def _refuse(self, name: str) -> Callable[..., Any]:
        def refuse(*_: Any, **__: Any) -> None:
            raise AssertionError(f"os.{name} is not modelled")

        return refuse

    # Inodes

    def _of(self, fd: int) -> int | None:
        return self._inodes.get(os.fstat(fd).st_ino)

    def _place(self, path: Any, dir_fd: int | None) -> tuple[int, str] | None:
        """Return directory and name, None for a place that is not below the root."""
        path = os.fsdecode(path)
        parent, name = os.path.split(path)
        if parent or dir_fd is None:
            found = os.stat(parent or ".", dir_fd=None if parent.startswith("/") else dir_fd)
        else:
            found = os.fstat(dir_fd)
        directory = self._inodes.get(found.st_ino)
        return None if directory is None else (directory, name)

    def _known(self, path: Any, dir_fd: int | None) -> int:
        return self._inodes[os.stat(path, dir_fd=dir_fd, follow_symlinks=False).st_ino]

    def _is_new(self, kind: str, number: int, place: tuple[int, str], mode: int) -> None:
        inode = len(self.kinds)
        self._inodes[number] = inode
        self.kinds[inode] = kind
        self.changes.append(Change(ENTER, inode, *place, value=stat.S_IMODE(mode)))

    # The calls

    def _open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        place = self._place(path, dir_fd) if flags & os.O_CREAT else None
        existed = place is not None and os.path.lexists(self._absolute(path, dir_fd))
        fd: int = self._real["open"](path, flags, mode, dir_fd=dir_fd)
        if place is not None and not existed:
            status = os.fstat(fd)
            self._is_new(FILE, status.st_ino, place, status.st_mode)
        return fd

    def _absolute(self, path: Any, dir_fd: int | None) -> str:
        above = "" if dir_fd is None else os.readlink(f"/proc/self/fd/{dir_fd}")
        return os.path.join(above, os.fsdecode(path))

    def _mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        self._real["mkdir"](path, mode, dir_fd=dir_fd)
        self._made(DIRECTORY, path, dir_fd)

    def _mkfifo(self, path: Any, mode: int = 0o666, *, dir_fd: int | None = None) -> None:
        self._real["mkfifo"](path, mode, dir_fd=dir_fd)
        self._made(FIFO, path, dir_fd)

    def _made(self, kind: str, path: Any, dir_fd: int | None) -> None:
        if place := self._place(path, dir_fd):
            status = os.stat(path, dir_fd=dir_fd)
            self._is_new(kind, status.st_ino, place, status.st_mode)

    def _rename(
        self, old: Any, new: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None
    ) -> None:
        place, target = self._place(old, src_dir_fd), self._place(new, dst_dir_fd)
        inode = -1 if place is None else self._known(old, src_dir_fd)
        self._real["rename"](old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        if place is not None and target is not None:
            self.changes.append(Change(MOVE, inode, *place, *target))

    def _unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        place = self._place(path, dir_fd)
        inode = -1 if place is None else self._known(path, dir_fd)
        self._real["unlink"](path, dir_fd=dir_fd)
        if place is not None:
            self.changes.append(Change(REMOVE, inode, *place))

    def _pwrite(self, fd: int, data: Any, offset: int) -> int:
        written: int = self._real["pwrite"](fd, data, offset)
        self._note(WRITE, fd, offset, bytes(memoryview(data)[:written]))
        return written

    def _write(self, fd: int, data: Any) -> int:
        regular = stat.S_ISREG(os.fstat(fd).st_mode)
        offset = os.lseek(fd, 0, os.SEEK_CUR) if regular else 0
        written: int = self._real["write"](fd, data)
        if regular:
            self._note(WRITE, fd, offset, bytes(memoryview(data)[:written]))
        return written

    def _ftruncate(self, fd: int, size: int) -> None:
        self._real["ftruncate"](fd, size)
        self._note(TRUNCATE, fd, size)

    def _utime(self, fd: int, *, ns: tuple[int, int]) -> None:
        self._real["utime"](fd, ns=ns)
        self._note(TIMES, fd, ns[1])

    def _fchmod(self, fd: int, mode: int) -> None:
        self._real["fchmod"](fd, mode)
        self._note(MODE, fd, mode)

    def _fsync(self, fd: int) -> None:
        self._real["fsync"](fd)
        self._note(SYNC, fd)

    def _note(self, kind: str, fd: int, value: int = 0, data: bytes = b"") -> None:
        inode = self._of(fd)
        if inode is not None:
            self.changes.append(Change(kind, inode, value=value, data=data))
