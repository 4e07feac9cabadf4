"""From an address to a connected socket: every resolved address is tried in the resolver's order.

Raises `ConnectError`, `TimedOut`. Name resolution is the system's and takes as long as it likes.
"""

from __future__ import annotations

import time

from .. import phases
from ..errors import ConnectError, TimedOut
from .address import name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from socket import socket
    from typing import Any

    from .address import Address


def connect_any(
    address: Address, seconds: float, source_address: str | None, deadline: float | None
) -> socket:
    """Return a socket connected to the first address that answers."""
    import socket

    reasons = []
    name = name_of(address)
    try:
        for family, sockaddr in _resolve(address):
            if deadline is not None:
                seconds = min(seconds, deadline - time.monotonic())
                if seconds <= 0:
                    raise TimedOut(phases.CONNECT.phrase)
            sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
            try:
                sock.settimeout(seconds)
                if source_address is not None and family != socket.AF_UNIX:
                    sock.bind((source_address, 0))
                sock.connect(sockaddr)
                if family != socket.AF_UNIX:
                    # Our writes are whole already; waiting to join them would cost a round trip.
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock
            except OSError as error:
                sock.close()
                shown = sockaddr if isinstance(sockaddr, str) else f"{sockaddr[0]}:{sockaddr[1]}"
                reasons.append((shown, str(error)))
    except (OSError, UnicodeError) as error:  # from the resolver; UnicodeError: no name at all
        reasons.append((name, str(error)))
    raise ConnectError(name, tuple(reasons))


def _resolve(address: Address) -> Iterator[tuple[int, Any]]:
    """Yield family and socket address of every way to `address`."""
    import socket

    if isinstance(address, str):
        yield socket.AF_UNIX, address
        return
    host, port = address
    for family, _, _, _, sockaddr in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        yield family, sockaddr
