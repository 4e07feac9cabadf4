"""What a caller may ask of a login beside its credentials: Netsmtp's `(name, value, critical)`.

    mutual            "true": the server has to prove that it knows the secret
    secure            "true": the secret itself must not be sent
    digest-uri        DIGEST-MD5: service and host, `smtp/mx.example.com`
    realm             DIGEST-MD5: the realm to log in to
    cnonce, nonce     DIGEST-MD5, SCRAM: our nonce, for tests
    gssapi-acceptor   GSSAPI: service and host, `smtp@mx.example.com`

A mechanism passes over parameters that it does not know, unless they are critical: then it cannot
be used.
"""

from __future__ import annotations

from ..errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    Parameter: TypeAlias = tuple[bytes, bytes, bool]

_SWITCHES = (b"mutual", b"secure")
KNOWN = frozenset((*_SWITCHES, b"digest-uri", b"realm", b"cnonce", b"nonce", b"gssapi-acceptor"))


class Parameters:
    """Named values; `critical` holds the names that must not be passed over.

    Raises `UsageError` for a critical name that no mechanism knows, for a name given twice, and
    for a switch that is neither `true` nor `false`.
    """

    __slots__ = ("_values", "critical")

    def __init__(self, parameters: Iterable[Parameter] = ()) -> None:
        self._values: dict[bytes, bytes] = {}
        self.critical: frozenset[bytes] = frozenset()
        for name, value, critical in parameters:
            if name in self._values:
                raise UsageError(f"the parameter {name!r} is given twice")
            if critical and name not in KNOWN:
                raise UsageError(f"no mechanism knows the parameter {name!r}")
            if name in _SWITCHES and value not in (b"true", b"false"):
                raise UsageError(f"the parameter {name!r} is true or false, not {value!r}")
            self._values[name] = value
            if critical:
                self.critical |= {name}

    def get(self, name: bytes) -> bytes:
        """Return the value of `name`, empty where it was not given."""
        return self._values.get(name, b"")

    def is_true(self, name: bytes) -> bool:
        """Tell whether a switch is set."""
        return self.get(name) == b"true"

    def set_default(self, name: bytes, value: bytes) -> None:
        """Give `name` a value unless the caller has."""
        self._values.setdefault(name, value)

    def __repr__(self) -> str:
        return f"Parameters({self._values!r}, critical={sorted(self.critical)!r})"
