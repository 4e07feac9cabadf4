"""What can go wrong in SMTP, as exceptions that carry facts.

Every trouble with a server is an `SmtpError`; nothing else leaves this package, except what a
caller's own body source raises. The sentences of `str()` are for people; decisions are taken by
class and attribute.

    SmtpError
     +- UsageError            we were called wrongly (also a ValueError); nothing was sent
     +- MissingExtension      .name: needed, and not offered by the server
     +- SizeExceeded          .size, .limit: larger than the server said it takes
     +- ReplyError            .reply, .command, .code, .text, .detail
     |   +- TransientError    4yz
     |   +- PermanentError    5yz
     +- AuthenticationError   our side gave a login up (a refused login is a ReplyError)
     +- ProtocolError         .line: the server's bytes are not SMTP, or answer nothing we asked
     +- ConnectError          .host, .reasons: no connection could be made
     +- ConnectionLost        .phase
     +- TimedOut              .phase
     +- TlsError              handshake, certificate or name

`after_end_of_data` is True when the server may have taken the message: its last octet was handed
over and no readable verdict came. `session_usable` tells whether the session can go on after the
error; where it cannot, the client is `broken` and only `close()` makes sense. When an error ends a
transaction, `transcript` holds the replies that had come by then: those verdicts stand.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .reply import Reply
    from .transcript import Transcript


class SmtpError(Exception):
    """Any trouble of an SMTP session."""

    session_usable = False
    after_end_of_data = False
    transcript: Transcript | None = None


class UsageError(SmtpError, ValueError):
    """A call out of order or with an argument that must not reach the wire."""

    session_usable = True


class MissingExtension(SmtpError):
    """The server does not offer the extension `name`, without which this cannot go out."""

    session_usable = True

    def __init__(self, name: bytes) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"the server does not offer {shown(self.name)}"


class SizeExceeded(SmtpError):
    """The message has `size` octets; the server announced that it takes `limit` (RFC 1870)."""

    session_usable = True

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(size, limit)
        self.size = size
        self.limit = limit

    def __str__(self) -> str:
        return f"the message has {self.size} octets, the server takes {self.limit}"


class ReplyError(SmtpError):
    """The server refused `command`; `detail` is what it had to say beside the reply."""

    session_usable = True
    detail = ""

    def __init__(self, reply: Reply, command: bytes) -> None:
        super().__init__(reply, command)
        self.reply = reply
        self.command = command

    @property
    def code(self) -> int:
        """The reply code."""
        return self.reply.code

    @property
    def text(self) -> bytes:
        """The lines of the reply without their codes, joined by LF."""
        return self.reply.text

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"{shown(self.command)} was answered {self.code} {shown(self.text)}{detail}"


class TransientError(ReplyError):
    """A reply 4yz: the same may succeed later."""


class PermanentError(ReplyError):
    """A reply 5yz: the same will not succeed."""


class AuthenticationError(SmtpError):
    """We gave a login up: no common mechanism, or the server did not prove what it must."""

    def __init__(self, reason: str, *, session_usable: bool = True) -> None:
        super().__init__(reason)
        self.session_usable = session_usable


class ProtocolError(SmtpError):
    """What the server sent is not SMTP; `line` shows the octets that gave offence."""

    def __init__(self, reason: str, line: bytes = b"") -> None:
        super().__init__(reason, line)
        self.reason = reason
        self.line = line

    def __str__(self) -> str:
        return f"{self.reason}: {shown(self.line[:100])}" if self.line else self.reason


class ConnectError(SmtpError):
    """No address of `host` could be connected; `reasons` holds (address, reason) for each."""

    def __init__(self, host: str, reasons: tuple[tuple[str, str], ...]) -> None:
        super().__init__(host, reasons)
        self.host = host
        self.reasons = reasons

    def __str__(self) -> str:
        tries = "; ".join(f"{address}: {reason}" for address, reason in self.reasons)
        return f"cannot connect to {self.host} ({tries})"


class _Interrupted(SmtpError):
    """The conversation ended in `phase`; after the end of data nobody knows the verdict."""

    sentence = ""

    def __init__(self, phase: str, after_end_of_data: bool = False, reason: str = "") -> None:
        super().__init__(phase, after_end_of_data, reason)
        self.phase = phase
        self.after_end_of_data = after_end_of_data
        self.reason = reason

    def __str__(self) -> str:
        reason = f" ({self.reason})" if self.reason else ""
        return f"{self.sentence} while {self.phase}{reason}"


class ConnectionLost(_Interrupted):
    """The connection ended while we still had to write or to read."""

    sentence = "connection lost"


class TimedOut(_Interrupted):
    """The server took longer than the phase or the caller's deadline allows."""

    sentence = "timed out"


class TlsError(SmtpError):
    """No trustworthy TLS: handshake failed, certificate or name refused, or TLS was demanded."""


def shown(text: bytes) -> str:
    """Return server text fit for a terminal or a log: one line, no control characters."""
    characters = text.decode("utf-8", "backslashreplace").replace("\n", " ")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in characters)
