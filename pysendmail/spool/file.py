"""One entry in one file: reading it, holding its lock, appending to its journal.

Whoever changes an entry holds the `flock` on its file. The lock belongs to the open file, so it
keeps threads apart as well as processes, and ends with the process that held it. Reading needs no
lock: the head and the message never change, and a record half written does not check.

The file's name, mtime and x bit repeat what `due` needs to know (queue id, next attempt, held), so
that 100,000 entries are indexed by stat alone. They are hints: the truth is in the file, which is
read before anything is done to the entry.

The sticky bit is no hint but a mark: the file got its name before its content was durable, and
whether that is whole has to be looked at. It is taken away once the content is.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections import deque
from itertools import groupby

from pysendmail.message.message import MessageAtRest
from pysendmail.message.slices import FileSlice, Octets
from pysendmail.spool import codec
from pysendmail.spool.disk import SAFE
from pysendmail.spool.errors import BrokenEntry, EntryBusy, HalfEntered, SpoolError, TornEntry
from pysendmail.spool.index import HELD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pysendmail.message.content import Readable
    from pysendmail.message.message import Message
    from pysendmail.spool.disk import Disk
    from pysendmail.spool.entry import Entry

MODE_WAITING = 0o600
MODE_HELD = 0o700
MODE_ENTERING = 0o1600

# One read takes in first line, head, small message and journal of nearly every entry.
_FIRST_READ = 8192
# So many files are on their way from the disk when the queue is read.
_FILES_AHEAD = 16
# Small chunks of a message are written together.
_WRITE_TOGETHER = 256 * 1024
# ext4 knows times up to the year 2446; this is 2242.
_LATEST_HINT_S = 2**33


class EntryFile:
    """An open entry file. `entry` and `message()` as last read; `close` unlocks.

    `marked`: when it was read it was not known to be durable; `gone`: it had been removed.
    """

    __slots__ = (
        "_disk",
        "_fd",
        "_first_line",
        "_journal_end",
        "_locked",
        "_start",
        "entry",
        "gone",
        "marked",
        "queue_id",
    )

    def __init__(self, fd: int, queue_id: str, disk: Disk) -> None:
        """Take over an open descriptor; call `write` or `read` next."""
        self._fd = fd
        self._disk = disk
        self.queue_id = queue_id
        self._locked = False
        self.marked = self.gone = False
        self.entry: Entry
        self._first_line: codec.FirstLine
        self._journal_end = 0
        self._start = b""  # of the file, as last read

    def write(self, entry: Entry, message: Message) -> None:
        """Write a new entry into the empty file. Not yet durable."""
        start = codec.format_start(entry, codec.checksum(message.chunks()))
        self._first_line = codec.parse_first_line(start[: codec.FIRST_LINE_LENGTH])
        offset = 0
        for chunk in _joined(start, message.chunks()):
            self._disk.write(self._fd, chunk, offset)
            offset += len(chunk)
        if offset != self._first_line.message_end:
            raise ValueError(f"a message of {entry.size} octets gave {offset - len(start)}")
        self.entry, self._journal_end = entry, offset
        self.note_time(entry.next_attempt)

    def fetch(self) -> None:
        """Have the disk fetch what `read` will read, and do not wait for it."""
        try:
            os.posix_fadvise(self._fd, 0, _FIRST_READ, os.POSIX_FADV_WILLNEED)
        except OSError:
            pass  # a FIFO has nothing to be fetched

    def read(self) -> Entry:
        """Read the entry as it is now. Raises OSError, or BrokenEntry when it is none.

        That is HalfEntered where a power cut came before it was entered.
        """
        status = os.fstat(self._fd)
        if not stat.S_ISREG(status.st_mode):
            raise BrokenEntry("not a regular file")
        self.marked = bool(status.st_mode & stat.S_ISVTX)
        self.gone = not status.st_nlink
        try:
            return self._read(status.st_size)
        except TornEntry as error:
            if self.marked:
                raise HalfEntered(f"its entering never ended: {error}") from error
            raise

    def _read(self, size: int) -> Entry:
        start = os.pread(self._fd, _FIRST_READ, 0)
        first_line = codec.parse_first_line(start[: codec.FIRST_LINE_LENGTH])
        if first_line.message_end > size:
            raise TornEntry("shorter than its message")
        head = self._part(start, codec.FIRST_LINE_LENGTH, first_line.head_end)
        journal = self._part(start, first_line.message_end, size)
        entry, length = codec.parse_entry(first_line, head, journal)
        if entry.queue_id != self.queue_id:
            raise BrokenEntry(f"it is entry {entry.queue_id}")
        self.entry, self._first_line, self._start = entry, first_line, start
        self._journal_end = first_line.message_end + length
        if self.marked:
            codec.check_message(head, self.message().chunks())
        return entry

    def append(self, changed: Entry) -> None:
        """Record what is different in `changed`, durably. On failure the file says what it said.

        Raises OSError. To be called under the lock only: two writers would overwrite each other.
        """
        record = codec.format_record(self.entry, changed)
        end = self._journal_end
        try:
            if os.fstat(self._fd).st_size != end:
                # A record torn by a crash may be longer than ours: its rest must not follow it.
                self._disk.truncate(self._fd, end)
            self._disk.write(self._fd, record, end)
            self._disk.set_times(self._fd, _microseconds(changed.next_attempt))
            self._disk.sync(self._fd)
        except OSError:
            self._cut_back(end)
            raise
        self.entry, self._journal_end = changed, end + len(record)

    def hint(self) -> None:
        """Let mtime and mode say what the entry says, for those who only stat the file."""
        self._disk.set_times(self._fd, _microseconds(self.entry.next_attempt))
        mode = MODE_HELD if self.entry.held else MODE_WAITING
        if stat.S_IMODE(os.fstat(self._fd).st_mode) != mode:
            self._disk.set_mode(self._fd, mode)

    def note_time(self, time: float) -> None:
        """Set the file's mtime."""
        self._disk.set_times(self._fd, _microseconds(time))

    def show_waiting(self) -> None:
        """Take the mark of a held entry away, whatever the entry says (yet)."""
        self._disk.set_mode(self._fd, MODE_WAITING)

    def sync(self) -> None:
        """Return when the file's content is durable."""
        self._disk.sync(self._fd)

    def confirm(self) -> None:
        """Make durable, and unmark, what is whole and was marked. Raises OSError.

        It is written over itself: that it could not be written back the kernel may have told a
        process before us, and tells it once (fsync(2)).
        """
        offset = 0
        while octets := os.pread(self._fd, _WRITE_TOGETHER, offset):
            self._disk.write(self._fd, octets, offset)
            offset += len(octets)
        self.note_time(self.entry.next_attempt)
        self.sync()
        self.unmark()

    def unmark(self) -> None:
        """Take the mark away: what it warns of is durable. Should it stay, that is found again."""
        try:
            self._disk.set_mode(self._fd, MODE_WAITING)
        except OSError:
            pass

    def message(self, *, own: bool = False) -> Message:
        """Return the message; it reads from this file and, with `own`, closes it in the end."""
        begin, end = self._first_line.head_end, self._first_line.message_end
        octets: Readable
        if not own and end <= len(self._start):
            octets = Octets(self._start[begin:end])  # it never changes
        else:
            octets = FileSlice(self._fd, begin, self.entry.size, owns=own)
        return MessageAtRest(octets)

    def lock_new(self) -> None:
        """Take the lock of a file just created; who looks whether it is abandoned is soon done."""
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        self._locked = True

    def lock(self) -> None:
        """Take the lock, or raise EntryBusy."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EntryBusy(self.queue_id) from None
        self._locked = True

    def is_in(self, directory: int) -> bool:
        """Tell whether the queue id is (still) the name of this very file in `directory`."""
        try:
            there = os.stat(self.queue_id, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self._fd))

    def close(self) -> None:
        """Unlock and close. Idempotent; raises nothing: what was promised has been synced."""
        if (fd := self.detach()) < 0:
            return
        if self._locked:
            try:
                # Not only by closing: a child between fork and exec has a copy of the descriptor.
                fcntl.flock(fd, fcntl.LOCK_UN)
            except OSError:
                pass  # closing does the same
        try:
            os.close(fd)
        except OSError:
            pass  # it is closed all the same (close(2))

    def detach(self) -> int:
        """Return the descriptor, which is no longer ours to close; -1 when there is none."""
        fd, self._fd = self._fd, -1
        return fd

    def _part(self, start: bytes, begin: int, end: int) -> bytes:
        """Return the octets from `begin` to `end`, out of `start` when they are in it."""
        if end <= len(start):
            return start[begin:end]
        parts = []
        while begin < end and (part := os.pread(self._fd, end - begin, begin)):
            parts.append(part)
            begin += len(part)
        return b"".join(parts)

    def _cut_back(self, end: int) -> None:
        """Undo an append. Should that fail too: the record is torn, or it is true."""
        try:
            self._disk.truncate(self._fd, end)
            self._disk.set_times(self._fd, _microseconds(self.entry.next_attempt))
        except OSError:
            pass


def open_entry(
    queue_id: str, directory: int, disk: Disk, *, writable: bool = False
) -> EntryFile | None:
    """Open the file of this entry; None when there is none.

    Raises BrokenEntry for a link or directory, OSError for trouble (too many open files, say): to
    take that for "gone" would lose mail.
    """
    flags = (os.O_RDWR if writable else os.O_RDONLY) | SAFE
    try:
        return EntryFile(_open_unnoted(queue_id, flags, directory), queue_id, disk)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise BrokenEntry("not a regular file") from error
        raise


def _open_unnoted(name: str, flags: int, directory: int) -> int:
    """Open a file or directory; that it is read changes nothing on the disk.

    Each reading of an entry would be noted there, since mtimes that are still to come are later
    than any atime (mount(8): relatime).
    """
    try:
        return os.open(name, flags | os.O_NOATIME, dir_fd=directory)
    except PermissionError:
        return os.open(name, flags, dir_fd=directory)  # somebody else's, perhaps


def close_together(files: Iterable[EntryFile]) -> None:
    """Close files of removed entries, whose locks nobody needs, in as few calls as possible.

    While one call closes many, other threads go on; with a call for each they and this one would
    wait for each other each time.
    """
    # None may be -1: a range that holds nothing closes everything in CPython 3.11.
    fds = sorted(fd for file in files if (fd := file.detach()) >= 0)
    for _, following in groupby(enumerate(fds), lambda placed: placed[1] - placed[0]):
        run = [fd for _, fd in following]
        os.closerange(run[0], run[-1] + 1)


def names_in(directory: int) -> Iterator[str]:
    """Yield the names in a directory, in no order; others may add and remove some meanwhile.

    Raises OSError, also when the directory was removed while open: it would look empty.
    """
    # A descriptor of its own: the read position belongs to the open directory.
    fd = _open_unnoted(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, directory)
    try:
        if os.fstat(fd).st_nlink == 0:
            raise FileNotFoundError(errno.ENOENT, "the directory was removed")
        with os.scandir(fd) as found:
            for item in found:
                yield item.name
    finally:
        os.close(fd)


def fetched_ahead(files: Iterable[EntryFile]) -> Iterator[EntryFile]:
    """Yield the files, which who gets them closes; meanwhile the disk fetches those that come next.

    A disk that is asked for one file after the other takes its whole time for each. Trouble that
    `files` raises comes after those that it had given.
    """
    coming: deque[EntryFile] = deque()
    try:
        for file in files:
            file.fetch()
            coming.append(file)
            if len(coming) > _FILES_AHEAD:
                yield coming.popleft()
    except (OSError, SpoolError):
        yield from coming
        raise
    else:
        yield from coming
    finally:
        for file in coming:
            file.close()


def hinted_time(queue_id: str, directory: int) -> float | None:
    """Return when the entry is due as its file's mtime and mode say; None when it is gone."""
    try:
        status = os.stat(queue_id, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return HELD if status.st_mode & stat.S_IXUSR else status.st_mtime_ns // 1000 / 1e6


def hint_of(entry: Entry) -> float:
    """Return the time `hinted_time` finds for an entry whose hint is right."""
    return HELD if entry.held else _microseconds(entry.next_attempt) / 1e6


def _microseconds(time: float) -> int:
    """Whole microseconds, not later than `time` and within what file systems can note."""
    return int(min(max(time, 0.0), _LATEST_HINT_S) * 1_000_000)


def _joined(start: bytes, chunks: Iterable[bytes]) -> Iterable[bytes]:
    """Yield the same octets in pieces worth a system call."""
    together, size = [start], len(start)
    for chunk in chunks:
        together.append(chunk)
        size += len(chunk)
        if size >= _WRITE_TOGETHER:
            yield b"".join(together)
            together, size = [], 0
    yield b"".join(together)
