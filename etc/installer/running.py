"""The daemon of an installation as it runs: who it is, and the socket that it leaves behind.

It is looked for where it is without settings that say otherwise.
"""

from __future__ import annotations

import contextlib
import os

from etc.installer.places import Places
from pysendmail.daemon.lifecycle import lock_path, read_holder
from pysendmail.submission.socket_door import is_served


def running_daemon(places: Places) -> str:
    """Return the pid of the daemon, "" without one, or where it ends by itself with the queue."""
    try:
        lock = os.open(lock_path(places.spool), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return ""
    try:
        pid, lingers = read_holder(lock)
    finally:
        os.close(lock)
    if places.destdir or lingers or not pid.isdigit():
        return ""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as told:
            return pid if os.fsencode(places.daemon) in told.read().split(b"\0") else ""
    except OSError:
        return ""


def remove_socket(places: Places) -> None:
    """Remove a socket that nobody listens at any more, and the directories that were for it."""
    if places.destdir or is_served(places.socket):
        return
    with contextlib.suppress(OSError):
        os.unlink(places.socket)
        os.rmdir(places.run)
        if os.path.dirname(places.run) == f"{places.prefix}/run":
            os.rmdir(f"{places.prefix}/run")
