"""One connected socket, in clear or under TLS, as the streams of `client.Client`.

The socket does not block: each wait is a `poll` for both directions, so that a server that speaks
while we write is heard. Raises `OSError`, `TimeoutError` among them, and from the handshake
`TlsError` and `TimedOut`.
"""

from __future__ import annotations

import select
import time

from .. import phases
from ..errors import TimedOut, TlsError
from .tls import TlsProperties

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from socket import socket


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
