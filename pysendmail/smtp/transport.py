"""Connections: TCP and Unix sockets, in clear or under TLS, as streams for `client.Client`.

The only module of the core that touches `socket` and `ssl`; both are loaded when first needed.
Every resolved address is tried in the resolver's order. The sockets do not block: each wait is a
`poll` for both directions, so that a server that speaks while we write is heard.

Raises `ConnectError`, `TlsError`, `TimedOut`. Name resolution is the system's and takes as long as
it likes.
"""

from __future__ import annotations

import os
import select
import time

from . import phases
from .client import Client
from .errors import ConnectError, TimedOut, TlsError
from .phases import Timeouts

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from socket import socket
    from typing import Any, TypeAlias

    Address: TypeAlias = tuple[str, int] | str

SMTP_PORT = TCP_PORT = 25
SUBMISSION_PORT = 587
SUBMISSIONS_PORT = 465

CA_DIRECTORY = "/etc/ssl/certs"


def connect(
    address: Address,
    timeouts: Timeouts | None = None,
    *,
    tls: ssl.SSLContext | None = None,
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
    stream = SocketStream(_connect_any(address, connect_seconds, source_address, deadline))
    if tls is not None:
        seconds = timeouts.seconds(phases.TLS)
        if deadline is not None:
            seconds = min(seconds, deadline - time.monotonic())
        stream.set_timeout(seconds)
        try:
            stream.start_tls(tls, server_hostname or _host_of(address))
        except BaseException:
            stream.close()
            raise
    client = Client(stream, stream, set_timeout=stream.set_timeout, timeouts=timeouts, trace=trace)
    client.deadline = deadline
    return client


def tls_context(*, ca_file: str | None = None, verify: bool = True) -> ssl.SSLContext:
    """Return a client context of TLS 1.2 or newer that verifies chain and name, unless told not to.

    `ca_file` holds certificates to trust beside the system's. Those are looked up by their hash in
    the system's directory when they are needed, which saves reading the whole bundle (tens of
    milliseconds); a system without such a directory has its bundle read.
    """
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    if _is_hashed(CA_DIRECTORY) and not os.environ.keys() & {"SSL_CERT_FILE", "SSL_CERT_DIR"}:
        context.load_verify_locations(capath=CA_DIRECTORY)
    else:
        context.load_default_certs()
    return context


class TlsProperties:
    """Facts of a TLS session: `version`, `cipher`, `bits`, `server_hostname`, `verified`, and the
    server's certificate in DER (None if it was not asked for).
    """

    __slots__ = ("bits", "cipher", "peer_certificate", "server_hostname", "verified", "version")

    def __init__(self, endpoint: ssl.SSLSocket, server_hostname: str, verified: bool) -> None:
        cipher = endpoint.cipher()
        self.version = endpoint.version()
        self.cipher = cipher[0] if cipher else None
        self.bits = cipher[2] if cipher else None
        self.peer_certificate = endpoint.getpeercert(binary_form=True)
        self.server_hostname = server_hostname
        self.verified = verified

    def __repr__(self) -> str:
        return f"TlsProperties({self.version}, {self.cipher}, verified={self.verified})"


class SocketStream:
    """Reader and writer over one connected socket; see `client` for what each method promises."""

    def __init__(self, sock: socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._seconds: float | None = None
        self._no_data: tuple[type[BaseException], ...] = (BlockingIOError,)
        self._no_room: tuple[type[BaseException], ...] = (BlockingIOError,)
        self.tls_endpoint: ssl.SSLSocket | None = None
        self.tls_session_props: TlsProperties | None = None

    @property
    def tls_verified(self) -> bool:
        """True when certificate and name of the server were verified."""
        return self.tls_session_props is not None and self.tls_session_props.verified

    def set_timeout(self, seconds: float) -> None:
        """Bound every following call."""
        self._seconds = seconds

    def read(self, size: int) -> bytes:
        """Return what is there, waiting for it; empty at the end."""
        until = self._until()
        while True:
            try:
                return self._socket.recv(size)
            except self._no_data:
                self._wait(select.POLLIN, until)
            except self._no_room:
                self._wait(select.POLLOUT, until)

    def arrived(self) -> bytes | None:
        """Return what is there without waiting: empty at the end, None for nothing."""
        try:
            return self._socket.recv(16 * 1024)
        except (*self._no_data, *self._no_room):
            return None

    def write(self, octets: memoryview) -> int:
        """Write some octets and return how many; 0 when the server should be heard first."""
        until = self._until()
        while True:
            try:
                return self._socket.send(octets)
            except self._no_room:
                wanted = select.POLLIN | select.POLLOUT
            except self._no_data:
                wanted = select.POLLIN
            if self._wait(wanted, until) & select.POLLIN:
                return 0

    def start_tls(self, context: ssl.SSLContext, server_hostname: str) -> None:
        """Make TLS of the connection; raises `TlsError` or `TimedOut`."""
        try:
            self._start_tls(context, server_hostname)
        except TimeoutError:
            raise TimedOut(phases.TLS.phrase) from None
        except (OSError, ValueError) as error:  # ValueError: a name that cannot be one
            raise TlsError(str(error)) from error

    def _start_tls(self, context: ssl.SSLContext, server_hostname: str) -> None:
        import ssl

        # Encoded here: in wrap_socket a name that cannot be one would take the socket with it.
        name = server_hostname.encode("idna").decode("ascii")
        endpoint = context.wrap_socket(
            self._socket, server_hostname=name, do_handshake_on_connect=False
        )
        self._socket = endpoint
        self._no_data = (ssl.SSLWantReadError,)
        self._no_room = (ssl.SSLWantWriteError,)
        until = self._until()
        while True:
            try:
                endpoint.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN, until)
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT, until)
        verified = context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname
        self.tls_endpoint = endpoint
        self.tls_session_props = TlsProperties(endpoint, server_hostname, verified)

    def close(self) -> None:
        """Close the socket; TLS is not taken leave of, for nothing more is to be said."""
        self._socket.close()

    def _until(self) -> float | None:
        return None if self._seconds is None else time.monotonic() + self._seconds

    def _wait(self, events: int, until: float | None) -> int:
        """Wait for any of `events` and return those that came; raise `TimeoutError`."""
        poll = select.poll()
        poll.register(self._socket, events)
        milliseconds = None if until is None else max(0.0, until - time.monotonic()) * 1000
        ready = poll.poll(milliseconds)
        if not ready:
            raise TimeoutError
        return ready[0][1]


def _connect_any(
    address: Address, seconds: float, source_address: str | None, deadline: float | None
) -> socket:
    """Return a socket connected to the first address that answers."""
    import socket

    reasons = []
    name = _host_of(address)
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


def _host_of(address: Address) -> str:
    return address if isinstance(address, str) else address[0]


def _resolve(address: Address) -> Iterator[tuple[int, Any]]:
    """Yield family and socket address of every way to `address`."""
    import socket

    if isinstance(address, str):
        yield socket.AF_UNIX, address
        return
    host, port = address
    for family, _, _, _, sockaddr in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        yield family, sockaddr


def _is_hashed(directory: str) -> bool:
    """Tell whether certificates can be looked up in `directory` by hash (c_rehash's names)."""
    try:
        with os.scandir(directory) as entries:
            return any(entry.name.endswith(".0") for entry in entries)
    except OSError:
        return False
