"""Removals of delivered entries, made durable behind the back of the runs that made them.

A removal is complete when its file is closed, which gives its blocks back, and when the directory
is synced: on a busy disk each takes as long as many deliveries, and neither is awaited by anybody.
A thread of its own does both for many removals together, and lives while there are any. A power
cut may bring so many delivered messages out again as wait here: REMOVALS_PER_SYNC, or what was
delivered within SECONDS_PER_SYNC, and what was removed during the sync before.

A sync that fails is told and not repeated; the next one makes up for it.
"""

from __future__ import annotations

import threading

from pysendmail.spool.errors import SpoolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pysendmail.journal import Journal
    from pysendmail.spool.contract import Spool

REMOVALS_PER_SYNC = 50
SECONDS_PER_SYNC = 0.5
# Removals that wait keep their files open. With so many the disk cannot follow, and who removes
# one more does so at the disk's pace.
MOST_WAITING = 200


class Removals:
    """What was removed from one spool and is not synced yet."""

    def __init__(self, spool: Spool, journal: Journal) -> None:
        self._spool = spool
        self._journal = journal
        self._changed = threading.Condition()
        self._waiting = 0
        self._over = True  # no thread looks at them

    def note(self) -> None:
        """Count an entry whose removal waits for a sync."""
        with self._changed:
            self._waiting += 1
            many = self._waiting >= MOST_WAITING
            if self._waiting == REMOVALS_PER_SYNC:
                self._changed.notify()
            if self._over:
                self._over = not self._start_thread()
        if many or self._over:
            self.sync()

    def sync(self) -> None:
        """Make durable what waits, if anything does, before returning."""
        with self._changed:
            if not self._waiting:
                return
            self._waiting = 0
        try:
            self._spool.sync()
        except (OSError, SpoolError) as error:
            self._journal.spool_trouble(error)

    def _start_thread(self) -> bool:
        """Start the thread; False where none is to be had."""
        try:
            threading.Thread(target=self._work, name="removals", daemon=True).start()
        except RuntimeError:
            return False
        return True

    def _work(self) -> None:
        """Sync now and then, until half a second goes by without a removal."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting >= REMOVALS_PER_SYNC, SECONDS_PER_SYNC)
                if not self._waiting:
                    self._over = True
                    return
            self.sync()
