"""One breaker for each smarthost: a dead one is probed by one message, not by ten thousand.

States: *closed* (deliveries flow), *open* (nobody may try before `until`), *probing* (one delivery
is trying). Once the probe is *greeted*, others may come along so far as to be ready when it has
succeeded. A breaker opens at the first trouble of reach "session" and stays open twice as long
after each probe that fails. When a probe succeeds it closes, and `width` - how many may use the
smarthost at once - doubles from one by each success, so that after trouble the backlog comes back
as a slope and not as a wall.

Holds no lock and reads no clock: the pool owns it, calls it under its own lock and passes the time.
"""

from __future__ import annotations

FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 300.0


class Breaker:
    """The health of one smarthost."""

    __slots__ = ("_pause", "greeted", "probing", "trouble", "until", "widest", "width")

    def __init__(self, *, widest: int) -> None:
        self.widest = widest
        self._pause = 0.0
        self.probing = False
        self.greeted = False
        self.until = 0.0
        self.width = widest
        self.trouble = b""

    @property
    def closed(self) -> bool:
        """Whether deliveries flow."""
        return not self._pause

    def admits(self, now: float) -> bool:
        """Tell whether a delivery may try now, if only so far as to come along with the probe; does
        not take the probe's place.
        """
        return self.closed or self.greeted or (not self.probing and now >= self.until)

    def enter(self) -> None:
        """Take note that a delivery tries: an open breaker's probe is under way."""
        self.probing = not self.closed

    def greet(self) -> None:
        """Take note that the smarthost greets a delivery."""
        self.greeted = self.probing

    def leave_alone(self) -> None:
        """Take note that somebody came along in vain: nobody else does with this probe."""
        self.greeted = False

    def leave(self) -> None:
        """Take note that a delivery gave up before it learned anything of the smarthost."""
        self.probing = self.greeted = False

    def succeeded(self) -> bool:
        """Take note that the smarthost answered as one who works; tell whether that is news."""
        if self.closed and self.width == self.widest:  # closed: no probe, no trouble
            return False
        self._pause = 0.0
        self.probing = self.greeted = False
        self.trouble = b""
        self.width = min(self.width * 2, self.widest)
        return True

    def failed(self, now: float, trouble: bytes) -> None:
        """Take note of a trouble that reaches the whole session."""
        if self.closed or now >= self.until:  # not one of many that fail together
            self._pause = min(max(self._pause * 2, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        self.probing = self.greeted = False
        self.until = now + self._pause
        self.width = 1
        self.trouble = trouble
