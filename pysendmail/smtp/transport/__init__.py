"""Connections: addresses, sockets and TLS, as streams for `client.Client`.

The only package of the core that touches `socket` and `ssl`; both are loaded when first needed.
From bottom to top: `address` is pure; `tls` has the context and the facts of a session; `stream` is
one connected socket; `race` connects it; `connection` puts them together.

Raises `ConnectError`, `TlsError`, `TimedOut`.
"""

from __future__ import annotations

from .address import SMTP_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT, TCP_PORT
from .connection import connect
from .stream import SocketStream
from .tls import TlsProperties, tls_context

__all__ = [
    "SMTP_PORT",
    "SUBMISSIONS_PORT",
    "SUBMISSION_PORT",
    "TCP_PORT",
    "SocketStream",
    "TlsProperties",
    "connect",
    "tls_context",
]
