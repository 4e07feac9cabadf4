"""CRAM-MD5: a keyed digest of the server's challenge (RFC 2195).

The server proves nothing, and who has listened can guess the password at leisure; so it is used
only where it is asked for by name.
"""

from __future__ import annotations

from ..errors import UsageError
from .mechanism import Mechanism, expected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .mechanism import Exchange


class CramMd5(Mechanism):
    """The mechanism CRAM-MD5."""

    name = b"CRAM-MD5"
    reveals_secret = False

    def check(self) -> None:
        """Refuse an identity to act as: there is no room for one, and dropping it would lie."""
        super().check()
        if self.credentials.authz:
            raise UsageError("there is no room for an authorization identity")

    def exchange(self) -> Exchange:
        """Answer the one challenge."""
        import hmac

        challenge = expected((yield None))
        digest = hmac.new(self.credentials.password, challenge, _md5).hexdigest()
        yield self.credentials.user + b" " + digest.encode("ascii")


def _md5(octets: bytes = b"") -> Any:
    """Return MD5 also where a policy of the machine forbids it for security."""
    import hashlib

    return hashlib.md5(octets, usedforsecurity=False)
