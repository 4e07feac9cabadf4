"""The submission socket: bound with the right mode, or taken over from systemd.

Anyone may connect: who he is the kernel tells (SO_PEERCRED), what he may do is decided by `control`
and `submissions`. Raises OSError when the socket cannot be bound.
"""

from __future__ import annotations

import os
import socket
import stat
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping

FIRST_PASSED_DESCRIPTOR = 3  # sd_listen_fds(3)
BACKLOG = 512


def open_listener(path: str, environ: MutableMapping[str, str]) -> socket.socket:
    """Return the listening socket that systemd passed, or one bound at `path`."""
    passed = take_passed(environ)
    return passed if passed is not None else bind(path)


def take_passed(environ: MutableMapping[str, str]) -> socket.socket | None:
    """Return the socket that the service manager passed to this very process, if any."""
    mine = environ.get("LISTEN_PID") == str(os.getpid())
    count = environ.get("LISTEN_FDS", "")
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        environ.pop(name, None)
    if not mine or not count.isdigit() or int(count) < 1:
        return None
    listener = socket.socket(fileno=FIRST_PASSED_DESCRIPTOR)
    listener.set_inheritable(False)
    return listener


def bind(path: str) -> socket.socket:
    """Bind and listen at `path`, in place of a socket that a daemon before us has left.

    Only the daemon that holds the spool's lock comes here, so a socket that is there is nobody's.
    """
    try:
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(path)
        os.chmod(path, 0o666)  # noqa: S103 - submitting needs no privilege (docs/decisions.md, 1)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def peer_of(connection: socket.socket) -> tuple[int, int, int]:
    """Return pid, uid and gid of the process at the other end."""
    size = struct.calcsize("3i")
    pid, uid, gid = struct.unpack(
        "3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    )
    return pid, uid, gid
