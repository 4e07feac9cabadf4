"""PLAIN: identity, user and password in one message (RFC 4616)."""

from __future__ import annotations

from ..errors import UsageError
from .mechanism import Mechanism

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .mechanism import Exchange


class Plain(Mechanism):
    """The mechanism PLAIN, for verified TLS only."""

    name = b"PLAIN"

    def check(self) -> None:
        """Refuse NUL as well: it is the separator."""
        super().check()
        if b"\0" in b"".join(self._parts()):
            raise UsageError("NUL in a user name or password")

    def exchange(self) -> Exchange:
        """Say everything at once; preparing the strings is the server's part (section 5)."""
        yield b"\0".join(self._parts())

    def _parts(self) -> tuple[bytes, bytes, bytes]:
        return self.credentials.authz, self.credentials.user, self.credentials.password
