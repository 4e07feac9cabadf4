r"""The content behind DATA: found to its end, and freed of the dots of its transport.

Where a message ends is where mail is smuggled (CVE-2023-51764): a server that sees an end where the
one before it saw none takes the rest as commands. So a reader knows one kind of line end, and holds
to it. With CR LF, only CR LF `.` CR LF ends the message, and dots are taken away only behind CR LF;
a lone CR or LF is content, whatever stands around it, to be made harmless by whoever takes the
message. With LF, as local programs write, a CR before an LF belongs to the line end, and `\n.\n` or
`\n.\r\n` ends the message. A lone CR ends nothing, ever.

How the octets are cut makes no difference, and at most four of them are held back.
"""

from __future__ import annotations


class ContentReader:
    """Takes octets by `feed` until it has `ended`; `lf`: lines end with LF."""

    __slots__ = ("_held", "_line_end", "_marks", "_started", "ended")

    def __init__(self, *, lf: bool) -> None:
        self._line_end = b"\n" if lf else b"\r\n"
        # The end of data, the longest form first.
        self._marks = (b"\n.\r\n", b"\n.\n") if lf else (b"\r\n.\r\n",)
        self._held = self._line_end  # the line end of DATA is the one before the first line
        self._started = False
        self.ended = False

    def feed(self, octets: bytes) -> tuple[bytes, bytes]:
        """Return what is certain to be content, and what came behind the end of data."""
        data = self._held + octets
        position, mark = self._find_end(data)
        if mark:
            self.ended = True
            certain = position + len(self._line_end)
            rest = data[position + len(mark) :]
        else:
            certain = len(data) - self._undecided(data)
            rest = b""
        self._held = b"" if self.ended else data[certain:]
        return self._undotted(data[:certain]), rest

    def _find_end(self, data: bytes) -> tuple[int, bytes]:
        """Return where the end of data begins, and how it is written; b"" where there is none."""
        found = [(data.find(mark), mark) for mark in self._marks]
        return min((one for one in found if one[0] >= 0), default=(-1, b""))

    def _undecided(self, data: bytes) -> int:
        """Return how many octets at the end may be the beginning of the end."""
        mark = self._marks[0]
        for length in range(len(mark) - 1, 0, -1):
            if data.endswith(mark[:length]):
                return length
        return 0

    def _undotted(self, block: bytes) -> bytes:
        """Return a block without the dot before each line (RFC 5321 section 4.5.2)."""
        content = block.replace(self._line_end + b".", self._line_end)
        if not self._started and block:
            self._started = True
            return content.removeprefix(self._line_end)
        return content
