"""The directories of the spool: making them, opening them, and whose files they hold.

    <spool>/           0711   the way to drop/, which everybody may walk, and nothing else
      format                  the number of the layout; written last, so it means "complete"
      incoming/        0700   entries being written
      queue/           0700   entries
      done/            0700   queue ids that stay taken though no entry is there (empty files)
      broken/          0700   what was no entry, for a person to look at; never deleted
      wake             0600   FIFO on which the daemon is woken
      drop/                   the submission package's own

Everything belongs to the owner of the top directory: when root works on a spool of another user,
what it makes is given to that user, who could not read it otherwise.
"""

from __future__ import annotations

import os
import stat

from pysendmail.spool.bell import FIFO
from pysendmail.spool.disk import SAFE, Disk
from pysendmail.spool.errors import SpoolError

FORMAT = 1
BROKEN = "broken"
DIRECTORIES = ("incoming", "queue", "done", BROKEN)

_FORMAT_FILE = "format"
_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Layout:
    """The open directories, as descriptors: `incoming`, `queue`, `done`, `broken`, and `top`."""

    __slots__ = ("_owner", "broken", "disk", "done", "incoming", "path", "queue", "top")

    def __init__(self, path: str | bytes, disk: Disk) -> None:
        """Open a spool. Raises OSError, or SpoolError when it is none or of another format."""
        self.disk = disk
        self.path = os.path.abspath(os.fsdecode(path))
        self.top = os.open(path, _OPEN_DIRECTORY)
        opened: list[int] = []
        try:
            _check_format(self.top, path)
            for name in DIRECTORIES:
                opened.append(_open_below(self.top, name))
        except BaseException:
            for fd in (self.top, *opened):
                os.close(fd)
            raise
        self.incoming, self.queue, self.done, self.broken = opened
        self._owner = _owner_to_give_to(self.top)

    def create_file(
        self, name: str, directory: int, mode: int = 0o600, *, exclusive: bool = True
    ) -> int:
        """Create a file of this mode that belongs to the owner of the spool; return it open."""
        fd = self.disk.create(name, directory, mode, exclusive=exclusive)
        try:
            _adopt(fd, mode, self._owner, self.disk)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def in_place(self) -> bool:
        """Tell whether the queue that is open is the one that the path of the spool leads to.

        It is not when somebody removed the spool, or moved or mounted another one there. Raises
        OSError when there is no telling.
        """
        try:
            there = os.stat(f"{self.path}/queue")
        except (FileNotFoundError, NotADirectoryError):
            return False
        return os.path.samestat(there, os.fstat(self.queue))

    def close(self) -> None:
        """Close the directories."""
        for fd in (self.incoming, self.queue, self.done, self.broken, self.top):
            os.close(fd)


def create_layout(path: str | bytes, disk: Disk) -> None:
    """Make what is missing of a spool, durably. What is there keeps its owner and mode.

    Raises OSError, or SpoolError when a spool of another format is there.
    """
    absolute = os.path.abspath(os.fsdecode(path))
    made_top = _make_directories(absolute, disk)
    top = os.open(path, _OPEN_DIRECTORY)
    try:
        complete = exists(top, _FORMAT_FILE)
        if complete:
            _check_format(top, path)
        if made_top:
            disk.set_mode(top, 0o711)
        owner = _owner_to_give_to(top)
        # Not complete: what is there was made by a creation that a crash ended, perhaps before it
        # was given away or durable. An entry in a directory that gets lost would be lost with it.
        made = [_make_below(top, name, owner, disk, again=not complete) for name in DIRECTORIES]
        made.append(_make_fifo(top, owner, disk, again=not complete))
        if any(made):
            disk.sync(top)
        if not complete:
            _sync_directory(os.path.dirname(absolute), disk)
            _write_format(top, owner, disk)
    finally:
        os.close(top)


def _make_directories(path: str, disk: Disk) -> bool:
    """Make the directory and those above it, each durable in its parent; tell whether any."""
    parent, name = os.path.split(path)
    if os.path.isdir(path) or not name:
        return False
    _make_directories(parent, disk)
    try:
        disk.make_directory(path, None, 0o755)
    except FileExistsError:
        return False  # another process was faster, and makes the rest as we would
    _sync_directory(parent, disk)
    return True


def _sync_directory(path: str, disk: Disk) -> None:
    fd = os.open(path, _OPEN_DIRECTORY)
    try:
        disk.sync(fd)
    finally:
        os.close(fd)


def _make_below(
    top: int, name: str, owner: tuple[int, int] | None, disk: Disk, *, again: bool
) -> bool:
    """Make a directory that is missing, or set right (`again`) one that is there; tell which."""
    try:
        disk.make_directory(name, top, 0o700)
    except FileExistsError:
        if not again:
            return False
    fd = _open_below(top, name)
    try:
        _adopt(fd, 0o700, owner, disk)
    finally:
        os.close(fd)
    return True


def _make_fifo(top: int, owner: tuple[int, int] | None, disk: Disk, *, again: bool) -> bool:
    """The same for the FIFO."""
    try:
        disk.make_fifo(FIFO, top)
    except FileExistsError:
        if not again:
            return False
    fd = os.open(FIFO, os.O_RDWR | SAFE, dir_fd=top)
    try:
        _adopt(fd, 0o600, owner, disk)
    finally:
        os.close(fd)
    return True


def _write_format(top: int, owner: tuple[int, int] | None, disk: Disk) -> None:
    """Write the format file, whole or not at all."""
    draft = f"{_FORMAT_FILE}.{os.urandom(8).hex()}"
    fd = disk.create(draft, top, exclusive=True)
    try:
        _adopt(fd, 0o644, owner, disk)
        disk.write(fd, b"%d\n" % FORMAT, 0)
        disk.sync(fd)
    finally:
        os.close(fd)
    disk.rename(draft, top, _FORMAT_FILE, top)
    disk.sync(top)


def _check_format(top: int, path: str | bytes) -> None:
    """Raise SpoolError unless the layout is one this program can work on."""
    try:
        fd = os.open(_FORMAT_FILE, os.O_RDONLY | SAFE, dir_fd=top)
    except FileNotFoundError:
        raise SpoolError(f"{os.fsdecode(path)} is no spool (nobody has created it)") from None
    try:
        found = os.read(fd, 32).strip()
    finally:
        os.close(fd)
    if found == b"%d" % FORMAT:
        return
    name, whose = os.fsdecode(path), "that no pysendmail has"
    if not found.isdigit():
        raise SpoolError(f"{name} is no spool: its format file says {found!r}, not {FORMAT}")
    if int(found) > FORMAT:
        whose = "of a newer pysendmail"
    raise SpoolError(f"the spool {name} has format {int(found)}, {whose}; this one knows {FORMAT}")


def _open_below(top: int, name: str) -> int:
    return os.open(name, _OPEN_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)


def exists(directory: int, name: str) -> bool:
    """Tell whether a directory has this name."""
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _owner_to_give_to(top: int) -> tuple[int, int] | None:
    """Return (uid, gid) that new files must be given to, None when they are right as made."""
    status = os.fstat(top)
    if os.geteuid() == 0 and status.st_uid != 0:
        return status.st_uid, status.st_gid
    return None


def _adopt(fd: int, mode: int, owner: tuple[int, int] | None, disk: Disk) -> None:
    """Set what the umask and the creating user got wrong."""
    if stat.S_IMODE(os.fstat(fd).st_mode) != mode:
        disk.set_mode(fd, mode)
    if owner is not None:
        disk.set_owner(fd, *owner)
