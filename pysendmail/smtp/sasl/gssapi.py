"""GSSAPI: Kerberos 5, through the package `gssapi` (RFC 4752).

User and password are not used: the tickets in the cache say who we are. The server proves itself.
No security layer is negotiated, since TLS does that work; a server that insists on one is refused.
The package is loaded by the first run.
"""

from __future__ import annotations

from ..errors import AuthenticationError, UsageError
from .mechanism import Mechanism, expected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .mechanism import Exchange

_NO_LAYER = 1
# Our answer about security layers (RFC 4752 section 3.1): none, and so no size for their packets.
_CHOICE = b"\1\0\0\0"


class GssapiProperties:
    """Facts of a security context: `mechanism` (its OID), `initiator`, `acceptor`, `flags` as text.

    `lifetime` is in seconds, None where it has no end.
    """

    __slots__ = ("acceptor", "flags", "initiator", "lifetime", "mechanism")

    def __init__(self, context: Any) -> None:
        self.mechanism: str = context.mech.dotted_form
        self.initiator = str(context.initiator_name)
        self.acceptor = str(context.target_name)
        self.flags = tuple(sorted(flag.name for flag in context.actual_flags))
        self.lifetime: int | None = context.lifetime

    def __repr__(self) -> str:
        return (
            f"GssapiProperties({self.mechanism}, {self.initiator} -> {self.acceptor}, "
            f"flags={self.flags}, lifetime={self.lifetime})"
        )


class Gssapi(Mechanism):
    """The mechanism GSSAPI; `gssapi_props` are set when the context stands."""

    name = b"GSSAPI"
    reveals_secret = False
    mutual = True
    obeyed = Mechanism.obeyed | {b"gssapi-acceptor"}

    def check(self) -> None:
        """Refuse to go without the acceptor's name; credentials are not needed."""
        if not self.parameters.get(b"gssapi-acceptor"):
            raise UsageError("the parameter gssapi-acceptor is needed")

    def exchange(self) -> Exchange:
        """Make the context token by token, then agree on no security layer."""
        gssapi = _load()
        try:
            context = self._new_context(gssapi)
            token = context.step()
            while not context.complete:
                token = context.step(expected((yield token or b"")))
            if gssapi.RequirementFlag.mutual_authentication not in context.actual_flags:
                raise AuthenticationError("GSSAPI: the server has not proved itself")
            self.gssapi_props = GssapiProperties(context)
            offer = expected((yield token or b""))
            yield self._answer_offer(context, offer)
        except gssapi.exceptions.GSSError as error:
            raise AuthenticationError(f"GSSAPI: {error}") from error

    def _new_context(self, gssapi: Any) -> Any:
        acceptor = self.parameters.get(b"gssapi-acceptor").decode("utf-8", "replace")
        flag = gssapi.RequirementFlag
        return gssapi.SecurityContext(
            name=gssapi.Name(acceptor, gssapi.NameType.hostbased_service),
            mech=gssapi.MechType.kerberos,
            flags=[flag.mutual_authentication, flag.integrity, flag.out_of_sequence_detection],
            usage="initiate",
        )

    def _answer_offer(self, context: Any, offer: bytes) -> bytes:
        """Return our choice of a security layer and whom we act as (RFC 4752 section 3.1)."""
        layers = context.unwrap(offer).message
        if len(layers) != 4 or not layers[0] & _NO_LAYER:
            raise AuthenticationError("GSSAPI: the server demands a security layer")
        message: bytes = context.wrap(_CHOICE + self.credentials.authz, False).message
        return message


def _load() -> Any:
    try:
        import gssapi
    except ImportError as error:
        raise UsageError(f"GSSAPI needs the package gssapi: {error}") from error
    return gssapi
