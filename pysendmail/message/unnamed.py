"""Files without a name, for what is too large for memory: nothing of them is left by a crash."""

from __future__ import annotations

import errno
import os

# Where a file goes when the directory asked for cannot take it (it may be missing).
FALLBACK_DIRECTORIES = ("/var/tmp", "/tmp")  # noqa: S108 - the files have no names


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
    while not os.path.isdir(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def open_unnamed_in(directory: str) -> int:
    """Open a file without a name in `directory`; raises OSError."""
    try:
        return os.open(directory, os.O_TMPFILE | os.O_RDWR, 0o600)
    except OSError as error:
        # What kernels and file systems say that know no O_TMPFILE, see open(2).
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            raise
    path = f"{directory}/.pysendmail-{os.urandom(12).hex()}"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    os.unlink(path)
    return fd
