"""The listening sockets: bound with the right mode, or taken over from systemd.

Anyone may connect to the submission socket: who he is the kernel tells (SO_PEERCRED), what he may
do is decided by `control` and `submissions`. Sockets for SMTP are bound apart and before, since
ports below 1024 take a privilege that the daemon then gives up. Raises OSError when a socket cannot
be bound.
"""

from __future__ import annotations

import os
import socket
import stat
import struct

from pysendmail.config.endpoints import parse_endpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

FIRST_PASSED_DESCRIPTOR = 3  # sd_listen_fds(3)
BACKLOG = 512


class Listeners:
    """The submission socket, and those for SMTP, all of them listening.

    `kept` tells whether the service manager listens on all of them when we do not, and starts a
    daemon for whoever calls.
    """

    __slots__ = ("kept", "smtp", "submission")

    def __init__(
        self, submission: socket.socket, smtp: list[socket.socket], *, kept: bool = False
    ) -> None:
        self.submission = submission
        self.smtp = smtp
        self.kept = kept


def open_listeners(
    path: str, environ: MutableMapping[str, str], bound: Iterable[socket.socket] = ()
) -> Listeners:
    """Return the sockets that systemd passed and those that are `bound`, now listening.

    A submission socket is bound at `path` unless one was passed.
    """
    passed = take_passed(environ)
    local = [one for one in passed if one.family == socket.AF_UNIX]
    smtp = [one for one in passed if one.family != socket.AF_UNIX]
    ours = list(bound)
    for listener in ours:
        listener.listen(BACKLOG)
    kept = bool(local) and not ours
    return Listeners(local[0] if local else bind(path), smtp + ours, kept=kept)


def take_passed(environ: MutableMapping[str, str]) -> list[socket.socket]:
    """Return the sockets that the service manager passed to this very process."""
    mine = environ.get("LISTEN_PID") == str(os.getpid())
    count = environ.get("LISTEN_FDS", "")
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        environ.pop(name, None)
    if not mine or not count.isdigit():
        return []
    passed = []
    for descriptor in range(FIRST_PASSED_DESCRIPTOR, FIRST_PASSED_DESCRIPTOR + int(count)):
        listener = socket.socket(fileno=descriptor)
        listener.set_inheritable(False)
        passed.append(listener)
    return passed


def bind_endpoints(endpoints: Iterable[str]) -> list[socket.socket]:
    """Return a socket bound at each `address:port`; none listens yet."""
    bound: list[socket.socket] = []
    try:
        for endpoint in endpoints:
            bound.append(bind_endpoint(endpoint))
    except OSError:
        for one in bound:
            one.close()
        raise
    return bound


def bind_endpoint(endpoint: str) -> socket.socket:
    """Return a socket bound at one `address:port`."""
    address, port = parse_endpoint(endpoint)
    listener = socket.socket(
        socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM
    )
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if listener.family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
    except OSError as error:
        listener.close()
        raise OSError(f"cannot listen on {endpoint}: {error.strerror}") from error
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
