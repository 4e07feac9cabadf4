"""A smarthost as the relay sees it: where it is, how it must be spoken to, and who we are to it.

Pure values made from the configuration; the password is held by the one object that needs it and
shows in no repr. The rule for TLS lives here: TLS is required and verified whenever there are
credentials or the scheme is a submission one, unless the administrator said otherwise in words.
"""

from __future__ import annotations

from pysendmail.config.smarthost_url import parse_smarthost
from pysendmail.smtp import TlsConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pysendmail.config.keys import Config

REQUIRED, OPPORTUNISTIC, NONE, IMPLICIT = "required", "opportunistic", "none", "implicit"


class Smarthost:
    """One configured next hop.

    `tls` is one of REQUIRED (STARTTLS or nothing), OPPORTUNISTIC (STARTTLS where offered,
    unverified), NONE, IMPLICIT (TLS from the first octet, RFC 8314); `verify`: whether the
    certificate must be good; `tls_config` is made of these once and kept, None for NONE. `user`
    empty means: no AUTH. `cleartext_allowed` is the administrator's word that the password may
    cross a connection that is not verified.
    """

    __slots__ = (
        "cleartext_allowed", "host", "password", "port", "tls", "tls_config", "user", "verify",
    )  # fmt: skip

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: str,
        verify: bool = True,
        user: bytes = b"",
        password: bytes = b"",
        ca_file: str = "",
        cleartext_allowed: bool = False,
    ) -> None:
        self.host = host
        self.port = port
        self.tls = tls
        self.verify = verify and tls in (REQUIRED, IMPLICIT)
        self.tls_config = None if tls == NONE else TlsConfig(verify=self.verify, ca_file=ca_file)
        self.user = user
        self.password = password
        self.cleartext_allowed = cleartext_allowed

    @property
    def name(self) -> bytes:
        """The name for logs, `status` and outcomes: host and port."""
        return f"{self.host}:{self.port}".encode()

    def __repr__(self) -> str:
        return f"Smarthost({self.host!r}, {self.port}, tls={self.tls!r}, user={self.user!r})"


def tls_policy(scheme: str, wanted: str, *, credentials: bool) -> str:
    """Return the TLS policy for a URL scheme, the key `tls` and whether we log in.

    An empty `wanted` is the automatic choice: nothing less than verified TLS where a password
    travels or the port is one for submission (RFC 8314 section 3.3), opportunistic for a plain
    relay.
    """
    if scheme == "submissions":
        return IMPLICIT
    if wanted:
        return wanted
    return REQUIRED if credentials or scheme == "submission" else OPPORTUNISTIC


def smarthosts_of(config: Config, password: bytes | None) -> tuple[Smarthost, ...]:
    """Return the configured smarthosts in order of preference."""
    smarthosts = []
    for url in config.smarthost:
        address = parse_smarthost(url)
        smarthosts.append(
            Smarthost(
                address.host,
                address.port,
                tls=tls_policy(address.scheme, config.tls, credentials=bool(config.user)),
                verify=config.tls_verify,
                user=config.user,
                password=password or b"",
                ca_file=config.ca_file,
                cleartext_allowed=config.insecure_password,
            )
        )
    return tuple(smarthosts)
