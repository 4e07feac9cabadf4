"""The third door: a file in the drop directory, for when there is no daemon to talk to.

`<spool>/drop` has mode 3733 and belongs to the daemon's user: anyone may add a file, nobody can
list the directory or touch another's file, and the file's owner *is* the submitter. The directory
is setgid, so that the daemon reads the file by its group. A drop file holds the request just as the
socket would have carried it; its `size` tells a whole file from a torn one.

Durable on return. Raises OSError when the file cannot be written; nothing is left then.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

DROP_MODE = 0o3733
WRITING = "writing-"  # the prefix of a file that its writer has not finished


def drop_directory(spool: str) -> str:
    """Return the path of the drop directory of a spool."""
    return f"{spool}/drop"


def make_drop_directory(spool: str) -> None:
    """Make the drop directory, the spool owner's: all may add to it, nobody may list it."""
    path = drop_directory(spool)
    try:
        os.mkdir(path)
    except FileExistsError:
        if os.stat(path).st_mode & 0o7777 == DROP_MODE:
            return
    if os.geteuid() == 0:
        owner = os.stat(spool)
        os.chown(path, owner.st_uid, owner.st_gid)
    os.chmod(path, DROP_MODE)


def drop(spool: str, queue_id: str, head: bytes, content: Iterable[bytes]) -> None:
    """Leave a request where the daemon will find it.

    A submitter may not open the directory for reading, so it cannot be synced as such: the file is
    synced after it has its final name, and the file systems in use then write the name with it.
    """
    directory = drop_directory(spool)
    writing, final = f"{directory}/{WRITING}{queue_id}", f"{directory}/{queue_id}"
    fd = os.open(
        writing, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640
    )
    name = writing
    try:
        os.fchmod(fd, 0o640)  # whatever the caller's umask is
        write_all(fd, head)
        for chunk in content:
            write_all(fd, chunk)
        os.rename(writing, final)
        name = final
        os.fsync(fd)
    except BaseException:
        try:
            os.unlink(name)
        except OSError:
            pass  # the daemon was quicker: it has the whole file
        raise
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
