"""One fsync of a directory for many threads that wait for it: group commit.

A change made before `flush` was called is durable when `flush` returns. While one fsync is under
way, everybody who comes waits for the *next* one (the running one may have begun before his change)
and shares it: with n threads a directory is synced at most twice for n changes.
"""

from __future__ import annotations

import errno
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class _Round:
    """One fsync: who joins before it starts has its verdict."""

    __slots__ = ("done", "error")

    def __init__(self) -> None:
        self.done = False
        # Not a success until it is one: what interrupts the leader must not look like it.
        self.error: OSError | None = InterruptedError(errno.EINTR, "the sync was interrupted")


class SharedSync:
    """Runs `sync()` for all who ask, one at a time."""

    __slots__ = ("_changed", "_next", "_running", "_sync")

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self._changed = threading.Condition()
        self._next = _Round()
        self._running = False

    def flush(self) -> None:
        """Return when a sync that started after this call has succeeded; else raise OSError.

        A failure is told to everybody who shared it: the kernel reports a lost write once, and a
        second fsync would "succeed" (that is why no one tries again here).
        """
        with self._changed:
            joined = self._next
            while self._running and not joined.done:
                self._changed.wait()
            leads = not joined.done
            if leads:
                self._running, self._next = True, _Round()
        if leads:
            self._lead(joined)
        if joined.error is not None:
            raise OSError(*joined.error.args) from joined.error

    def _lead(self, joined: _Round) -> None:
        """Do the sync of this round and tell those who share it."""
        try:
            self._sync()
            joined.error = None
        except OSError as error:
            joined.error = error
        finally:
            with self._changed:
                joined.done, self._running = True, False
                self._changed.notify_all()
