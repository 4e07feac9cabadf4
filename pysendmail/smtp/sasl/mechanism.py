"""The shape of a SASL mechanism, and the credentials it is made from (RFC 4422).

A mechanism's `exchange` is a generator. Its first value is the initial response, or None when the
server has to speak first. After that it is sent each challenge (decoded) and yields the response.
When the server reports success it is sent None: a mechanism that is satisfied returns; one that
still expects something, such as the server's signature, yields or raises `AuthenticationError`.
"""

from __future__ import annotations

# Not `secrets`, which is the same, but loads 10 ms' worth of modules.
from os import urandom

from ..errors import AuthenticationError, UsageError
from .parameters import Parameters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from typing import TypeAlias

    Exchange: TypeAlias = Generator[bytes | None, bytes | None, None]


class Credentials:
    """Who logs in: `user` as UTF-8, a `password` (UTF-8) or an OAuth 2 bearer `token` or both.

    `authz` is the identity to act as, if that is another one.
    """

    __slots__ = ("authz", "password", "token", "user")

    def __init__(
        self, user: bytes = b"", password: bytes = b"", authz: bytes = b"", *, token: bytes = b""
    ) -> None:
        self.user = user
        self.password = password
        self.authz = authz
        self.token = token

    def __bool__(self) -> bool:
        return bool(self.user or self.password or self.token or self.authz)

    def __repr__(self) -> str:
        held = [kind for kind in ("password", "token") if getattr(self, kind)]
        return f"Credentials(user={self.user!r}, authz={self.authz!r}, holds={held!r})"


def credentials_of(user: bytes, authz: bytes, creds: Iterable[tuple[bytes, bytes]]) -> Credentials:
    """Return the credentials in Netsmtp's form, where `creds` are `(kind, value)`.

    The kinds are `b"password"` and `b"token"`; the first of a kind counts.
    """
    values: dict[bytes, bytes] = {}
    for kind, value in creds:
        if kind not in (b"password", b"token"):
            # What stands in its place is not shown: who swaps the two has put the password there.
            raise UsageError('credentials are a password or a token: b"password" or b"token" first')
        values.setdefault(kind, value)
    return Credentials(user, values.get(b"password", b""), authz, token=values.get(b"token", b""))


class Mechanism:
    """One way to log in with given credentials; `exchange` makes a fresh run of it.

    `name` as registered, upper case; `reveals_secret` is True when who plays the server learns it;
    `mutual` when the server proves that it knows the secret; `binds` when the mechanism has a place
    for a channel binding; `obeyed` are the parameters that it heeds. A run may leave two facts:
    `complaint`, what the server found wrong, fit to be shown, and `gssapi_props`.

    `binding` is the channel binding of type tls-server-end-point (RFC 5929), if there is TLS, and
    `plus_offered` tells whether the server lists a mechanism that would use it. `random` returns as
    many random octets as it is asked for.
    """

    name = b""
    reveals_secret = True
    mutual = False
    binds = False
    obeyed: frozenset[bytes] = frozenset((b"mutual", b"secure"))
    complaint = ""
    gssapi_props: object = None

    def __init__(
        self,
        credentials: Credentials,
        parameters: Parameters | None = None,
        *,
        binding: bytes = b"",
        plus_offered: bool = True,
        random: Callable[[int], bytes] = urandom,
    ) -> None:
        self.credentials = credentials
        self.parameters = parameters or Parameters()
        self.binding = binding
        self.plus_offered = plus_offered
        self.random = random
        self._check_parameters()
        self.check()

    def check(self) -> None:
        """Raise `UsageError` for credentials this mechanism cannot carry."""
        if not self.credentials.user or not self.credentials.password:
            raise UsageError("a login needs a user and a password")

    def _check_parameters(self) -> None:
        for parameter in self.parameters.critical - self.obeyed:
            raise UsageError(f"the parameter {parameter.decode()} is not known")
        if self.parameters.is_true(b"mutual") and not self.mutual:
            raise UsageError("the server would not prove itself")
        if self.parameters.is_true(b"secure") and self.reveals_secret:
            raise UsageError("the secret itself would be sent")

    if TYPE_CHECKING:

        def exchange(self) -> Exchange:
            """Return a run of the mechanism; each subclass has its own."""
            ...

    def answer_complaint(self, complaint: str, answer: bytes) -> Exchange:
        """Note what the server finds wrong, and acknowledge it: only a refusal may follow."""
        self.complaint = complaint
        yield answer
        raise AuthenticationError(f"the server went on after its complaint: {complaint}")


def expected(challenge: bytes | None) -> bytes:
    """Return a challenge that has to come; success in its place is not believed."""
    if challenge is None:
        raise AuthenticationError("success before the end of the exchange")
    return challenge
