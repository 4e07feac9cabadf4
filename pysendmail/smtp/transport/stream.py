"""One connected socket, in clear or under TLS, as the streams of `client.Client`.

The socket does not block: each wait is a `poll` for both directions, so that a server that speaks
while we write is heard. Raises `OSError`, `TimeoutError` among them, and from the handshake
`TlsError` and `TimedOut`.
"""

from __future__ import annotations

import _socket
import select
import time

from .. import phases
from ..errors import TimedOut, TlsError
from .fault import describe, describe_handshake
from .poll import milliseconds_until
from .tls import TlsProperties

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable
    from typing import Any

    from .tls import TlsConfig


class SocketForTls(_socket.socket):
    """A socket of the kind that `_ssl` takes: one that it can refer to weakly."""

    __slots__ = ("__weakref__",)


class SocketStream:
    """Reader and writer over one connected socket; see `client` for what each method promises."""

    def __init__(self, sock: socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._receive: Callable[[int], bytes] = sock.recv
        self._send: Callable[[memoryview], int] = sock.send
        self._seconds: float | None = None
        self._no_data: tuple[type[BaseException], ...] = (BlockingIOError,)
        self._no_room: tuple[type[BaseException], ...] = (BlockingIOError,)
        self._fault: tuple[type[Exception], ...] = ()
        self._keep_session: Callable[[], None] | None = None
        self.tls_endpoint: Any = None  # `_ssl` has no public name for its type
        self.tls_session_props: TlsProperties | None = None

    @property
    def tls_verified(self) -> bool:
        """True when the server has shown to be the one we asked for."""
        return self.tls_session_props is not None and self.tls_session_props.verified

    def set_timeout(self, seconds: float) -> None:
        """Bound every following call."""
        self._seconds = seconds

    def read(self, size: int) -> bytes:
        """Return what is there, waiting for it; empty at the end."""
        until = self._until()
        while True:
            try:
                return self._receive(size)
            except self._no_data:
                if self.tls_endpoint is not None:
                    acknowledge_at_once(self._socket)
                self._wait(select.POLLIN, until)
            except self._no_room:
                self._wait(select.POLLOUT, until)
            except self._fault as error:
                raise ConnectionError(describe(error)) from error

    def arrived(self) -> bytes | None:
        """Return what is there without waiting: empty at the end, None for nothing."""
        try:
            return self._receive(16 * 1024)
        except (*self._no_data, *self._no_room):
            return None
        except self._fault as error:
            raise ConnectionError(describe(error)) from error

    def write(self, octets: memoryview) -> int:
        """Write some octets and return how many; 0 when the server should be heard first."""
        until = self._until()
        while True:
            try:
                return self._send(octets)
            except self._no_room:
                wanted = select.POLLIN | select.POLLOUT
            except self._no_data:
                wanted = select.POLLIN
            except self._fault as error:
                raise ConnectionError(describe(error)) from error
            if self._wait(wanted, until) & select.POLLIN:
                return 0

    def start_tls(self, config: TlsConfig, server_hostname: str) -> None:
        """Make TLS of the connection; raises `TlsError` or `TimedOut`, and then it is closed.

        Nothing but the handshake has been sent before certificate, name and pins were verified, as
        far as `config` wants them to be.
        """
        try:
            self._start_tls(config, server_hostname)
        except TimeoutError:
            self.close()
            raise TimedOut(phases.TLS.phrase) from None
        except (OSError, ValueError) as error:  # ValueError: a name that cannot be one
            self.close()
            words = describe_handshake(error, server_hostname, config.minimum_version)
            raise TlsError(words) from error
        except BaseException:
            self.close()
            raise

    def _start_tls(self, config: TlsConfig, server_hostname: str) -> None:
        import _ssl

        self._socket = SocketForTls(fileno=self._socket.detach())
        self._socket.setblocking(False)
        endpoint = config.endpoint(self._socket, server_hostname)
        self._receive, self._send = endpoint.read, endpoint.write
        self._no_data = (_ssl.SSLWantReadError,)
        self._no_room = (_ssl.SSLWantWriteError,)
        self._fault = (_ssl.SSLError,)
        self._shake_hands(endpoint.do_handshake)
        properties = TlsProperties(endpoint, server_hostname, config.verifies)
        config.check(properties.peer_certificate)
        # Tickets of TLS 1.3 come after the handshake: the session to keep is that of the end.
        self._keep_session = lambda: config.keep_session(server_hostname, endpoint)
        self.tls_endpoint = endpoint
        self.tls_session_props = properties

    def _shake_hands(self, do_handshake: Callable[[], None]) -> None:
        until = self._until()
        while True:
            try:
                do_handshake()
                return
            except self._no_data:
                self._wait(select.POLLIN, until)
            except self._no_room:
                self._wait(select.POLLOUT, until)

    def close(self) -> None:
        """Close the socket; TLS is not taken leave of, for nothing more is to be said."""
        keep_session, self._keep_session = self._keep_session, None
        if keep_session is not None:
            keep_session()
        # OpenSSL knows the descriptor by its number, which may soon be that of another file. It is
        # kept from it by the end of the socket, an object that nobody refers to from here on.
        sock, self._socket = self._socket, _socket.socket.__new__(_socket.socket)
        self._receive, self._send = self._socket.recv, self._socket.send
        sock.close()

    def _until(self) -> float | None:
        return None if self._seconds is None else time.monotonic() + self._seconds

    def _wait(self, events: int, until: float | None) -> int:
        """Wait for any of `events` and return those that came; raise `TimeoutError`."""
        poll = select.poll()
        poll.register(self._socket, events)
        ready = poll.poll(milliseconds_until(until))
        if not ready:
            raise TimeoutError
        return ready[0][1]


def acknowledge_at_once(sock: socket) -> None:
    """Have what comes next acknowledged when it comes, not up to 40 ms later.

    A server sends its session tickets after the handshake of TLS 1.3, and by Nagle's algorithm
    (RFC 896) what it says next only once they are acknowledged. The wish wears off by itself.
    """
    try:
        sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_QUICKACK, 1)
    except OSError:
        pass  # TLS over something else than TCP
