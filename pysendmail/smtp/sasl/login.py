"""LOGIN: user and password, each after a prompt.

Registered nowhere, obsolete everywhere, and still the only mechanism some servers have. The text
of the prompts varies between servers and is ignored.
"""

from __future__ import annotations

from ..errors import UsageError
from .mechanism import Mechanism

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .mechanism import Exchange


class Login(Mechanism):
    """The mechanism LOGIN, for verified TLS only."""

    name = b"LOGIN"

    def check(self) -> None:
        """Refuse an identity to act as: there is no room for one, and dropping it would lie."""
        super().check()
        if self.credentials.authz:
            raise UsageError("there is no room for an authorization identity")

    def exchange(self) -> Exchange:
        """Answer two prompts."""
        yield None
        yield self.credentials.user
        yield self.credentials.password
