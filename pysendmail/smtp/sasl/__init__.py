"""SASL mechanisms: small generators that know nothing of SMTP.

`Mechanism` is the shape, `MECHANISMS` the table, `exchange.authenticate` the AUTH dialogue that
drives one (RFC 4954). Over a link whose server is not verified, only mechanisms that do not give
the secret away (`reveals_secret` false) may be used; `smtp.authenticate` sees to that.
"""

from __future__ import annotations

from .login import Login
from .mechanism import Credentials, Mechanism, credentials_of
from .parameters import Parameters
from .plain import Plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "DEFAULT_MECHANISMS",
    "MECHANISMS",
    "WITHOUT_CREDENTIALS",
    "Credentials",
    "Login",
    "Mechanism",
    "Parameters",
    "Plain",
    "credentials_of",
]

# Each mechanism's module and class.
_HOMES = {
    b"PLAIN": ("plain", "Plain"),
    b"LOGIN": ("login", "Login"),
    b"CRAM-MD5": ("cram_md5", "CramMd5"),
    b"DIGEST-MD5": ("digest_md5", "DigestMd5"),
    b"SCRAM-SHA-1": ("scram", "ScramSha1"),
    b"SCRAM-SHA-1-PLUS": ("scram", "ScramSha1Plus"),
    b"SCRAM-SHA-256": ("scram", "ScramSha256"),
    b"SCRAM-SHA-256-PLUS": ("scram", "ScramSha256Plus"),
    b"EXTERNAL": ("external", "External"),
    b"OAUTHBEARER": ("oauth", "OAuthBearer"),
    b"XOAUTH2": ("oauth", "XOAuth2"),
    b"GSSAPI": ("gssapi", "Gssapi"),
}

# In the order of preference: what is chosen is the first of these that the server knows and that
# credentials and link are fit for. The other mechanisms are used where they are asked for by name;
# so are those with -PLUS, since most mail servers that list them refuse our kind of binding
# (docs/decisions.md).
DEFAULT_MECHANISMS = (
    b"EXTERNAL",
    b"OAUTHBEARER",
    b"XOAUTH2",
    b"SCRAM-SHA-256",
    b"SCRAM-SHA-1",
    b"PLAIN",
    b"LOGIN",
)

# Who we are is known from the connection or from tickets.
WITHOUT_CREDENTIALS = (b"EXTERNAL", b"GSSAPI")


class _Mechanisms:
    """The classes by name; the module of one is loaded when the class is asked for."""

    def __contains__(self, name: object) -> bool:
        return name in _HOMES

    def __iter__(self) -> Iterator[bytes]:
        return iter(_HOMES)

    def __getitem__(self, name: bytes) -> type[Mechanism]:
        module, class_name = _HOMES[name]
        home = __import__(f"{__name__}.{module}", fromlist=(class_name,))  # spares `importlib`
        mechanism: type[Mechanism] = getattr(home, class_name)
        return mechanism


MECHANISMS = _Mechanisms()
