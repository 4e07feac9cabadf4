"""Which of several addresses answers first (RFC 8305).

An address that does not answer costs a quarter of a second, not a time limit: then the next one is
tried beside it, the families in turns, and the first to answer wins. The sockets do not block and
one `poll` waits for all of them, so there are no threads, and none that lost outlives the race.
"""

from __future__ import annotations

import _socket
import errno
import os
import select
import time

from .address import format_host_port
from .poll import milliseconds_until

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .resolve import Candidate

# The Connection Attempt Delay that RFC 8305 section 8 recommends: longer than most round trips, so
# that addresses which work are not asked in vain, and shorter than people notice.
ATTEMPT_DELAY_S = 0.25


def interleave(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates with their families in turns, the first one's first (section 4)."""
    if not candidates:
        return []
    preferred = [candidate for candidate in candidates if candidate[0] == candidates[0][0]]
    others = [candidate for candidate in candidates if candidate[0] != candidates[0][0]]
    turns = []
    for rank in range(max(len(preferred), len(others))):
        turns += preferred[rank : rank + 1] + others[rank : rank + 1]
    return turns


class Race:
    """Attempts to connect, of which one at most will win.

    `seconds` is what each attempt may take, `deadline` a moment of `time.monotonic` for all of
    them, `source_address` a local address to connect from. `reasons` tells (address, reason) of
    each attempt that failed. `close` ends those in flight.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        *,
        seconds: float,
        deadline: float | None = None,
        source_address: str | None = None,
        delay: float = ATTEMPT_DELAY_S,
    ) -> None:
        self.reasons: list[tuple[str, str]] = []
        self._waiting = interleave(candidates)
        self._in_flight: dict[int, _Attempt] = {}
        self._seconds = seconds
        self._deadline = float("inf") if deadline is None else deadline
        self._source_address = source_address
        self._delay = delay
        self._next_launch = 0.0
        self._poll = select.poll()

    def run(self) -> _socket.socket | None:
        """Return the socket of the winner, None where all failed; raises `TimeoutError`."""
        while self._waiting or self._in_flight:
            now = time.monotonic()
            if now >= self._deadline:
                self._give_up()
                raise TimeoutError
            self._expire(now)
            if self._waiting and now >= self._next_launch:
                self._launch(self._waiting.pop(0), now)
            winner = self._wait(now)
            if winner is not None:
                return winner
        return None

    def close(self) -> None:
        """Close every socket that has not won."""
        for attempt in self._in_flight.values():
            attempt.sock.close()
        self._in_flight.clear()

    def _launch(self, candidate: Candidate, now: float) -> None:
        """Begin an attempt; the next one is due after the delay, or now where this one failed."""
        family, address = candidate
        shown = format_host_port(*address[:2])
        try:
            sock = _socket.socket(family, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        except OSError as error:
            self.reasons.append((shown, os.strerror(error.errno or 0)))
            return
        self._in_flight[sock.fileno()] = _Attempt(sock, shown, now + self._seconds)
        self._poll.register(sock, select.POLLOUT)
        try:
            sock.setblocking(False)
            # Our writes are whole already; waiting to join them would cost a round trip.
            sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            if self._source_address is not None:
                sock.bind((self._source_address, 0))
            sock.connect(address)
        except BlockingIOError:
            pass  # it has begun
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            if error.errno == errno.EADDRNOTAVAIL and self._source_address is not None:
                reason += f" (source_address {self._source_address})"
            self._fail(sock.fileno(), reason, now)
            return
        self._next_launch = now + self._delay

    def _wait(self, now: float) -> _socket.socket | None:
        """Wait until an attempt ends, one expires or the next is due; return the winner."""
        if not self._in_flight:
            return None
        moments = [self._deadline, *(attempt.until for attempt in self._in_flight.values())]
        if self._waiting:
            moments.append(self._next_launch)
        for descriptor, _ in self._poll.poll(milliseconds_until(min(moments))):
            sock = self._in_flight[descriptor].sock
            error = sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
            if not error:
                del self._in_flight[descriptor]
                return sock
            self._fail(descriptor, os.strerror(error), now)
        return None

    def _expire(self, now: float) -> None:
        late = [fd for fd, attempt in self._in_flight.items() if attempt.until <= now]
        for descriptor in late:
            self._fail(descriptor, os.strerror(errno.ETIMEDOUT), now)

    def _fail(self, descriptor: int, reason: str, now: float) -> None:
        """End an attempt; nothing is gained by letting the next one wait for its turn."""
        attempt = self._in_flight.pop(descriptor)
        self._poll.unregister(descriptor)
        attempt.sock.close()
        self.reasons.append((attempt.shown, reason))
        self._next_launch = now

    def _give_up(self) -> None:
        """Tell of the attempts that the deadline ends."""
        for attempt in self._in_flight.values():
            self.reasons.append((attempt.shown, "no answer"))


class _Attempt:
    __slots__ = ("shown", "sock", "until")

    def __init__(self, sock: _socket.socket, shown: str, until: float) -> None:
        self.sock = sock
        self.shown = shown
        self.until = until
