"""AUTH from the server's side: PLAIN (RFC 4616) and LOGIN, line by line.

A mechanism is a generator: it yields challenges, is sent responses, and returns user and password.
`Login` does the base64 around it and raises `Refusal` for what cannot be read. Whether a password
is right is for others to say.
"""

from __future__ import annotations

import binascii

from .replies import Refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import TypeAlias

    Exchange: TypeAlias = Generator[bytes, bytes, tuple[bytes, bytes]]

LINE_LIMIT = 12 * 1024  # RFC 4954 section 4


def plain(initial: bytes | None) -> Exchange:
    """Ask for everything at once."""
    response = initial if initial is not None else (yield b"")
    _authorization, user, password = response.split(b"\0")
    return user, password


def login(initial: bytes | None) -> Exchange:
    """Ask for one after the other."""
    user = initial if initial is not None else (yield b"Username:")
    password = yield b"Password:"
    return user, password


MECHANISMS: dict[bytes, Callable[[bytes | None], Exchange]] = {b"PLAIN": plain, b"LOGIN": login}


class Login:
    """One AUTH command under way; `credentials` are user and password, once they are known."""

    __slots__ = ("_exchange", "credentials")

    def __init__(self, arguments: bytes) -> None:
        """Begin; `challenge` is asked for next."""
        mechanism, _, initial = arguments.partition(b" ")
        if mechanism.upper() not in MECHANISMS:
            raise Refusal(504, b"5.5.4 Mechanism not recognized")
        # `=` is an empty response (RFC 4954 section 4)
        response = (b"" if initial == b"=" else decode(initial)) if initial else None
        self._exchange = MECHANISMS[mechanism.upper()](response)
        self.credentials: tuple[bytes, bytes] | None = None

    def challenge(self, line: bytes | None = None) -> bytes:
        """Return the challenge after the client's line (None: none yet), b"" when all is known."""
        if line == b"*":
            raise Refusal(501, b"5.7.0 Authentication cancelled")
        response = decode(line) if line is not None else None
        try:
            challenge = self._exchange.send(response)  # type: ignore[arg-type]  # None begins
        except StopIteration as end:
            self.credentials = end.value
            return b""
        except ValueError:
            raise Refusal(501, b"5.5.2 The response cannot be read") from None
        return binascii.b2a_base64(challenge, newline=False)


def decode(response: bytes) -> bytes:
    """Return the octets of a response line."""
    try:
        return binascii.a2b_base64(response, strict_mode=True)
    except ValueError:
        raise Refusal(501, b"5.5.2 The response cannot be read") from None
