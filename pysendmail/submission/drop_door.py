"""The third door: a file in the drop directory, for when there is no daemon to talk to.

`<spool>/drop` has mode 3733 and belongs to the daemon's user: anyone may add a file, nobody can
list the directory or touch another's file, and the file's owner *is* the submitter. The directory
is setgid, so that the daemon reads the file by its group. A drop file holds the request just as the
socket would have carried it; its `size` tells a whole file from a torn one.

Durable on return. Raises OSError when the file cannot be written; nothing is left then.
"""

from __future__ import annotations

import posix

from pysendmail.message.content import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

DROP = "drop"
DROP_MODE = 0o3733
WRITING = "writing-"  # the prefix of a file that its writer has not finished


def drop_directory(spool: str) -> str:
    """Return the path of the drop directory of a spool."""
    return f"{spool}/{DROP}"


def make_drop_directory(spool: str) -> None:
    """Make the drop directory, the spool owner's: all may add to it, nobody may list it.

    Root does this in a directory of another user's, so no name in there is followed. The directory
    is durable before its mode lets anyone in: what is dropped would be lost with it.
    """
    top = posix.open(spool, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
    try:
        try:
            posix.mkdir(DROP, 0o700, dir_fd=top)
        except FileExistsError:
            pass
        flags = posix.O_RDONLY | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC
        fd = posix.open(DROP, flags, dir_fd=top)
        try:
            if posix.geteuid() == 0:
                owner = posix.stat(top)
                posix.fchown(fd, owner.st_uid, owner.st_gid)
            if posix.fstat(fd).st_mode & 0o7777 != DROP_MODE:
                posix.fsync(top)
                posix.fchmod(fd, DROP_MODE)
        finally:
            posix.close(fd)
    finally:
        posix.close(top)


def drop(spool: str, queue_id: str, head: bytes, content: Iterable[bytes]) -> None:
    """Leave a request where the daemon will find it.

    A submitter may not open the directory for reading, so it cannot be synced as such: the file is
    synced after it has its final name, and the file systems in use then write the name with it.
    """
    writing = WRITING + queue_id
    directory = posix.open(
        drop_directory(spool), posix.O_PATH | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC
    )
    try:
        flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW | posix.O_CLOEXEC
        fd = posix.open(writing, flags, 0o640, dir_fd=directory)
        name = writing
        try:
            posix.fchmod(fd, 0o640)  # whatever the caller's umask is
            write_all(fd, head)
            for chunk in content:
                write_all(fd, chunk)
            posix.rename(writing, queue_id, src_dir_fd=directory, dst_dir_fd=directory)
            name = queue_id
            posix.fsync(fd)
        except BaseException:
            forget(name, directory)
            raise
        finally:
            posix.close(fd)
    finally:
        posix.close(directory)


def forget(name: str, directory: int) -> None:
    """Remove a file that was not finished; where the daemon was quicker, it has the whole of it."""
    try:
        posix.unlink(name, dir_fd=directory)
    except OSError:
        pass
