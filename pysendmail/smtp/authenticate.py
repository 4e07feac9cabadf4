"""The way from a fresh connection to a session that may send: EHLO, STARTTLS, EHLO, AUTH.

The policy lives here, beside the client and not in it. It fails closed: TLS that is required and
not to be had, a login that is wanted and not offered, a password over a link whose server was not
verified are errors, raised before any secret is sent. One login is made, by one mechanism: a
refusal is never answered by trying a weaker one.
"""

from __future__ import annotations

from .errors import AuthenticationError, MissingExtension, TlsError, UsageError, shown
from .sasl import (
    DEFAULT_MECHANISMS,
    MECHANISMS,
    WITHOUT_CREDENTIALS,
    Parameters,
    credentials_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from .client import Client
    from .sasl import Credentials, Mechanism
    from .sasl.parameters import Parameter


def authenticate(
    client: Client,
    *,
    host: bytes,
    tls_config: Any = None,
    tls_required: bool = True,
    tls_peer: str = "",
    sasl_mechs: Sequence[bytes] | None = None,
    sasl_params: Sequence[Parameter] = (),
    user: bytes = b"",
    authz: bytes = b"",
    creds: Sequence[tuple[bytes, bytes]] = (),
    cleartext_allowed: bool = False,
    before_login: Callable[[], None] | None = None,
) -> None:
    """Introduce us as `host`, secure the link and log in.

    `tls_config` is a `transport.TlsConfig` and `tls_peer` the name the certificate must have;
    without it STARTTLS is not tried. `tls_required` is content with TLS from the first octet too.

    A login is made when there is a `user`, an `authz` to act as, or `creds`, which are pairs
    `(b"password", value)` or `(b"token", value)`; also when `sasl_mechs` names a mechanism that
    needs none of them. It is made by the first of `sasl_mechs` that the server offers and that
    credentials and link are good enough for; None stands for `sasl.DEFAULT_MECHANISMS`, where
    EXTERNAL counts only if `tls_config` has a client certificate. `sasl_params` are
    `(name, value, critical)`, see `sasl.parameters`; `digest-uri` and `gssapi-acceptor` are made
    from `tls_peer`, or else from `host`. `cleartext_allowed` lets a secret go over an unverified
    link. `before_login` is called when the link is as secure as it gets, login or not; what it
    raises comes out of here.

    Raises `UsageError` for parameters and credentials of no use, `MissingExtension` for STARTTLS
    or AUTH, `TlsError`, `AuthenticationError` where no mechanism fits, and whatever the commands
    raise.
    """
    credentials = credentials_of(user, authz, creds)
    service_host = tls_peer.encode("utf-8") or host
    parameters = Parameters(sasl_params)
    parameters.set_default(b"digest-uri", b"smtp/" + service_host)
    parameters.set_default(b"gssapi-acceptor", b"smtp@" + service_host)
    preferred = _preferred(sasl_mechs, getattr(tls_config, "certificate_file", None))
    _check_critical(parameters, preferred)
    _secure(client, host, tls_config, tls_required, tls_peer)
    if before_login is not None:
        before_login()
    if credentials or (sasl_mechs and any(name in WITHOUT_CREDENTIALS for name in preferred)):
        client.auth(_choose(client, preferred, credentials, parameters, cleartext_allowed))


def _preferred(sasl_mechs: Sequence[bytes] | None, certificate: Any) -> list[bytes]:
    """Return the names of the mechanisms that may be used, those that we have, best first."""
    if sasl_mechs is not None:
        return [name for name in map(bytes.upper, sasl_mechs) if name in MECHANISMS]
    return [name for name in DEFAULT_MECHANISMS if certificate is not None or name != b"EXTERNAL"]


def _check_critical(parameters: Parameters, preferred: Sequence[bytes]) -> None:
    """Raise `UsageError` for a critical parameter that none of the mechanisms would heed."""
    for parameter in parameters.critical:
        if not any(parameter in MECHANISMS[name].obeyed for name in preferred):
            raise UsageError(f"no mechanism that may be used knows the parameter {parameter!r}")


def _secure(
    client: Client, host: bytes, tls_config: Any, tls_required: bool, tls_peer: str
) -> None:
    """Say EHLO, turn to TLS where that is wanted and not on yet, and say EHLO again."""
    client.helo(host)
    if tls_config is not None and client.tls_endpoint is None:
        if b"STARTTLS" in client.extensions:
            client.starttls(tls_config, tls_peer)
            client.helo(host)
        elif tls_required:
            raise MissingExtension(b"STARTTLS")
    if tls_required and client.tls_endpoint is None:
        raise TlsError("TLS is required, and there is no configuration for it")


def _choose(
    client: Client,
    preferred: Sequence[bytes],
    credentials: Credentials,
    parameters: Parameters,
    cleartext_allowed: bool,
) -> Mechanism:
    """Return the first preferred mechanism that the server offers and that is fit for the login."""
    offered = client.extensions.auth_mechanisms
    if not offered:
        raise MissingExtension(b"AUTH")
    obstacles = []
    for name in preferred:
        if name not in offered:
            continue
        kind = MECHANISMS[name]
        facts = client.tls_session_props if kind.binds else None
        try:
            mechanism = kind(
                credentials,
                parameters,
                binding=getattr(facts, "server_end_point", None) or b"",
                plus_offered=any(other.endswith(b"-PLUS") for other in offered),
            )
        except UsageError as unfit:
            obstacles.append(f"{name.decode()}: {unfit}")
            continue
        if client.tls_verified or cleartext_allowed or not mechanism.reveals_secret:
            return mechanism
        obstacles.append(f"{name.decode()}: no secret over a link whose server is not verified")
    reasons = f" ({'; '.join(obstacles)})" if obstacles else ""
    raise AuthenticationError(f"the server offers only {shown(b' '.join(offered))}{reasons}")
