"""EXTERNAL: the client certificate, or the like, has said who we are (RFC 4422 appendix A)."""

from __future__ import annotations

from ..errors import UsageError
from .mechanism import Mechanism

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .mechanism import Exchange


class External(Mechanism):
    """The mechanism EXTERNAL; the server takes the user from what it knows of the connection."""

    name = b"EXTERNAL"
    reveals_secret = False

    def check(self) -> None:
        """Nothing is needed; NUL is not allowed (RFC 4422 appendix A.1)."""
        if b"\0" in self.credentials.authz:
            raise UsageError("NUL in the identity to act as")

    def exchange(self) -> Exchange:
        """Name the identity to act as, empty for our own."""
        yield self.credentials.authz
