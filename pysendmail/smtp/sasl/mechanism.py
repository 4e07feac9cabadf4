"""The shape of a SASL mechanism, and the credentials it is made from (RFC 4422).

A mechanism's `exchange` is a generator. Its first value is the initial response, or None when the
server has to speak first. After that it is sent each challenge (decoded) and yields the response.
When the server reports success it is sent None: a mechanism that is satisfied returns; one that
still expects something, such as the server's signature, yields or raises `AuthenticationError`.
"""

from __future__ import annotations

from ..errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import TypeAlias

    Exchange: TypeAlias = Generator[bytes | None, bytes | None, None]


class Credentials:
    """Who logs in: `user` and `password` as UTF-8, `authz` the identity to act as, if another."""

    __slots__ = ("authz", "password", "user")

    def __init__(self, user: bytes, password: bytes, authz: bytes = b"") -> None:
        self.user = user
        self.password = password
        self.authz = authz

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r}, authz={self.authz!r})"


class Mechanism:
    """One way to log in with given credentials; `exchange` makes a fresh run of it.

    `name` as registered, upper case; `reveals_secret` is True when who plays the server learns it.
    """

    name = b""
    reveals_secret = True

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self.check()

    def check(self) -> None:
        """Raise `UsageError` for credentials this mechanism cannot carry."""
        if not self.credentials.user or not self.credentials.password:
            raise UsageError("a login needs a user and a password")

    if TYPE_CHECKING:

        def exchange(self) -> Exchange:
            """Return a run of the mechanism; each subclass has its own."""
            ...
