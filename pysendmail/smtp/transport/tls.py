"""TLS: the context of a client, and what a session turned out to be.

`ssl` is loaded when first needed.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

CA_DIRECTORY = "/etc/ssl/certs"


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


def _is_hashed(directory: str) -> bool:
    """Tell whether certificates can be looked up in `directory` by hash (c_rehash's names)."""
    try:
        with os.scandir(directory) as entries:
            return any(entry.name.endswith(".0") for entry in entries)
    except OSError:
        return False
