"""The way from a fresh connection to a session that may send: EHLO, STARTTLS, EHLO, AUTH.

The policy lives here, beside the client and not in it. It fails closed: TLS that is required and
not to be had, a login that is wanted and not offered, a password over a link whose server was not
verified are errors, raised before any secret is sent.
"""

from __future__ import annotations

from .errors import AuthenticationError, MissingExtension, TlsError, shown
from .sasl import DEFAULT_MECHANISMS, MECHANISMS, Credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .client import Client
    from .sasl import Mechanism


def authenticate(
    client: Client,
    *,
    host: bytes,
    tls_config: Any = None,
    tls_required: bool = True,
    tls_peer: str = "",
    user: bytes = b"",
    password: bytes = b"",
    authz: bytes = b"",
    sasl_mechs: Sequence[bytes] = DEFAULT_MECHANISMS,
    cleartext_allowed: bool = False,
) -> None:
    """Introduce us as `host`, secure the link and log in.

    `tls_config` is a `transport.TlsConfig` and `tls_peer` the name the certificate must have;
    without it STARTTLS is not tried. `tls_required` is content with TLS from the first octet too.
    With a `user` a login is made by the first of `sasl_mechs` that the server offers and that the
    link is good enough for; `cleartext_allowed` lets a password go over an unverified link.

    Raises `MissingExtension` for STARTTLS or AUTH, `TlsError`, `AuthenticationError` where no
    mechanism fits, and whatever the commands raise.
    """
    client.helo(host)
    if tls_config is not None and client.tls_endpoint is None:
        if b"STARTTLS" in client.extensions:
            client.starttls(tls_config, tls_peer)
            client.helo(host)
        elif tls_required:
            raise MissingExtension(b"STARTTLS")
    if tls_required and client.tls_endpoint is None:
        raise TlsError("TLS is required, and there is no configuration for it")
    if user:
        mechanism = _choose_mechanism(client, sasl_mechs, cleartext_allowed)
        client.auth(mechanism(Credentials(user, password, authz)))


def _choose_mechanism(
    client: Client, preferred: Sequence[bytes], cleartext_allowed: bool
) -> type[Mechanism]:
    """Return the first preferred mechanism that is known to both sides and fit for the link."""
    offered = client.extensions.auth_mechanisms
    if not offered:
        raise MissingExtension(b"AUTH")
    common = [MECHANISMS[name] for name in preferred if name in offered and name in MECHANISMS]
    if not common:
        raise AuthenticationError(f"the server offers only {shown(b' '.join(offered))}")
    for mechanism in common:
        if client.tls_verified or cleartext_allowed or not mechanism.reveals_secret:
            return mechanism
    raise AuthenticationError("no password is sent over a link whose server is not verified")
