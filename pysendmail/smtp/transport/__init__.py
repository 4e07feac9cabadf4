"""Connections: addresses, sockets and TLS, as streams for `client.Client`.

The only package of the core that touches `socket` and `ssl`; both are loaded when first needed.

    address, certificate, pin, fault   pure: where, and what is to be known of TLS
    tls                                what is wanted of a TLS session, and what it turned out to be
    poll, stream                       one connected socket, in clear or under TLS
    resolve, race, tcp                 from a host to a connected socket
    unix, command, proxy               the other ways to one, loaded only when taken
    connection                         `connect`

Raises `ConnectError`, `TlsError`, `TimedOut`.
"""

from __future__ import annotations

from .address import SMTP_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT, TCP_PORT, Command
from .connection import connect
from .stream import SocketStream
from .tls import TlsConfig, TlsProperties

__all__ = [
    "SMTP_PORT",
    "SUBMISSIONS_PORT",
    "SUBMISSION_PORT",
    "TCP_PORT",
    "Command",
    "SocketStream",
    "TlsConfig",
    "TlsProperties",
    "connect",
]
