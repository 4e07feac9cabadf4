"""Replies of a server: the value, and the incremental parser that makes them out of octets.

Guarantees: octets may arrive cut anywhere; a reply is bounded in line length, lines and octets;
every line of a reply carries the same code; codes are 200 to 599. Anything else raises
`ProtocolError`, and only that, and tells no secret. RFC 5321 section 4.2.

Tolerated, because servers in the wild do it: a bare LF as line end, a code without text, a second
digit above 5. Text stays octets; it is the server's and not to be trusted on a terminal.
"""

from __future__ import annotations

from .errors import PermanentError, ProtocolError, ReplyError, TransientError
from .secrecy import Secrecy

# RFC 5321 section 4.5.3.1.5 allows 512 octets; a challenge of AUTH may have 12,288 (RFC 4954
# section 4). Beyond these bounds a server is broken or hostile.
MAX_LINE = 16 * 1024
MAX_LINES = 1000
MAX_OCTETS = 256 * 1024
# Replies may wait here while we write; nobody gets so many commands under way.
MAX_WAITING = 1024 * 1024


class Reply:
    """One complete reply: `code`, and `lines` as the server wrote them, without the codes."""

    __slots__ = ("code", "lines")

    def __init__(self, code: int, lines: tuple[bytes, ...]) -> None:
        self.code = code
        self.lines = lines

    @property
    def text(self) -> bytes:
        """All lines joined by LF."""
        return b"\n".join(self.lines)

    @property
    def enhanced(self) -> bytes:
        """The enhanced status (`b"5.1.1"`, RFC 2034), or nothing when it contradicts the code."""
        status = self.lines[0].split(b" ", 1)[0]
        parts = status.split(b".")
        numbers = [part for part in parts if part.isdigit() and len(part) <= 3]
        if len(parts) == len(numbers) == 3 and parts[0] == b"%d" % (self.code // 100):
            return status
        return b""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Reply):
            return NotImplemented
        return self.code == other.code and self.lines == other.lines

    def __hash__(self) -> int:
        return hash((self.code, self.lines))

    def __repr__(self) -> str:
        return f"Reply({self.code}, {self.lines!r})"


def reply_error(reply: Reply, command: bytes) -> ReplyError | ProtocolError:
    """Return the error that `reply` means where `command` hoped for another digit."""
    if reply.code >= 500:
        return PermanentError(reply, command)
    if reply.code >= 400:
        return TransientError(reply, command)
    return ProtocolError(
        f"{command.decode('ascii')} got an answer of another command",
        b"%d %s" % (reply.code, reply.lines[0]),
    )


class ReplyParser:
    """Takes octets by `feed`, gives complete replies by `next`; holds the only read buffer.

    However a server cuts its octets, none costs more than the one before it.
    """

    __slots__ = ("_buffer", "_code", "_octets", "_scanned", "_secrecy", "_start", "_texts")

    def __init__(self, secrecy: Secrecy | None = None) -> None:
        self._secrecy = secrecy or Secrecy()
        self._buffer = bytearray()
        self._start = 0  # what lies before this position in the buffer is used up
        self._scanned = 0  # from there, the buffer has no LF before this position
        self._texts: list[bytes] = []  # of the unfinished reply, empty between replies
        self._code = b""
        self._octets = 0

    def feed(self, octets: bytes) -> None:
        """Take in what arrived."""
        del self._buffer[: self._start]
        self._scanned -= self._start
        self._start = 0
        self._buffer += octets
        if len(self._buffer) > MAX_WAITING:
            raise self._nonsense("more replies than there were commands", self._buffer)

    def next(self) -> Reply | None:
        """Return the next complete reply, or None until more octets arrive."""
        while (line := self._next_line()) is not None:
            code = line[:3]
            mark = line[3:4]
            well_formed = len(code) == 3 and code.isdigit() and b"200" <= code <= b"599"
            if not well_formed or mark not in (b" ", b"-", b""):
                raise self._nonsense("not an SMTP reply", line)
            last = mark != b"-"
            if last and not self._texts:
                return Reply(int(code), (line[4:],))
            self._add(code, line)
            if last:
                texts, self._texts, self._octets = self._texts, [], 0
                return Reply(int(code), tuple(texts))
        return None

    @property
    def has_line(self) -> bool:
        """True when a line is here, which is the end of a reply nearly always."""
        return self._buffer.find(b"\n", self._scanned) >= 0

    @property
    def leftover(self) -> bool:
        """True when octets are here that no awaited reply has used up."""
        return len(self._buffer) > self._start or bool(self._texts)

    def _next_line(self) -> bytes | None:
        buffer, start = self._buffer, self._start
        found = buffer.find(b"\n", self._scanned)
        end = len(buffer) if found < 0 else found
        if end - start > MAX_LINE:
            raise self._nonsense("reply line too long", buffer[start:])
        if found < 0:
            self._scanned = end
            return None
        self._start = self._scanned = end + 1
        # Exactly one CR belongs to the line end; more would be text.
        return bytes(buffer[start:end]).removesuffix(b"\r")

    def _add(self, code: bytes, line: bytes) -> None:
        """Add one line to a reply of several."""
        if self._texts and code != self._code:
            raise self._nonsense("the code changes within a reply", line)
        self._code = code
        self._texts.append(line[4:])
        self._octets += len(line)
        if len(self._texts) > MAX_LINES or self._octets > MAX_OCTETS:
            raise self._nonsense("endless reply", line)

    def _nonsense(self, reason: str, octets: bytes | bytearray) -> ProtocolError:
        line = bytes(octets[:MAX_LINE])  # cut behind what is hidden, lest half of it be seen
        return ProtocolError(reason, self._secrecy.hide(line)[:100])
