"""Connections: addresses, sockets and TLS, as streams for `client.Client`.

The only package of the core that touches `socket` and `ssl`; both are loaded when first needed.
From bottom to top: `address`, `certificate`, `pin` and `fault` are pure; `tls` is what is wanted of
a TLS session and what it turned out to be; `stream` is one connected socket; `race` connects it;
`connection` puts them together.

Raises `ConnectError`, `TlsError`, `TimedOut`.
"""

from __future__ import annotations

from .address import SMTP_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT, TCP_PORT
from .connection import connect
from .stream import SocketStream
from .tls import TlsConfig, TlsProperties

__all__ = [
    "SMTP_PORT",
    "SUBMISSIONS_PORT",
    "SUBMISSION_PORT",
    "TCP_PORT",
    "SocketStream",
    "TlsConfig",
    "TlsProperties",
    "connect",
]
