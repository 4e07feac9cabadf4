"""TLS: what is wanted of it, and what a session turned out to be.

It is done by `_ssl`, the C module below `ssl`, for importing `ssl` takes as long as all else that a
delivery needs (docs/decisions.md, 5). `_ssl` is loaded for the first handshake. Its contexts are
those that `ssl` has, and so is what they verify.
"""

from __future__ import annotations

import os

from ..errors import TlsError, UsageError
from .certificate import server_end_point
from .fault import describe
from .pin import parse_pin, pins_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _ssl
    from _socket import socket
    from collections.abc import Iterable
    from typing import Any

CA_DIRECTORY = "/etc/ssl/certs"

TLS_1_2, TLS_1_3, INSECURE = "1.2", "1.3", "insecure-1.0"


class TlsConfig:
    """What TLS must be like; one for each server, to be kept: the context is made once.

    `verify`: a known authority must vouch for the certificate, and for the name we asked for.
    `ca_file`: authorities in PEM to trust beside the system's; alone, if not `system_authorities`.
    `pins`: digests (see `pin`) of which the server must match one. With `verify` they come on top
    of it; without, they stand in its place, for certificates that no authority vouches for. Either
    way the server then counts as verified.
    `certificate_file`: our own certificate and chain in PEM, `key_file` its key without passphrase,
    by default in the same file.
    `minimum_version`: "1.2" or "1.3"; "insecure-1.0" takes whatever OpenSSL still can, with keys
    and ciphers of any strength.
    `resume`: offer the server to go on with the last TLS session; saves work, and with TLS 1.2 a
    round trip.

    Files are read when they are first needed, then no more. What contradicts itself raises
    `UsageError` here; a file that is no good `TlsError`, from `context`.
    """

    __slots__ = (
        "_context", "_session", "ca_file", "certificate_file", "key_file", "minimum_version",
        "pins", "resume", "system_authorities", "verify",
    )  # fmt: skip

    def __init__(
        self,
        *,
        verify: bool = True,
        ca_file: str | None = None,
        system_authorities: bool = True,
        pins: Iterable[str] = (),
        certificate_file: str | None = None,
        key_file: str | None = None,
        minimum_version: str = TLS_1_2,
        resume: bool = False,
    ) -> None:
        if minimum_version not in (TLS_1_2, TLS_1_3, INSECURE):
            raise UsageError(
                f"minimum_version {minimum_version!r}: expected {TLS_1_2}, {TLS_1_3} or {INSECURE}"
            )
        if key_file and not certificate_file:
            raise UsageError("key_file needs certificate_file")
        if verify and not system_authorities and not ca_file:
            raise UsageError("to verify without the system's authorities needs ca_file")
        self.verify = verify
        self.ca_file = ca_file or None
        self.system_authorities = system_authorities
        self.pins = frozenset(map(parse_pin, pins))
        self.certificate_file = certificate_file or None
        self.key_file = key_file or None
        self.minimum_version = minimum_version
        self.resume = resume
        self._context: _ssl._SSLContext | None = None
        self._session: tuple[str, _ssl.SSLSession] | None = None

    def __repr__(self) -> str:
        return (
            f"TlsConfig(verify={self.verify}, pins={sorted(self.pins)}, "
            f"minimum_version={self.minimum_version!r})"
        )

    @property
    def verifies(self) -> bool:
        """True when a handshake that succeeds has shown who the server is."""
        return self.verify or bool(self.pins)

    def context(self) -> _ssl._SSLContext:
        """Return the context, made the first time; raises `TlsError` for a file that is no good."""
        if self._context is None:
            self._context = self._make_context()
        return self._context

    def endpoint(self, sock: socket, server_hostname: str) -> Any:
        """Return our end of TLS over a connected socket, whose handshake is still to be made.

        It reads, writes and shakes hands over the descriptor that the socket has now, for as long
        as the socket, which it refers to weakly, is there. The last session is offered, if it was
        kept. Raises ValueError for a name that no certificate has, and `TlsError` as `context`.
        """
        wrap = self.context()._wrap_socket  # type: ignore[attr-defined]  # typeshed does not tell
        name, server_side = encode_name(server_hostname), False
        return wrap(sock, server_side, name, session=self.session_for(server_hostname))

    def check(self, certificate: bytes | None) -> None:
        """Raise `TlsError` when a server with this certificate matches no pin, if there are any."""
        if not self.pins:
            return
        if certificate is None:
            raise TlsError("the server has shown no certificate, and pins are wanted")
        found = pins_of(certificate)
        if self.pins.isdisjoint(found):
            raise TlsError(f"the server matches no pin; its own are {' and '.join(found)}")

    def session_for(self, server_hostname: str) -> _ssl.SSLSession | None:
        """Return the session to go on with; only one whose certificate was for that name."""
        if self._session is not None and self._session[0] == server_hostname:
            return self._session[1]
        return None

    def keep_session(self, server_hostname: str, endpoint: Any) -> None:
        """Keep the session of a connection that ends, if wanted, and if there is one to be kept."""
        if not self.resume:
            return
        try:
            session = endpoint.session
        except ValueError:  # it is too large: its certificate or its ticket is
            return
        if session is not None:
            self._session = (server_hostname, session)

    def _make_context(self) -> _ssl._SSLContext:
        import _ssl

        context = _ssl._SSLContext(_ssl.PROTOCOL_TLS_CLIENT)
        # Python has OpenSSL 3 take a connection that is cut for one that ended in order.
        context.options &= ~getattr(_ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
        if self.minimum_version == INSECURE:
            context.minimum_version = _ssl.PROTO_MINIMUM_SUPPORTED
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
        elif self.minimum_version == TLS_1_3:
            context.minimum_version = _ssl.PROTO_TLSv1_3
        else:
            context.minimum_version = _ssl.PROTO_TLSv1_2
        if self.verify:
            self._load_authorities(context)
        else:
            context.check_hostname = False
            context.verify_mode = _ssl.CERT_NONE
        if self.certificate_file:
            self._load_own_certificate(context, self.certificate_file)
        return context

    def _load_authorities(self, context: _ssl._SSLContext) -> None:
        """Trust `ca_file` and the system's authorities.

        These are looked up by their hash in the system's directory when they are needed, which
        saves reading the whole bundle (tens of milliseconds); a system without such a directory has
        its bundle read.
        """
        if self.ca_file:
            try:
                context.load_verify_locations(cafile=self.ca_file)
            except OSError as error:
                raise TlsError(f"ca_file {self.ca_file}: {describe(error)}") from error
        if not self.system_authorities:
            return
        if _is_hashed(CA_DIRECTORY) and not os.environ.keys() & {"SSL_CERT_FILE", "SSL_CERT_DIR"}:
            context.load_verify_locations(capath=CA_DIRECTORY)
        else:
            context.set_default_verify_paths()

    def _load_own_certificate(self, context: _ssl._SSLContext, certificate_file: str) -> None:
        key_file = self.key_file or certificate_file

        def refuse() -> str:  # asked for by OpenSSL, which would otherwise ask the terminal
            raise TlsError(f"key_file {key_file}: has a passphrase, must be one without")

        try:
            context.load_cert_chain(certificate_file, key_file, password=refuse)
        except OSError as error:
            files = f"certificate_file {certificate_file}"
            if self.key_file:
                files += f", key_file {key_file}"
            raise TlsError(f"{files}: {describe(error)}") from error


class TlsProperties:
    """Facts of a TLS session: `version`, `cipher`, `bits`, `server_hostname`, `verified` (the
    server is the one we asked for), and the server's certificate in DER (None if it has none).
    """

    __slots__ = ("bits", "cipher", "peer_certificate", "server_hostname", "verified", "version")

    def __init__(self, endpoint: Any, server_hostname: str, verified: bool) -> None:
        cipher = endpoint.cipher()
        self.version = endpoint.version()
        self.cipher = cipher[0] if cipher else None
        self.bits = cipher[2] if cipher else None
        self.peer_certificate = endpoint.getpeercert(True)
        self.server_hostname = server_hostname
        self.verified = verified

    @property
    def server_end_point(self) -> bytes | None:
        """The channel binding tls-server-end-point (RFC 5929), None where it is undefined."""
        return None if self.peer_certificate is None else server_end_point(self.peer_certificate)

    def __repr__(self) -> str:
        return f"TlsProperties({self.version}, {self.cipher}, verified={self.verified})"


def _is_hashed(directory: str) -> bool:
    """Tell whether certificates can be looked up in `directory` by hash (c_rehash's names)."""
    try:
        with os.scandir(directory) as entries:
            return any(entry.name.endswith(".0") for entry in entries)
    except OSError:
        return False


def encode_name(name: str) -> str:
    """Return a host name as it stands in a certificate; raises ValueError for what cannot be one.

    `idna` takes longer to import than the rest of us: only names that are not ASCII need it.
    """
    if not name.isascii():
        name = name.encode("idna").decode("ascii")
    name = name.removesuffix(".")  # the root's belongs to DNS (RFC 6066 section 3)
    # RFC 1035 section 2.3.4; its 255 octets of a name are two more than the name has written out.
    if not all(0 < len(label) < 64 for label in name.split(".")) or len(name) > 253:
        raise ValueError("the name of the server has an empty label, or is longer than DNS has any")
    if "\0" in name:
        raise ValueError("the name of the server has a NUL")
    return name
