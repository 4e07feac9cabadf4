"""Connections by way of a proxy: SOCKS5 (RFC 1928, 1929) and HTTP CONNECT (RFC 9110 9.3.6).

    socks5://host:port        socks5://user:password@host:port
    http://host:port          http://user:password@host:port

Characters that mean something in a URL are written as %XX. The proxy looks up the name of the
server, so none is looked up here. What is said to the proxy is python-socks's (the extra
`pysendmail[proxy]`); the connection to it is made as every other, and lent to python-socks, so
that time limits hold for the whole and nothing is read that the server said.

Raises `ConnectError`, `TimedOut`; `UsageError` for a URL that is none, never showing the password.
"""

from __future__ import annotations

import time
from urllib.parse import unquote, urlsplit

from .. import phases
from ..errors import ConnectError, TimedOut, UsageError, shown
from .address import format_host_port
from .tcp import open_tcp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from typing import Any

SOCKS5, HTTP = "socks5", "http"
_SCHEMES = {"socks5": SOCKS5, "socks5h": SOCKS5, "http": HTTP}  # socks5h is curl's name for it

_EXPECTED = (
    "proxy: expected socks5://host:port or http://host:port, with user:password@ before the host "
    "if the proxy wants them, special characters in them as %XX"
)

# Before, python-socks had no connection lent to it.
_PACKAGE_MAJOR = 3

# More than any proxy says of itself before it lets the server speak.
_HEADER_OCTETS = 16 * 1024
# RFC 1929 has one octet for the length of each.
_SECRET_OCTETS = 255


class Proxy:
    """A proxy: `scheme` is SOCKS5 or HTTP; `user` and `password` are empty where it wants none."""

    __slots__ = ("host", "password", "port", "scheme", "user")

    def __init__(self, scheme: str, host: str, port: int, user: str, password: str) -> None:
        self.scheme = scheme
        self.host = host
        self.port = port
        self.user = user
        self.password = password

    def __str__(self) -> str:
        return f"{self.scheme}://{format_host_port(self.host, self.port)}"

    def __repr__(self) -> str:
        return f"Proxy({str(self)!r}, user={self.user!r})"


def parse_proxy(url: str) -> Proxy:
    """Return the proxy of a URL; an error does not repeat the URL, which may hold a password."""
    try:
        parts = urlsplit(url)
        scheme, host, port = _SCHEMES[parts.scheme], parts.hostname, parts.port
    except (KeyError, ValueError):
        raise UsageError(_EXPECTED) from None
    if not host or not port or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise UsageError(_EXPECTED)
    if not url.isprintable():  # urlsplit takes line ends out, and any host
        raise UsageError(_EXPECTED)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if parts.username is not None:
        _check_credentials(scheme, user, password)
    return Proxy(scheme, host, port, user, password)


def _check_credentials(scheme: str, user: str, password: str) -> None:
    for secret in (user, password):
        if not (secret.isascii() and secret.isprintable() and 0 < len(secret) <= _SECRET_OCTETS):
            raise UsageError(
                f"proxy: user and password must be printable ASCII, 1 to {_SECRET_OCTETS} octets"
            )
    if scheme == HTTP and ":" in user:  # RFC 7617 section 2
        raise UsageError("proxy: a user of an HTTP proxy has no colon")


def require_package() -> None:
    """Raise `UsageError` where python-socks is missing, or older than what we know to speak to."""
    try:
        import python_socks.sync
    except ImportError:
        raise UsageError(
            "a proxy needs the Python package python-socks, which is not installed: "
            "pip install pysendmail[proxy]"
        ) from None
    version = python_socks.__version__
    if int(version.partition(".")[0]) < _PACKAGE_MAJOR:
        raise UsageError(
            f"a proxy needs the Python package python-socks from {_PACKAGE_MAJOR}.0 on, and "
            f"{version} is installed: pip install pysendmail[proxy]"
        )


def open_through(
    url: str,
    host: str,
    port: int,
    *,
    seconds: float,
    deadline: float | None = None,
    source_address: str | None = None,
) -> socket:
    """Return a socket that the proxy at `url` has connected to `host` and `port`.

    `seconds` bounds the way to the proxy as it does for `open_tcp`, and then the time that the
    proxy takes; `deadline` all of it.
    """
    proxy = parse_proxy(url)
    try:
        require_package()
    except UsageError as missing:
        raise ConnectError(host, ((f"by the proxy {proxy}", str(missing)),)) from None
    try:
        sock = open_tcp(
            proxy.host,
            proxy.port,
            seconds=seconds,
            deadline=deadline,
            source_address=source_address,
        )
    except ConnectError as error:
        raise ConnectError(f"the proxy {proxy}", error.reasons) from error
    until = time.monotonic() + seconds
    loan = _Loan(sock, until if deadline is None else min(until, deadline), proxy.scheme)
    try:
        _ask(proxy, loan, host, port)
    except TimeoutError:
        sock.close()
        raise TimedOut(phases.CONNECT.phrase, reason=f"waiting for the proxy {proxy}") from None
    except _Refused as refusal:
        sock.close()
        raise ConnectError(host, ((f"by the proxy {proxy}", str(refusal)),)) from None
    except BaseException:
        sock.close()
        raise
    return sock


class _Refused(Exception):
    """The proxy did not connect us, or made no sense."""


def _ask(proxy: Proxy, loan: _Loan, host: str, port: int) -> None:
    """Have python-socks ask the proxy for the connection; raises `_Refused`, `TimeoutError`."""
    from python_socks import ProxyError, ProxyType
    from python_socks.sync import Proxy as Exchange

    kind = ProxyType.SOCKS5 if proxy.scheme == SOCKS5 else ProxyType.HTTP
    # `forward` is for a proxy by way of another; ours goes by way of the connection we have.
    forward: Any = loan
    try:
        Exchange(
            kind,
            proxy.host,
            proxy.port,
            username=proxy.user or None,
            password=proxy.password or None,
            rdns=True,
            forward=forward,
        ).connect(host.encode("idna").decode("ascii"), port)
    except TimeoutError:
        raise
    except OSError as error:
        raise _Refused(error.strerror or str(error)) from None
    except (ProxyError, ValueError) as error:  # ValueError: a host, or an answer, beyond reading
        raise _Refused(shown(str(error).encode("utf-8", "backslashreplace"))) from None


class _Loan:
    """The connection to the proxy as python-socks uses a proxy, and then as it uses a socket.

    Bounded as a whole by `until`, where python-socks bounds each call. Of the answer of an HTTP
    proxy python-socks takes whatever one call gives; here it is given all of it, and nothing of
    the greeting behind it.
    """

    def __init__(self, sock: socket, until: float, scheme: str) -> None:
        self._socket = sock
        self._until = until
        self._scheme = scheme

    def connect(self, **_: object) -> _Loan:
        return self

    def sendall(self, octets: bytes) -> None:
        self._bound()
        self._socket.sendall(octets)

    def recv(self, size: int) -> bytes:
        return self._header() if self._scheme == HTTP else self._read(size)

    def close(self) -> None:
        self._socket.close()

    def _header(self) -> bytes:
        """Return the head of an HTTP answer, read octet by octet up to its empty line."""
        head = bytearray()
        while not head.endswith((b"\r\n\r\n", b"\n\n")):
            octet = self._read(1)
            if not octet:
                raise ConnectionError("it hung up without an answer")
            if len(head) == _HEADER_OCTETS:
                raise ConnectionError("its answer has no end")
            head += octet
        return bytes(head)

    def _read(self, size: int) -> bytes:
        self._bound()
        return self._socket.recv(size)

    def _bound(self) -> None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
