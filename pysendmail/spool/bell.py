"""Waking the scheduler: from a thread of its own process, or from another process.

Inside a process an eventfd carries the call (nothing to lose, safe in a signal handler). Between
processes it is a FIFO in the spool: whoever waits keeps it open for reading and writing, so a
caller finds a reader or knows at once that nobody waits. A ring is never lost while a waiter
lives: it stays in the eventfd or the FIFO until `wait` takes it.
"""

from __future__ import annotations

import math
import os
import select
import stat

from pysendmail.spool.disk import SAFE

FIFO = "wake"

# poll(2) takes a C int of milliseconds.
_LONGEST_MS = 2**31 - 1


class Bell:
    """One waiter at a time, any number of ringers. All methods raise OSError."""

    __slots__ = ("_directory", "_event", "_fifo")

    def __init__(self, directory: int) -> None:
        self._directory = directory
        self._event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._fifo = -1

    def ring_here(self) -> None:
        """Wake the waiter of this process."""
        os.eventfd_write(self._event, 1)

    def ring_anywhere(self) -> None:
        """Wake the waiter: of this process, and where it never waited of whichever process does."""
        self.ring_here()  # also a waiter who is about to wait for the first time
        if self._fifo >= 0:
            return
        try:
            fifo = os.open(FIFO, os.O_WRONLY | SAFE, dir_fd=self._directory)
        except OSError:
            return  # ENXIO or ENOENT: nobody waits, so there is nobody to wake
        try:
            if stat.S_ISFIFO(os.fstat(fifo).st_mode):
                os.write(fifo, b"\n")
        except BlockingIOError:
            pass  # full of rings already
        finally:
            os.close(fifo)

    def wait(self, timeout: float | None) -> tuple[bool, bool]:
        """Wait at most `timeout` seconds (None: ever); tell whether rung here, and elsewhere."""
        if self._fifo < 0:
            self._fifo = self._open_fifo()
        poll = select.poll()
        poll.register(self._event, select.POLLIN)
        poll.register(self._fifo, select.POLLIN)
        milliseconds = None if timeout is None else min(math.ceil(timeout * 1000), _LONGEST_MS)
        ready = {fd for fd, _ in poll.poll(milliseconds)}
        for fd in ready:
            try:
                os.read(fd, 65536)
            except BlockingIOError:
                pass  # another waiter took it: he knows, and so do we
        return self._event in ready, self._fifo in ready

    def close(self) -> None:
        """Give up the descriptors."""
        os.close(self._event)
        if self._fifo >= 0:
            os.close(self._fifo)
            self._fifo = -1

    def _open_fifo(self) -> int:
        # Read and write: our own writing end keeps poll from reporting "all writers left" for ever.
        fifo = os.open(FIFO, os.O_RDWR | SAFE, dir_fd=self._directory)
        if not stat.S_ISFIFO(os.fstat(fifo).st_mode):
            os.close(fifo)
            raise FileExistsError(f"{FIFO} is no FIFO")
        return fifo
