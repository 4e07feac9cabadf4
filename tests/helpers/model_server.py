"""An SMTP server in memory that does as the RFCs say, moody as it is.

It is reader and writer for a client at once.  `random` decides what it refuses and how it cuts its
answers; after `hears` octets it hears nothing more, of what it says only `heard` octets arrive, and
then the connection is gone.  `accepted` is what it has taken responsibility for, `round_trips` how
often the client has waited for an answer.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple


class Accepted(NamedTuple):
    """One message that the server has answered for, or would have."""

    sender: bytes
    recipients: tuple[bytes, ...]
    content: bytes


class ModelServer:
    """One session; `keeps_refused` is Postfix's habit of keeping a refused message's envelope."""

    def __init__(
        self,
        random: Random,
        offers: tuple[bytes, ...],
        *,
        moody: bool = True,
        hears: int = 1 << 60,
        heard: int = 1 << 60,
        keeps_refused: bool = False,
        listening: bool = True,
        cuts: bool = True,
    ) -> None:
        self.accepted: list[Accepted] = []
        self.round_trips = 0
        self._random = random
        self._offers = offers
        self._moody = moody
        self._hears = hears
        self._heard = heard
        self._keeps_refused = keeps_refused
        self._cuts = cuts
        self._spoken_to = True
        self._input = bytearray()
        self._output = bytearray(b"220 model\r\n")
        self._sender: bytes | None = None
        self._recipients: list[bytes] = []
        self._content = b""
        self._mode = self._command
        self._octets_due = 0
        self._last = False
        self._broken_chunk = False
        if listening:
            self.arrived = self._arrived

    # --- the streams of the client

    def read(self, size: int) -> bytes:
        """Return some of what was said."""
        self.round_trips += self._spoken_to
        self._spoken_to = False
        end = min(self._cut(1, 7, size), self._heard, len(self._output))
        octets = bytes(self._output[:end])
        del self._output[:end]
        self._heard -= end
        if not octets and self._random.random() < 0.5:
            raise ConnectionResetError
        return octets

    def _arrived(self) -> bytes | None:
        if self._heard and self._output:
            return self.read(16)
        return None if self._hears and self._heard else b""

    def write(self, octets: memoryview) -> int:
        """Take some of what the client says and act on it."""
        self._spoken_to = True
        count = min(len(octets), self._cut(3, 100, 1 << 20))
        taken = bytes(octets[: min(count, self._hears)])
        self._hears -= len(taken)
        self._input += taken
        while self._mode():
            pass
        return count

    def close(self) -> None:
        """Nothing is left open."""

    def _cut(self, *lengths: int) -> int:
        return self._random.choice(lengths) if self._cuts else lengths[-1]

    # --- the server

    def _say(self, code: int, text: bytes = b"") -> None:
        self._output += b"%d %b\r\n" % (code, text)

    def _mood(self, *refusals: int) -> int:
        """Return a refusal, or 0 for the usual good mood."""
        return self._random.choice(refusals) if self._moody and self._random.random() < 0.2 else 0

    def _line(self) -> bytes | None:
        end = self._input.find(b"\n")
        if end < 0:
            return None
        line = bytes(self._input[: end + 1])
        del self._input[: end + 1]
        assert line.endswith(b"\r\n")
        return line

    def _command(self) -> bool:
        line = self._line()
        if line is None:
            return False
        verb, _, rest = line[:-2].partition(b" ")
        if verb == b"EHLO":
            self._reset()
            for line in (b"model", *self._offers):
                self._output += b"250-%b\r\n" % line
            self._say(250, b"HELP")
        elif verb == b"RSET":
            self._reset()
            self._say(250)
        elif verb == b"MAIL":
            self._mail(rest)
        elif verb == b"RCPT":
            self._rcpt(rest)
        elif verb == b"DATA":
            self._data()
        elif verb == b"BDAT":
            self._bdat(rest.split())
        else:
            self._say(500)
        return True

    def _reset(self) -> None:
        self._sender = None
        self._recipients = []
        self._content = b""
        self._broken_chunk = False

    def _mail(self, rest: bytes) -> None:
        if self._sender is not None:
            self._say(503, b"nested MAIL")
        elif mood := self._mood(451, 550, 552):
            self._say(mood)
        else:
            self._sender = rest.removeprefix(b"FROM:<").partition(b">")[0]
            self._say(250)

    def _rcpt(self, rest: bytes) -> None:
        if self._sender is None:
            self._say(503)
        elif mood := self._mood(450, 452, 550):
            self._say(mood)
        else:
            self._recipients.append(rest.removeprefix(b"TO:<").partition(b">")[0])
            self._say(250)

    def _data(self) -> None:
        if not self._recipients and self._random.random() < 0.7:
            self._say(503)
        elif mood := self._mood(451, 554):
            self._say(mood)
        else:
            self._say(354)
            self._mode = self._text

    def _text(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if line == b".\r\n":
            self._mode = self._command
            self._end()
        else:
            self._content += line.removeprefix(b".")
        return True

    def _bdat(self, words: list[bytes]) -> None:
        self._octets_due = int(words[0])
        self._last = words[1:] == [b"LAST"]
        self._mode = self._chunk

    def _chunk(self) -> bool:
        if len(self._input) < self._octets_due:
            return False
        self._content += self._input[: self._octets_due]
        del self._input[: self._octets_due]
        self._mode = self._command
        if not self._recipients or self._broken_chunk:
            self._say(503)
        elif self._last:
            self._end()
        elif mood := self._mood(452, 552):
            self._broken_chunk = True  # RFC 3030 section 2: the rest is refused until RSET
            self._say(mood)
        else:
            self._say(250)
        return True

    def _end(self) -> None:
        if not self._recipients:
            self._say(554)
        elif mood := self._mood(452, 554):
            self._say(mood)
            if self._keeps_refused:
                self._content = b""
                return
        else:
            assert self._sender is not None
            recipients = tuple(self._recipients)
            self.accepted.append(Accepted(self._sender, recipients, self._content))
            self._say(250)
        self._reset()
