"""Warm connections: open sessions kept between messages, and how many each smarthost may have.

A session that is given back sound is kept for `idle_timeout` seconds and for
`messages_per_connection` messages. One that the smarthost ended meanwhile is noticed before use
where the kernel already knows, and by the attempt otherwise. Each smarthost has a breaker; while it
is open, `borrow` raises Away at once, so that nobody waits for a smarthost that is known to be
dead. Each has a rate, too, past which `borrow` does the same.

When a smarthost comes back, the sessions that a backlog asks for are opened while one message shows
whether it works: connected and secured, no further. So no time is lost, and what has been done in
vain where it does not work is no more than that, and never a password.
"""

from __future__ import annotations

import threading
import time

from pysendmail.relay.breaker import Breaker
from pysendmail.relay.offer import Away, told
from pysendmail.relay.rate import Rate
from pysendmail.smtp import SmtpError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    from pysendmail.relay.policy import Rule
    from pysendmail.relay.smarthost import Smarthost
    from pysendmail.smtp import Client

    class OpenSession(Protocol):
        """Opens a session, as `session.open_session` does."""

        def __call__(
            self,
            smarthost: Smarthost,
            /,
            *,
            deadline: float | None,
            greeted: Callable[[], None],
            before_login: Callable[[], None],
        ) -> Client:
            """Return a client that is ready; both calls are made on the way."""

# How long a session that was opened beside waits for proof: longer than most smarthosts take for a
# message, and not so long that they would end it.
BESIDE_S = 3.0


class Pool:
    """The sessions of all smarthosts of one configuration.

    `hear(smarthost, rule, text)` is told of each trouble that reaches a session.
    """

    def __init__(
        self,
        smarthosts: Sequence[Smarthost],
        open_session: OpenSession,
        hear: Callable[[Smarthost, Rule, bytes], None],
        *,
        connections: int,
        messages_per_connection: int,
        messages_per_minute: int,
        idle_timeout: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_session = open_session
        self._hear = hear
        self._messages = messages_per_connection
        self._idle_timeout = idle_timeout
        self._clock = clock
        self._changed = threading.Condition()
        self._lines = {
            id(smarthost): Line(
                smarthost, Breaker(widest=connections), Rate(per_minute=messages_per_minute)
            )
            for smarthost in smarthosts
        }
        self._closed = False

    def admits(self) -> bool:
        """Tell whether any smarthost would be tried now."""
        with self._changed:
            now = self._clock()
            return any(
                line.breaker.admits(now) and not line.pause(now) for line in self._lines.values()
            )

    def away(self) -> bool:
        """Tell whether no smarthost is known to work: one message at a time may probe them."""
        with self._changed:
            return not any(line.breaker.closed for line in self._lines.values())

    def next_probe(self) -> float:
        """Return the seconds until some smarthost would be tried, 0 when one would be now.

        Without a smarthost that is never: infinity.
        """
        with self._changed:
            now = self._clock()
            pauses = (line.pause(now) for line in self._lines.values())
            return min(pauses, default=float("inf"))

    def states(self) -> list[tuple[Smarthost, bool, float, bytes, int]]:
        """Return for each smarthost: itself, flowing, seconds until it is tried, why not before,
        warm sessions.
        """
        with self._changed:
            now = self._clock()
            return [
                (
                    line.smarthost,
                    line.breaker.closed,
                    line.pause(now),
                    line.trouble(now),
                    len(line.idle),
                )
                for line in self._lines.values()
            ]

    def borrow(self, smarthost: Smarthost, deadline: float | None) -> tuple[Client, bool]:
        """Return a session for one message, and whether it was kept warm; waits for a free place
        until `deadline`.

        Raises Away when the smarthost's breaker is open, its rate is reached or no place came free,
        and the exceptions of the SMTP core when a new session cannot be opened.
        """
        line = self._lines[id(smarthost)]
        beside = self._take_place(line, deadline)
        while not beside and (client := self._take_idle(line)) is not None:
            if client.usable():
                return client, True
            line.served.pop(id(client), None)
            client.close()

        def greeted() -> None:
            if not beside:
                with self._changed:
                    line.breaker.greet()

        def before_login() -> None:
            nonlocal beside
            if beside:
                self._await_proof(line, deadline)
                beside = False

        try:
            client = self._open_session(
                smarthost, deadline=deadline, greeted=greeted, before_login=before_login
            )
        except BaseException as error:
            self._free_place(line, beside=beside)
            if beside and isinstance(error, SmtpError):
                # The probe finds out for all; one connection may be all that it is given.
                raise Away(told(error)) from error
            raise
        line.served[id(client)] = 0
        return client, False

    def room(self, smarthost: Smarthost, client: Client) -> int:
        """Return how many messages more a borrowed session may carry, one at least.

        What the smarthost says of itself counts as well (RFC 9422: MAILMAX).
        """
        served = self._lines[id(smarthost)].served.get(id(client), 0)
        return max(self._most(client) - served, 1)

    def another(self, smarthost: Smarthost) -> bool:
        """Tell whether the rate has room for one message more, and count it where it has.

        Without a rate there is always room, and nothing is counted.
        """
        rate = self._lines[id(smarthost)].rate
        if not rate.limited:
            return True
        with self._changed:
            now = self._clock()
            if rate.pause(now):
                return False
            rate.count(now)
            return True

    def _most(self, client: Client) -> int:
        return min(self._messages, client.extensions.limits.get(b"MAILMAX", self._messages))

    def give_back(self, smarthost: Smarthost, client: Client, messages: int) -> None:
        """Keep a sound session warm, end any other."""
        line = self._lines[id(smarthost)]
        with self._changed:
            served = line.served.pop(id(client), 0) + messages
            keep = not client.broken and served < self._most(client) and not self._closed
            if keep:
                line.served[id(client)] = served
                line.idle.append((client, self._clock()))
        self._free_place(line)
        if not keep:
            end(client)

    def answered(self, smarthost: Smarthost) -> None:
        """Close the smarthost's breaker, or let it be used a little more."""
        with self._changed:
            if self._lines[id(smarthost)].breaker.succeeded():
                self._changed.notify_all()

    def report(self, smarthost: Smarthost, rule: Rule, text: bytes) -> None:
        """Open the smarthost's breaker, and let the trouble be heard."""
        with self._changed:
            self._lines[id(smarthost)].breaker.failed(self._clock(), text)
            self._changed.notify_all()
        self._hear(smarthost, rule, text)

    def warm(self) -> bool:
        """Tell whether any session is kept for the next message."""
        with self._changed:
            return any(line.idle for line in self._lines.values())

    def sweep(self) -> None:
        """End the sessions that have been idle too long."""
        ended = []
        with self._changed:
            now = self._clock()
            for line in self._lines.values():
                while line.idle and now - line.idle[0][1] >= self._idle_timeout:
                    client, _since = line.idle.pop(0)
                    line.served.pop(id(client), None)
                    ended.append(client)
        for client in ended:
            end(client)

    def retry_now(self) -> None:
        """Let every smarthost be probed at once: somebody says that the trouble is over."""
        with self._changed:
            for line in self._lines.values():
                line.breaker.until = 0.0
            self._changed.notify_all()

    def close(self) -> None:
        """End all idle sessions; those that are borrowed end when they are given back."""
        with self._changed:
            self._closed = True
            self._idle_timeout = 0.0
        self.sweep()

    def _take_place(self, line: Line, deadline: float | None) -> bool:
        """Take a place for one session; return whether it is opened beside the probe's."""
        with self._changed:
            while line.breaker.closed and line.busy >= line.breaker.width:
                self._wait(deadline, line.full())
            if not line.breaker.admits(self._clock()):
                raise line.away()
            beside = line.breaker.greeted
            if beside and line.busy >= line.breaker.widest:
                raise line.full()
            if not beside:
                self._count(line)
            line.breaker.enter()
            line.busy += 1
            line.beside += beside
            return beside

    def _await_proof(self, line: Line, deadline: float | None) -> None:
        """Wait until the smarthost is known to work and one more session may be used.

        Raises Away when it does not work or that takes long. Once it works, the wait is for a turn,
        as it is for all.
        """
        breaker, end = line.breaker, self._clock() + BESIDE_S
        soon = end if deadline is None else min(end, deadline)
        with self._changed:
            while not (breaker.closed and line.busy - line.beside < breaker.width):
                if breaker.closed:
                    self._wait(deadline, line.full())
                elif breaker.probing:
                    self._wait(soon, line.away())
                else:
                    raise line.away()
            self._count(line)
            line.beside -= 1

    def _wait(self, until: float | None, late: Away) -> None:
        """Wait for a change; raises `late` where that time is past."""
        left = None if until is None else until - self._clock()
        if left is not None and left <= 0:
            raise late
        self._changed.wait(left)

    def _count(self, line: Line) -> None:
        """Count one message; raises Away past the rate."""
        if not self.another(line.smarthost):
            raise Away(b"%b has had its messages for now" % line.smarthost.name)

    def _free_place(self, line: Line, *, beside: bool = False) -> None:
        with self._changed:
            line.busy -= 1
            line.beside -= beside
            if beside:
                line.breaker.leave_alone()
            if line.busy == line.beside:
                line.breaker.leave()  # nobody is left who could be the probe
            self._changed.notify_all()

    def _take_idle(self, line: Line) -> Client | None:
        with self._changed:
            return line.idle.pop()[0] if line.idle else None


class Line:
    """One smarthost's sessions: those that are idle, how many are busy, what each has served.

    Of those that are busy some may be `beside`: opened before the smarthost is known to work.
    """

    __slots__ = ("beside", "breaker", "busy", "idle", "rate", "served", "smarthost")

    def __init__(self, smarthost: Smarthost, breaker: Breaker, rate: Rate) -> None:
        self.smarthost = smarthost
        self.breaker = breaker
        self.rate = rate
        self.busy = 0
        self.beside = 0
        self.idle: list[tuple[Client, float]] = []
        self.served: dict[int, int] = {}

    def away(self) -> Away:
        """Return what there is to say while the smarthost is not known to work."""
        return Away(b"%b is away: %b" % (self.smarthost.name, self.breaker.trouble))

    def full(self) -> Away:
        """Return what there is to say where no place came free."""
        return Away(b"all connections to %b are busy" % self.smarthost.name)

    def pause(self, now: float) -> float:
        """Return the seconds until the smarthost may be tried, for all that is known now."""
        away = 0.0 if self.breaker.closed else self.breaker.until - now
        return max(away, self.rate.pause(now))

    def trouble(self, now: float) -> bytes:
        """Return why the smarthost is not tried now, nothing when it is."""
        if self.breaker.trouble or not self.rate.pause(now):
            return self.breaker.trouble
        return b"its rate is reached"


def end(client: Client) -> None:
    """Say QUIT where that still makes sense, and close."""
    if not client.broken:
        client.quit()
    client.close()
