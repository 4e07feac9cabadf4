"""OAUTHBEARER (RFC 7628) and XOAUTH2: a bearer token instead of a password.

A server that refuses the token says why in JSON, as a challenge; that has to be answered before the
refusal itself comes. What it said goes into the text of that refusal, the token left out of it.
"""

from __future__ import annotations

from ..errors import UsageError, shown
from .mechanism import Mechanism
from .names import escaped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .mechanism import Exchange

# RFC 7628 section 3.2.2, and what Google's XOAUTH2 has beside it.
_MEMBERS = ("status", "schemes", "scope", "openid-configuration")


class Bearer(Mechanism):
    """What both mechanisms have in common."""

    acknowledgement = b""

    def check(self) -> None:
        """Refuse a token of other octets than RFC 6750 allows; ^A would end it."""
        token = self.credentials.token
        if not token or not all(0x21 <= octet <= 0x7E for octet in token):
            raise UsageError("a login by token needs one, of printable ASCII without blanks")
        if b"\1" in self.credentials.user + self.credentials.authz:
            raise UsageError("^A in a user name")

    def exchange(self) -> Exchange:
        """Show the token; where the server complains, hear it out."""
        complaint = yield self._head() + b"auth=Bearer " + self.credentials.token + b"\1\1"
        if complaint is not None:
            text = _readable(complaint, self.credentials.token)
            yield from self.answer_complaint(text, self.acknowledgement)

    if TYPE_CHECKING:

        def _head(self) -> bytes:
            """Return what stands before the token; each subclass has its own."""
            ...


class OAuthBearer(Bearer):
    """The mechanism OAUTHBEARER; the token says who we are, the user is whom we act as."""

    name = b"OAUTHBEARER"
    acknowledgement = b"\1"  # RFC 7628 section 3.2.3

    def _head(self) -> bytes:
        # Host and port may be left out (RFC 7628 section 3.1).
        identity = self.credentials.authz or self.credentials.user
        return b"n," + (b"a=" + escaped(identity) if identity else b"") + b",\1"


class XOAuth2(Bearer):
    """The mechanism XOAUTH2, older than the standard and still the only one of some servers."""

    name = b"XOAUTH2"

    def check(self) -> None:
        """Refuse a login for nobody, and an identity beside the user."""
        super().check()
        if not self.credentials.user or self.credentials.authz:
            raise UsageError("a user is needed, and there is no room for an authorization identity")

    def _head(self) -> bytes:
        return b"user=" + self.credentials.user + b"\1"


def _readable(complaint: bytes, token: bytes) -> str:
    """Return the known members of the server's JSON as one line; a server may echo the token."""
    import json

    try:
        members = json.loads(complaint)
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        return "the token is refused, and the reason is not readable"
    told = [
        f"{name}: {members[name].replace(token.decode('ascii'), '***')[:200]}"
        for name in _MEMBERS
        if isinstance(members.get(name), str)
    ]
    text = "; ".join(told) or "the token is refused without a reason"
    return shown(text.encode("utf-8", "backslashreplace"))
