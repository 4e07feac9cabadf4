"""`connect`: from an address to a client, under TLS from the first octet where that is wanted."""

from __future__ import annotations

import time

from .. import phases
from ..client import Client
from ..phases import Timeouts
from .address import name_of
from .race import connect_any
from .stream import SocketStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .address import Address
    from .tls import TlsConfig


def connect(
    address: Address,
    timeouts: Timeouts | None = None,
    *,
    tls: TlsConfig | None = None,
    server_hostname: str | None = None,
    source_address: str | None = None,
    trace: Callable[[bytes, bytes], None] | None = None,
    deadline: float | None = None,
) -> Client:
    """Return a client connected to `(host, port)` or to the Unix socket at a path.

    With `tls` the connection is TLS from its first octet, for `server_hostname` or else the host.
    `source_address` is the local address to connect from; `deadline` a moment of `time.monotonic`.
    The greeting has not been read.
    """
    timeouts = timeouts or Timeouts()
    connect_seconds = timeouts.seconds(phases.CONNECT)
    stream = SocketStream(connect_any(address, connect_seconds, source_address, deadline))
    if tls is not None:
        seconds = timeouts.seconds(phases.TLS)
        if deadline is not None:
            seconds = min(seconds, deadline - time.monotonic())
        stream.set_timeout(seconds)
        stream.start_tls(tls, server_hostname or name_of(address))
    client = Client(stream, stream, set_timeout=stream.set_timeout, timeouts=timeouts, trace=trace)
    client.deadline = deadline
    return client
