"""One delivery while a caller waits for its verdict - and when he has stopped waiting.

The caller's thread waits at most `wait` seconds. If the attempt has not ended by then, the message
is entered in the spool with the claim held, the caller is told that all is well, and the attempt
goes on: to break it off might make a duplicate of a message that the smarthost is about to take.
Whoever comes second under the lock, attempt or spool, finishes the other's work, so nothing is lost
between them.
"""

from __future__ import annotations

import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pysendmail.relay.attempt import Attempt
    from pysendmail.spool.contract import Claim


class WaitedDelivery:
    """A callable for the workers.

    `attempt` makes the attempt; `settle` records one that came after the caller had left (None: it
    raised, and nothing is known).
    """

    def __init__(
        self, attempt: Callable[[], Attempt], settle: Callable[[Claim, Attempt | None], None]
    ) -> None:
        self._attempt = attempt
        self._settle = settle
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._claim: Claim | None = None
        self._result: Attempt | None = None
        self._error: Exception | None = None

    def __call__(self) -> None:
        """Make the attempt; settle it here when nobody waits any more."""
        try:
            result = self._attempt()
        except Exception as error:
            with self._lock:
                self._error = error
                claim = self._claim
            self._ended.set()
            if claim is not None:
                self._settle(claim, None)
            raise
        with self._lock:
            self._result = result
            claim = self._claim
        self._ended.set()
        if claim is not None:
            self._settle(claim, result)

    def wait(self, seconds: float) -> bool:
        """Wait for the attempt's end; False when it has not come."""
        return self._ended.wait(seconds)

    def result(self) -> Attempt:
        """Return what came of the attempt, or raise what it raised."""
        if self._error is not None:
            raise self._error
        assert self._result is not None  # noqa: S101 - `wait` said that it has ended
        return self._result

    def hand_over(self, enter: Callable[[], Claim | None]) -> bool:
        """Stop waiting: enter the message in the spool, claimed, unless the attempt has ended by
        now.

        Returns False, with nothing entered, when the verdict came after all.
        """
        with self._lock:
            if self._result is not None or self._error is not None:
                return False
            self._claim = enter()
            return True
