"""From the path of a Unix socket to a connected socket; raises `ConnectError`, `TimedOut`."""

from __future__ import annotations

import time

from .. import phases
from ..errors import ConnectError, TimedOut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket

LOOK_AGAIN_S = 0.02


def open_unix(path: str, *, seconds: float, deadline: float | None = None) -> socket:
    """Return a socket connected to the one at `path`, in `seconds` and before `deadline`."""
    import socket

    until = time.monotonic() + seconds
    if deadline is not None:
        until = min(until, deadline)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        _connect(sock, path, until)
    except BlockingIOError:
        sock.close()
        raise TimedOut(phases.CONNECT.phrase, reason=f"{path} is busy") from None
    except OSError as error:
        sock.close()
        raise ConnectError(path, ((path, error.strerror or str(error)),)) from error
    return sock


def _connect(sock: socket, path: str, until: float) -> None:
    """Connect; a server with a full queue is waited for, and then `BlockingIOError` is raised."""
    sock.setblocking(False)
    while True:
        try:
            sock.connect(path)
            return
        except BlockingIOError:  # no room in its queue, and nothing tells when there is
            if time.monotonic() >= until:
                raise
            time.sleep(LOOK_AGAIN_S)
