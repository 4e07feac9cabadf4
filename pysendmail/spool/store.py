"""How entry files are entered, locked, given back and removed: the mechanics under the contract.

The order of the calls is what keeps mail; each instant between two of them has a name, at which the
crash tests kill the process, and a reason here why nothing is lost then.
"""

from __future__ import annotations

from collections import deque

from pysendmail.spool.bell import Bell
from pysendmail.spool.entering import move_into_queue, remove_torn, write_incoming
from pysendmail.spool.entry import Entry, check_queue_id
from pysendmail.spool.errors import (
    AlreadyEntered,
    BrokenEntry,
    HalfEntered,
    SpoolError,
    as_spool_error,
)
from pysendmail.spool.file import close_together, hinted_time, open_entry
from pysendmail.spool.index import HELD, Index
from pysendmail.spool.layout import Layout
from pysendmail.spool.sync import SharedSync

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pysendmail.message.message import Message
    from pysendmail.spool.contract import Notice
    from pysendmail.spool.disk import Disk
    from pysendmail.spool.file import EntryFile

# The instants between two changes on disk, in the order in which they come.
DURABLE_STEPS = (
    "enter: created",
    "enter: written",
    "enter: in queue",
    "enter: synced",
    "enter: durable",
    "settle: notices durable",
    "settle: recorded",
    "settle: removed",
    "settle: removal durable",
    "remember: noted",
    "change: recorded",
    "change: removed",
    "change: removal durable",
)


class Store:
    """The open spool: its directories, what is due, and who is to be woken."""

    __slots__ = ("_queue_sync", "_to_close", "bell", "disk", "index", "layout", "step")

    def __init__(self, path: str | bytes, disk: Disk, step: Callable[[str], None]) -> None:
        """Open the spool at `path`. Raises OSError, or SpoolError when it is none for us."""
        self.disk = disk
        self.step = step
        self.layout = Layout(path, disk)
        self.bell = Bell(self.layout.top)
        self.index = Index()
        self._queue_sync = SharedSync(lambda: disk.sync(self.layout.queue))
        self._to_close: deque[EntryFile] = deque()

    def close(self) -> None:
        """Close what is open."""
        self.close_removed()
        self.bell.close()
        self.layout.close()

    def enter(self, entry: Entry, message: Message) -> EntryFile:
        """Make the entry durable in the queue and return its file, still locked.

        Raises what `contract.Spool.enter` says.
        """
        with as_spool_error(f"enter {entry.queue_id}"):
            if not self.layout.in_place():
                raise SpoolError(f"{self.layout.path} is no longer the spool that was opened")
            file = write_incoming(
                entry, message, self.layout, refuse_known=self._refuse_known, step=self.step
            )
            # First the name, then the content: a file system with a journal writes both in one go.
            # Until that has come to an end the file is locked, and marked for those who find it
            # after a power cut.
            move_into_queue(file, self.layout)
            try:
                self.step("enter: in queue")
                file.sync()
                self.step("enter: synced")
                self.flush_queue()
            except BaseException:
                self._take_back(file)
                raise
            # Content and name are durable: the caller may take responsibility.
            self.step("enter: durable")
            file.unmark()
            return file

    def _refuse_known(self, queue_id: str) -> None:
        """Raise AlreadyEntered when the id is taken.

        First the queue, then the memories: who remembers an entry does so before removing it.
        """
        try:
            waiting = self.read(queue_id)
        except HalfEntered:
            remove_torn(queue_id, self.layout)
            waiting = None
        if waiting is not None and waiting.marked:
            waiting.close()
            waiting = self.lock(queue_id)
        if waiting is not None:
            waiting.close()
            # Its writer may still be waiting for this sync; what we answer must hold by itself.
            self.flush_queue()
            raise AlreadyEntered(queue_id)
        if hinted_time(queue_id, self.layout.done) is not None:
            raise AlreadyEntered(queue_id)

    def enter_notices(self, notices: Sequence[Notice], now: float, uid: int) -> list[EntryFile]:
        """Enter all notices, durably, or none; return them locked, so that none goes out yet."""
        entered: list[EntryFile] = []
        try:
            for queue_id, envelope, message, next_attempt in notices:
                notice = Entry(
                    queue_id,
                    envelope,
                    arrived=now,
                    uid=uid,
                    size=message.size,
                    next_attempt=next_attempt,
                )
                try:
                    entered.append(self.enter(notice, message))
                except AlreadyEntered:
                    pass  # an earlier try at this settle came so far: it is safe, as it should be
        except BaseException:
            for file in entered:
                self._take_back(file)
            raise
        return entered

    def _take_back(self, file: EntryFile) -> None:
        """Remove what could not be entered, it or its fellows; if that fails, it goes out early."""
        try:
            self.remove(file)
        except OSError:
            self.give_back(file)
        else:
            file.close()

    def lock(self, queue_id: str) -> EntryFile | None:
        """Open, lock and read an entry; None when it is gone. Raises EntryBusy, BrokenEntry."""
        with as_spool_error(f"open {check_queue_id(queue_id)}"):
            while file := open_entry(queue_id, self.layout.queue, self.disk, writable=True):
                try:
                    file.lock()
                    # It may have been removed, and entered anew, since we opened it.
                    if file.is_in(self.layout.queue):
                        file.read()
                        if file.marked:
                            file.confirm()
                        return file
                except BaseException:
                    file.close()
                    raise
                file.close()
            return None

    def open_all(self, queue_ids: Iterable[str]) -> Iterator[EntryFile]:
        """Open these entries one by one, to be read; what is gone, or no file, is passed over.

        Names from elsewhere than the directory itself are to be checked before.
        """
        with as_spool_error("open the entries"):
            for queue_id in queue_ids:
                try:
                    file = open_entry(queue_id, self.layout.queue, self.disk)
                except BrokenEntry:
                    continue
                if file is not None:
                    yield file

    def read(self, queue_id: str) -> EntryFile | None:
        """Open and read an entry without locking it; None when it is gone. Raises BrokenEntry."""
        with as_spool_error(f"read {check_queue_id(queue_id)}"):
            file = open_entry(queue_id, self.layout.queue, self.disk)
            if file is not None:
                try:
                    file.read()
                except BaseException:
                    file.close()
                    raise
            return file

    def give_back(self, file: EntryFile) -> None:
        """Unlock an entry that waits on, then let the scheduler see it (he would find it busy)."""
        entry = file.entry
        file.close()
        self.index.put(entry.queue_id, HELD if entry.held else entry.next_attempt)
        self.bell.ring_here()

    def remove(self, file: EntryFile) -> None:
        """Take an entry out of the queue; durable after `flush_queue`. Raises OSError."""
        self.disk.unlink(file.queue_id, self.layout.queue)
        self.index.drop(file.queue_id)

    def close_later(self, file: EntryFile) -> None:
        """Leave it to `close_removed` to close a removed file.

        The last to close it gives its blocks back, which may wait for the disk as a sync does.
        """
        self._to_close.append(file)

    def close_removed(self) -> None:
        """Close the files of removed entries."""
        files: list[EntryFile] = []
        while self._to_close:
            try:
                files.append(self._to_close.popleft())
            except IndexError:
                break  # another thread was quicker
        close_together(files)

    def flush_queue(self) -> None:
        """Return when what was moved into and removed from the queue so far is durable."""
        self._queue_sync.flush()
