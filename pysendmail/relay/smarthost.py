"""A smarthost as the relay sees it: where it is, how it must be spoken to, and who we are to it.

Values made from the configuration; the password is held by the one object that needs it and shows
in no repr, a token by none: it is read at each login. The rule for TLS lives here: TLS is required
and verified whenever there are credentials or the scheme or port is one of submission, unless the
administrator said otherwise in words.
"""

from __future__ import annotations

import os

from pysendmail.config.secrets import credential_path, read_token
from pysendmail.config.smarthost_url import parse_smarthost
from pysendmail.smtp import SUBMISSION_PORT, SUBMISSIONS_PORT, TlsConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from typing import Any

    from pysendmail.config.keys import Config

REQUIRED, OPPORTUNISTIC, NONE, IMPLICIT = "required", "opportunistic", "none", "implicit"


class Login:
    """Who we are to a smarthost; nobody, and then there is no AUTH, when it is all empty.

    `mechanisms` are SASL's names, best first, None for the usual ones; `authzid` the identity to
    act as. `read_token` returns the OAuth 2 token as it is now; it raises ConfigError.
    """

    __slots__ = ("authzid", "mechanisms", "password", "read_token", "user")

    def __init__(
        self,
        user: bytes = b"",
        password: bytes = b"",
        *,
        authzid: bytes = b"",
        mechanisms: Sequence[bytes] | None = None,
        read_token: Callable[[], bytes | None] | None = None,
    ) -> None:
        self.user = user
        self.password = password
        self.authzid = authzid
        self.mechanisms = mechanisms
        self.read_token = read_token

    def __bool__(self) -> bool:
        return bool(self.user or self.authzid or self.mechanisms or self.read_token)

    def __repr__(self) -> str:
        return f"Login({self.user!r}, mechanisms={self.mechanisms!r})"

    @property
    def name(self) -> bytes:
        """The user for people to read, or what else says who we are."""
        known_by = b"token" if self.read_token else b"connection"
        return self.user or self.authzid or b"what the %b says" % known_by

    def creds(self) -> list[tuple[bytes, bytes]]:
        """Return the secrets as the SMTP core takes them, the token read anew."""
        secrets = [(b"password", self.password)]
        if self.read_token is not None:
            secrets.append((b"token", self.read_token() or b""))
        return [(kind, secret) for kind, secret in secrets if secret]


class Smarthost:
    """One configured next hop.

    `host` is a name or an address; or the path of a Unix socket, and `port` 0.

    `tls` is one of REQUIRED (STARTTLS or nothing), OPPORTUNISTIC (STARTTLS where offered,
    unverified), NONE, IMPLICIT (TLS from the first octet, RFC 8314); `verify`: whether the
    certificate must be good; `tls_config` is made of these and of `tls_options` (those of
    `TlsConfig`) once and kept, None for NONE. `cleartext_allowed` is the administrator's word that
    the password may cross a connection that is not verified. `lmtp`, `proxy`, `source_address` and
    `ignored` are those of `smtp.connect`.
    """

    __slots__ = (
        "cleartext_allowed", "host", "ignored", "lmtp", "login", "port", "proxy", "source_address",
        "tls", "tls_config", "verify",
    )  # fmt: skip

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: str,
        verify: bool = True,
        login: Login | None = None,
        cleartext_allowed: bool = False,
        lmtp: bool = False,
        proxy: str | None = None,
        source_address: str | None = None,
        ignored: Collection[bytes] = (),
        **tls_options: Any,
    ) -> None:
        self.host = host
        self.port = port
        self.tls = tls
        self.verify = verify and tls in (REQUIRED, IMPLICIT)
        self.tls_config = None if tls == NONE else TlsConfig(verify=self.verify, **tls_options)
        self.login = login or Login()
        self.cleartext_allowed = cleartext_allowed
        self.lmtp = lmtp
        self.proxy = proxy
        self.source_address = source_address
        self.ignored = ignored

    @property
    def is_local(self) -> bool:
        """Whether it is at a Unix socket, where nobody listens in between."""
        return self.host.startswith("/")

    @property
    def name(self) -> bytes:
        """The name for logs, `status` and outcomes: host and port, or the path of the socket."""
        return (self.host if self.is_local else f"{self.host}:{self.port}").encode()

    def __repr__(self) -> str:
        return f"Smarthost({self.host!r}, {self.port}, tls={self.tls!r}, login={self.login!r})"


def tls_policy(scheme: str, port: int, wanted: str, *, identified: bool) -> str:
    """Return the TLS policy for a URL scheme and port, the key `tls` and whether either side has
    to show who it is: by a login, a certificate of ours, or a pin.

    An empty `wanted` is the automatic choice: nothing less than verified TLS where a password
    travels or the port is one for submission (RFC 8314 section 3.3), opportunistic for a plain
    relay.
    """
    if scheme == "submissions" or port == SUBMISSIONS_PORT:
        return IMPLICIT
    if wanted:
        return wanted
    submission = scheme == "submission" or port == SUBMISSION_PORT
    return REQUIRED if identified or submission else OPPORTUNISTIC


def login_of(config: Config, password: bytes | None) -> Login:
    """Return who the configuration says we are."""
    has_token = config.token_file or config.token_command
    return Login(
        config.user,
        password or b"",
        authzid=config.sasl_authzid,
        mechanisms=tuple(name.encode() for name in config.sasl_mechanisms) or None,
        read_token=(lambda: read_token(config)) if has_token else None,
    )


def smarthosts_of(config: Config, password: bytes | None) -> tuple[Smarthost, ...]:
    """Return the configured smarthosts in order of preference."""
    login = login_of(config, password)
    identified = bool(login or config.tls_pins or config.tls_certificate_file)
    smarthosts = []
    for address in map(parse_smarthost, config.smarthost):
        policy = tls_policy(address.scheme, address.port, config.tls, identified=identified)
        smarthosts.append(
            Smarthost(
                address.host,
                address.port,
                tls=NONE if address.is_local else policy,
                verify=config.tls_verify,
                login=login,
                cleartext_allowed=config.insecure_password or address.is_local,
                lmtp=address.scheme == "lmtp",
                proxy=None if address.is_local else config.proxy or None,
                source_address=config.source_address or None,
                ignored=tuple(name.encode() for name in config.ignore_extensions),
                **tls_options_of(config),
            )
        )
    return tuple(smarthosts)


def tls_options_of(config: Config) -> dict[str, Any]:
    """Return the arguments of `TlsConfig` that the configuration has."""
    return {
        "ca_file": config.ca_file,
        "system_authorities": not config.ca_file_only,
        "pins": config.tls_pins,
        "certificate_file": _own_file(config.tls_certificate_file),
        "key_file": _own_file(config.tls_key_file),
        "minimum_version": config.tls_minimum_version,
    }


def _own_file(name: str) -> str | None:
    return credential_path(name, os.environ) if name else None
