"""`connect`: from an address to a client, under TLS from the first octet where that is wanted."""

from __future__ import annotations

import time

from .. import phases
from ..client import Client
from ..errors import UsageError
from ..phases import Timeouts
from .address import Command, check_address
from .stream import SocketStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from .address import Address
    from .tls import TlsConfig


def connect(
    address: Address,
    timeouts: Timeouts | float | None = None,
    *,
    proxy: str | None = None,
    tls: TlsConfig | None = None,
    server_hostname: str | None = None,
    source_address: str | None = None,
    trace: Callable[[bytes, bytes], None] | None = None,
    deadline: float | None = None,
    lmtp: bool = False,
    ignored: Collection[bytes] = (),
) -> Client:
    """Return a client connected to `(host, port)`, to the Unix socket at a path, or to a `Command`.

    A number as `timeouts` bounds each phase alike; a small one is too short for the answer to the
    end of data, and makes duplicates.

    `proxy` is the URL of a SOCKS5 or HTTP proxy to go by (see `proxy`), which then looks up the
    host. With `tls` the connection is TLS from its first octet, for `server_hostname` or else the
    host. `source_address` is the local IP address to connect from, `deadline` a moment of
    `time.monotonic` for this and all that follows. `trace`, `lmtp` and `ignored` are those of
    `Client`. The greeting has not been read.

    Raises `ConnectError`, `TimedOut`, `TlsError`; `UsageError` for what contradicts itself. Then
    nothing is left open.
    """
    timeouts = Timeouts.of(timeouts)
    check_address(address)
    server_hostname = server_hostname or (address[0] if isinstance(address, tuple) else "")
    if tls is not None:
        if not server_hostname:
            raise UsageError("TLS needs server_hostname where the address has none")
        tls.context()  # a file that is no good is told before a server is bothered
    seconds = timeouts.seconds(phases.CONNECT)
    stream = _open(address, proxy, seconds, deadline, source_address)
    if tls is not None:
        seconds = timeouts.seconds(phases.TLS)
        if deadline is not None:
            seconds = min(seconds, deadline - time.monotonic())
        stream.set_timeout(seconds)
        stream.start_tls(tls, server_hostname)
    client = Client(
        stream,
        stream,
        set_timeout=stream.set_timeout,
        timeouts=timeouts,
        trace=trace,
        lmtp=lmtp,
        ignored=ignored,
    )
    client.deadline = deadline
    return client


def _open(
    address: Address,
    proxy: str | None,
    seconds: float,
    deadline: float | None,
    source_address: str | None,
) -> SocketStream:
    """Return the connection in clear; what it takes is loaded only now."""
    if proxy is not None and not isinstance(address, tuple):
        raise UsageError("a proxy leads to a host and a port, not to a Unix socket or a command")
    if isinstance(address, Command):
        from .command import start_command

        return start_command(address)
    if isinstance(address, str):
        from .unix import open_unix

        return SocketStream(open_unix(address, seconds=seconds, deadline=deadline))
    host, port = address
    if proxy is not None:
        from .proxy import open_through

        sock = open_through(
            proxy, host, port, seconds=seconds, deadline=deadline, source_address=source_address
        )
    else:
        from .tcp import open_tcp

        sock = open_tcp(
            host, port, seconds=seconds, deadline=deadline, source_address=source_address
        )
    return SocketStream(sock)
