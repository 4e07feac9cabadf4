"""How many messages a minute a smarthost gets, spread evenly: a token bucket.

It holds what one second brings, and one message at least: thirty a minute are one every two
seconds, six hundred a minute at most ten at once. In no minute are there more than the rate and one
bucket.

Holds no lock and reads no clock, as the breaker: the pool passes the time.
"""

from __future__ import annotations

BUCKET_S = 1.0


class Rate:
    """The rate of one smarthost; `per_minute` 0: any, and it is not `limited`."""

    __slots__ = ("_left", "_most", "_per_second", "_seen", "limited")

    def __init__(self, *, per_minute: int) -> None:
        self.limited = per_minute > 0
        self._per_second = per_minute / 60
        self._most = max(self._per_second * BUCKET_S, 1.0)
        self._left = self._most  # when `_seen` was
        self._seen = 0.0

    def pause(self, now: float) -> float:
        """Return the seconds until a message may be sent, 0 when one may be now."""
        lacking = 1.0 - self._left_at(now)
        return max(lacking / self._per_second, 0.0) if self.limited else 0.0

    def count(self, now: float) -> None:
        """Take note of a message that is sent."""
        self._left, self._seen = self._left_at(now) - 1.0, now

    def _left_at(self, now: float) -> float:
        return min(self._left + (now - self._seen) * self._per_second, self._most)
