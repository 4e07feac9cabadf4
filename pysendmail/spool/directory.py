"""The spool in a directory: one file for each entry (layout: `layout`, bytes: `codec`).

Guarantees what `contract` says, by the order of a few system calls; each is a named step, at which
the crash tests kill the process. docs/spool.md tells what a crash leaves at each of them, and who
cleans it. Two fsyncs enter a message, one records an attempt; those of the directory are shared by
the threads that need one at the same moment.
"""

from __future__ import annotations

import os
import threading
from itertools import islice

from pysendmail.message.queue_id import is_queue_id
from pysendmail.spool.claim import DirectoryClaim
from pysendmail.spool.disk import Disk
from pysendmail.spool.entry import ACTIONS, AT_ONCE, check_queue_id, entered
from pysendmail.spool.errors import BrokenEntry, EntryBusy, HalfEntered, SpoolError, as_spool_error
from pysendmail.spool.file import EntryFile, fetched_ahead, hinted_time, names_in
from pysendmail.spool.index import CLAIMED, HELD
from pysendmail.spool.layout import create_layout
from pysendmail.spool.room import free_octets
from pysendmail.spool.store import DURABLE_STEPS, Store
from pysendmail.spool.sweep import pass_over, sweep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pysendmail.message.envelope import Envelope
    from pysendmail.message.message import Message
    from pysendmail.message.outcome import Outcome
    from pysendmail.spool.contract import Spool
    from pysendmail.spool.entry import Entry
    from pysendmail.spool.sweep import Finding

__all__ = ["DURABLE_STEPS", "DirectorySpool"]


# So many are looked at before the first of them may go out: some hundredths of a second.
LOADED_AT_ONCE = 5000


def _no_step(name: str) -> None:
    """Go on: nothing waits between the steps."""


class DirectorySpool:
    """A spool below one directory. Safe between threads and between processes."""

    def __init__(
        self,
        path: str | bytes,
        *,
        step: Callable[[str], None] = _no_step,
        disk: Disk | None = None,
    ) -> None:
        """Open the spool at `path`, which `create` has made.

        `step` is called with each of DURABLE_STEPS as it is reached, `disk` makes the changes: both
        are for tests. Raises SpoolError when there is no spool or one of another format.
        """
        with as_spool_error(f"open the spool {os.fsdecode(path)}"):
            self._store = Store(path, disk or Disk(), step)
        self._loading = threading.Lock()
        # The ids that are not in the index yet; None once all are.
        self._unknown: Iterator[str] | None = self.ids()

    @classmethod
    def create(
        cls,
        path: str | bytes,
        *,
        step: Callable[[str], None] = _no_step,
        disk: Disk | None = None,
    ) -> DirectorySpool:
        """Make what is missing of the spool at `path` and open it. May be called every time."""
        with as_spool_error(f"create the spool {os.fsdecode(path)}"):
            create_layout(path, disk or Disk())
        return cls(path, step=step, disk=disk)

    # Entering

    def enter(
        self,
        queue_id: str,
        envelope: Envelope,
        message: Message,
        *,
        arrived: float,
        uid: int,
        next_attempt: float,
        outcomes: Sequence[Outcome] = (),
        attempts: int = 0,
        claim: bool = False,
    ) -> DirectoryClaim | None:
        """Take a message in; durable on return (see `contract`)."""
        entry = entered(
            queue_id,
            envelope,
            arrived=arrived,
            uid=uid,
            size=message.size,
            next_attempt=next_attempt,
            outcomes=outcomes,
            attempts=attempts,
        )
        file = self._store.enter(entry, message)
        if claim:
            self._store.index.put(queue_id, CLAIMED)
            return DirectoryClaim(self._store, file)
        self._store.give_back(file)
        return None

    def free(self) -> float:
        """Return how many octets the file system has room for."""
        with as_spool_error("look for room"):
            return free_octets(self._store.layout.top)

    # What is due, and claiming it

    def due(self, now: float, limit: int) -> list[str]:
        """Return ids whose next attempt has come, earliest first (see `contract`).

        After the start that is as soon as enough are known: the rest is looked for by and by.
        """
        while len(found := self._store.index.due(now, limit)) < limit and self._load():
            pass
        return found

    def next_due(self) -> float | None:
        """Return when the next entry is due."""
        self._load_all()
        return self._store.index.next_due()

    def claim(self, queue_id: str) -> DirectoryClaim | None:
        """Take an entry in hand; None when it is gone, taken or held."""
        try:
            file = self._store.lock(queue_id)
        except EntryBusy:
            self._store.index.put_off(queue_id)
            return None
        except HalfEntered:
            self._store.index.put_off(queue_id)  # it may be entered anew before `sweep` removes it
            return None
        except BrokenEntry:
            self._store.index.drop(queue_id)  # `sweep` puts it aside and tells
            return None
        except SpoolError:
            self._store.index.put_off(queue_id)
            raise
        if file is None:
            self._store.index.drop(queue_id)
            return None
        if file.entry.held:
            file.close()
            self._store.index.put(queue_id, HELD)
            return None
        if self._store.index.claim(queue_id):
            file.entry = file.entry.changed(next_attempt=AT_ONCE)  # also when it is given back
        return DirectoryClaim(self._store, file)

    # Looking

    def entries(self) -> Iterator[Entry]:
        """Yield the entries, in no order. Broken ones are left to `sweep`."""
        for file in fetched_ahead(self._store.open_all(self.ids())):
            try:
                entry = file.read()
            except BrokenEntry:
                continue
            except OSError:  # entered for those alone, since a queue may be long
                with as_spool_error(f"read {file.queue_id}"):
                    raise
            finally:
                file.close()
            if not file.gone:
                yield entry

    def ids(self) -> Iterator[str]:
        """Yield the ids of all entries."""
        with as_spool_error("list the queue"):
            yield from filter(is_queue_id, names_in(self._store.layout.queue))

    def count(self, at_most: int | None = None) -> int:
        """Return the number of entries, `at_most` where there are more."""
        return sum(1 for _ in islice(self.ids(), at_most))

    def find(self, queue_id: str) -> Entry | None:
        """Return this entry, or None."""
        file = self._store.read(queue_id)
        if file is None:
            return None
        file.close()
        return file.entry

    def open_message(self, queue_id: str) -> Message | None:
        """Return the message of an entry, to be closed by the caller, or None."""
        file = self._store.read(queue_id)
        return None if file is None else file.message(own=True)

    def in_place(self) -> bool:
        """Tell whether the spool is still at its path (see `contract`)."""
        return self._store.layout.in_place()

    def sync(self) -> None:
        """Make durable what was settled without `sync`."""
        with as_spool_error("sync the queue"):
            try:
                self._store.flush_queue()
                self._store.step("settle: removal durable")
            finally:
                self._store.close_removed()

    # Changing

    def change(self, queue_id: str, action: str) -> bool:
        """Do what an administrator asks to an entry; False when it is gone."""
        if action not in ACTIONS:
            raise ValueError(f"{action!r} is none of {', '.join(ACTIONS)}")
        file = self._store.lock(queue_id)
        if file is None:
            self._store.index.drop(queue_id)
            return False
        with as_spool_error(f"{action} {queue_id}"):
            try:
                if action == "remove":
                    self._store.remove(file)
                    self._store.step("change: removed")
                else:
                    self._record_change(file, action)
            except BaseException:
                self._store.give_back(file)
                raise
            if action == "remove":
                file.close()
                self._store.flush_queue()
                self._store.step("change: removal durable")
            else:
                self._store.give_back(file)
        return True

    def _record_change(self, file: EntryFile, action: str) -> None:
        """Append the change; keep the mark that hides a held entry on the safe side of it.

        Marked, but not held in truth, an entry would wait for ever: so the mark comes after the
        record when holding, and goes before it when releasing.
        """
        if action == "hold":
            file.append(file.entry.changed(held=True))
            file.hint()
        elif action == "release":
            file.show_waiting()
            file.append(file.entry.changed(held=False))
        else:
            file.append(file.entry.changed(next_attempt=AT_ONCE))
        self._store.step("change: recorded")

    def expedite(self, queue_ids: Iterable[str]) -> None:
        """Let those of these entries that wait be due at once (see `contract`)."""
        self._load_all()
        self._store.index.expedite(queue_ids)
        self.wake()

    def remember(self, queue_id: str, now: float) -> None:
        """Let `enter` refuse this id for a day: an empty file done/<queue id>, its mtime `now`."""
        with as_spool_error(f"remember {check_queue_id(queue_id)}"):
            fd = self._store.layout.create_file(queue_id, self._store.layout.done, exclusive=False)
            file = EntryFile(fd, queue_id, self._store.disk)
            try:
                file.note_time(now)
                self._store.step("remember: noted")
            finally:
                file.close()

    # Waiting, tidying

    def wake(self) -> None:
        """End the `wait` of whoever waits."""
        with as_spool_error("wake the daemon"):
            self._store.bell.ring_anywhere()

    def wait(self, timeout: float | None) -> bool:
        """Wait until woken (True) or `timeout` seconds passed."""
        with as_spool_error("wait for the queue"):
            here, elsewhere = self._store.bell.wait(timeout)
        if elsewhere:
            self.rescan()
        return here or elsewhere

    def rescan(self) -> None:
        """Take over into the index what other processes did, by stat alone."""
        with as_spool_error("scan the queue"):
            self._refresh(self.ids())

    def _load(self) -> bool:
        """Take a little more of the queue into the index; False when all of it was there."""
        with self._loading, as_spool_error("scan the queue"):
            if self._unknown is None:
                return False
            try:
                looked_at = self._refresh(islice(self._unknown, LOADED_AT_ONCE))
            except (OSError, SpoolError):
                self._unknown = self.ids()
                raise
            if looked_at < LOADED_AT_ONCE:
                self._unknown = None
            return True

    def _load_all(self) -> None:
        while self._load():
            pass

    def _refresh(self, queue_ids: Iterable[str]) -> int:
        """Take over what these files say into the index; return how many they were."""
        count = 0
        for queue_id in queue_ids:
            self._store.index.refresh(queue_id, self._look)
            count += 1
        return count

    def _look(self, queue_id: str) -> float | None:
        return hinted_time(queue_id, self._store.layout.queue)

    def sweep(self, now: float, look: Callable[[Entry], None] = pass_over) -> list[Finding]:
        """Tidy up after crashes (see the module `sweep`)."""
        with as_spool_error("sweep the spool"):
            findings = sweep(self._store.layout, now, look)
        self.rescan()
        return findings

    def close(self) -> None:
        """Close what is open."""
        self._unknown = None
        self._store.close()


if TYPE_CHECKING:
    _keeps_to_the_contract: type[Spool] = DirectorySpool
