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
from .fault import describe, describe_handshake
from .poll import milliseconds_until
from .tls import TlsProperties

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from _socket import socket
    from collections.abc import Callable

    from .tls import TlsConfig


class SocketStream:
    """Reader and writer over one connected socket; see `client` for what each method promises."""

    def __init__(self, sock: socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._seconds: float | None = None
        self._no_data: tuple[type[BaseException], ...] = (BlockingIOError,)
        self._no_room: tuple[type[BaseException], ...] = (BlockingIOError,)
        self._fault: tuple[type[Exception], ...] = ()
        self._keep_session: Callable[[], None] | None = None
        self.tls_endpoint: ssl.SSLSocket | None = None
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
                return self._socket.recv(size)
            except self._no_data:
                if self.tls_endpoint is not None:
                    acknowledge_at_once(self.tls_endpoint)
                self._wait(select.POLLIN, until)
            except self._no_room:
                self._wait(select.POLLOUT, until)
            except self._fault as error:
                raise ConnectionError(describe(error)) from error

    def arrived(self) -> bytes | None:
        """Return what is there without waiting: empty at the end, None for nothing."""
        try:
            return self._socket.recv(16 * 1024)
        except (*self._no_data, *self._no_room):
            return None
        except self._fault as error:
            raise ConnectionError(describe(error)) from error

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
        import socket
        import ssl

        # `ssl` takes over one of this class, which takes the other one for blocking.
        plain = socket.socket(fileno=self._socket.fileno())
        self._socket.detach()
        self._socket = plain
        plain.setblocking(False)
        # A root dot belongs to DNS, not into a certificate (RFC 6066 section 3).
        name = encode_name(server_hostname.removesuffix("."))
        endpoint = config.context().wrap_socket(
            plain,
            server_hostname=name,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,  # a connection that is cut is not one that has ended
            session=config.session_for(server_hostname),
        )
        self._socket = endpoint
        self._no_data = (ssl.SSLWantReadError,)
        self._no_room = (ssl.SSLWantWriteError,)
        self._fault = (ssl.SSLError,)
        self._shake_hands(endpoint)
        properties = TlsProperties(endpoint, server_hostname, config.verifies)
        config.check(properties.peer_certificate)
        # Tickets of TLS 1.3 come after the handshake: the session to keep is that of the end.
        self._keep_session = lambda: config.keep_session(server_hostname, endpoint.session)
        self.tls_endpoint = endpoint
        self.tls_session_props = properties

    def _shake_hands(self, endpoint: ssl.SSLSocket) -> None:
        until = self._until()
        while True:
            try:
                endpoint.do_handshake()
                return
            except self._no_data:
                self._wait(select.POLLIN, until)
            except self._no_room:
                self._wait(select.POLLOUT, until)

    def close(self) -> None:
        """Close the socket; TLS is not taken leave of, for nothing more is to be said."""
        if self._keep_session is not None:
            self._keep_session()
            self._keep_session = None
        self._socket.close()

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


def encode_name(name: str) -> bytes:
    """Return a host name as it stands in a certificate; raises ValueError for what cannot be one.

    `idna` takes longer to import than the rest of us: only names that are not ASCII need it.
    """
    if not name.isascii():
        return name.encode("idna")
    if not all(0 < len(label) < 64 for label in name.split(".")):  # RFC 1035 section 2.3.4
        raise ValueError("the name of the server has an empty label, or one longer than 63 octets")
    return name.encode()


def acknowledge_at_once(endpoint: ssl.SSLSocket) -> None:
    """Have what comes next acknowledged when it comes, not up to 40 ms later.

    A server sends its session tickets after the handshake of TLS 1.3, and by Nagle's algorithm
    (RFC 896) what it says next only once they are acknowledged. The wish wears off by itself.
    """
    import socket

    try:
        endpoint.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    except OSError:
        pass  # TLS over something else than TCP
