"""Intake of the drop directory: what anyone may have put there becomes an entry, or goes.

Nothing in there is trusted. A file counts only when it is a regular file with one link, opened
without following a link or waiting on a FIFO, and was made in there: the directory is setgid, so
the file has its group, and one that somebody has moved or linked in has not. Its owner is the
submitter. It is removed after the message is durable in the spool, so a crash in between makes the
daemon find it again, and the queue id in it keeps it from being entered twice. The removals of a
sweep are made durable at its end: a power cut must not bring back what was delivered long ago. A
torn file - no exit status 0 was ever given for one - and whatever cannot be read as a request is
put aside into `broken/`; links, FIFOs and the like are removed. A file that a bug of ours chokes on
may be mail that was answered with 0: it stays, and is looked at again after a pause.

However many files somebody puts there, in each pass through the directory his take no longer than
to look for those of all others took in the last (`TURN_S` at least), and the log gets a few lines
and a count.
"""

from __future__ import annotations

import errno
import os
import stat
import time

from pysendmail.daemon.watch import Watch
from pysendmail.message.slices import FileSlice
from pysendmail.spool.errors import SpoolError
from pysendmail.submission.drop_door import WRITING
from pysendmail.submission.exit_status import Refused
from pysendmail.submission.request import HEAD_LIMIT, SUBMIT
from pysendmail.submission.request_parser import parse_request, split_head

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pysendmail.submission.request import Request

ROUND_S = 0.5
TURN_S = 0.5  # for the files of one owner in one pass; of the others the next pass takes some
SETTLED_S = 2.0
CHOKED_S = 300.0  # how long a file rests that we could not take, for a reason nobody foresaw
TOLD_LIMIT = 1000  # names of what cannot be moved away, so that each is told once
NOTES = 20  # about how many files the log is told by name...
NOTES_S = 600.0  # ... within so many seconds; of the others it gets the number
ABANDONED_S = 24 * 3600.0  # a writer that takes longer than this has died


class DropIntake:
    """Takes in one drop directory.

    `take(request, raw, uid)` must make the submission durable before it returns, or raise;
    `put_aside(name)` moves a file of the directory to where a person will find it, or raises
    OSError; `note(what, name)` is for the log.
    """

    def __init__(
        self,
        directory: str,
        *,
        take: Callable[[Request, FileSlice, int], None],
        put_aside: Callable[[str], None],
        note: Callable[[str, str], None],
    ) -> None:
        self._directory = directory
        self._take = take
        self._put_aside = put_aside
        self._note = note
        self._watch: Watch | None = None
        self._seen = 0
        self._removed = False  # something, since the directory was last synced
        self._pass: Iterator[str] | None = None  # through the directory, where it goes on
        self._seen_by_pass = 0
        self._turns: dict[int, float] = {}  # seconds that the files of an owner took in this pass
        self._turn = TURN_S  # what they may take
        self._spent = 0.0  # seconds in this pass
        self._passed_over = False  # somebody's files, since he had had his turn
        self._notes = 0  # since `_notes_since`
        self._notes_since = float("-inf")
        self._told: set[str] = set()
        self._resting: dict[str, float] = {}  # what we choked on, and when its rest ends

    def hear(self) -> None:
        """Take note that from now on SIGIO has a handler, so that `watch` may have it sent."""
        self._watch = Watch(self._directory)

    def watch(self) -> bool:
        """Have SIGIO sent when the next file comes in; False where nobody would hear of it."""
        return self._watch is not None and self._watch.arm()

    def changed(self) -> bool:
        """Tell whether the directory may have changed since the last sweep began.

        A file whose rest is over counts as a change, and so does what the log is still to be told.
        """
        if self._resting and min(self._resting.values()) <= time.monotonic():
            return True
        if self._notes > NOTES and time.monotonic() >= self._notes_since + NOTES_S:
            return True
        try:
            return os.stat(self._directory).st_mtime_ns != self._seen
        except OSError:
            return False

    @property
    def under_way(self) -> bool:
        """Whether the next sweep has something left to do from the last one."""
        return self._pass is not None or self._passed_over

    def holds_back(self) -> bool:
        """Tell whether a file rests that is to be looked at again."""
        return bool(self._resting)

    def sweep(self, now: float) -> None:
        """Take in the files that are ready, for half a second; the next call goes on from there.

        So whoever fills the directory keeps no file in it from its turn. Raises OSError or
        SpoolError, after all files of the round have been looked at, when the spool could not take
        one: it stays, and is looked at again; OSError also when the removals cannot be made
        durable, which is tried again then.
        """
        if self._pass is None:
            self._seen_by_pass = os.stat(self._directory).st_mtime_ns
            self._pass = self._names()
            looking = self._spent - sum(self._turns.values())
            self._turn, self._spent = max(TURN_S, looking), 0.0
            self._turns, self._passed_over = {}, False
            rested = time.monotonic()
            self._resting = {name: end for name, end in self._resting.items() if end > rested}
        self._tell_number()
        trouble: OSError | SpoolError | None = None
        through = False
        began = time.monotonic()
        try:
            for name in self._pass:
                try:
                    self._look_at(name, now)
                except (OSError, SpoolError) as error:
                    trouble = error
                except Exception as error:  # a bug: this file must not keep the others waiting
                    self._resting[name] = time.monotonic() + CHOKED_S
                    self._tell(f"stays, internal error: {error!r}", name)
                if time.monotonic() > began + ROUND_S:
                    break
            else:
                through = True
        except OSError:
            self._pass = None  # the directory itself cannot be read: from the beginning then
            raise
        self._spent += time.monotonic() - began
        if self._removed:
            try:
                self._sync()
            except OSError as error:
                trouble = error
        self._finish_round(through, trouble, now)
        if trouble is not None:
            raise trouble

    def _finish_round(self, through: bool, trouble: Exception | None, now: float) -> None:
        """Note what has been seen: nothing for certain before a pass is through, all well."""
        if trouble is not None or self._passed_over:
            self._seen_by_pass = 0
        self._seen = 0
        if through:
            self._pass = None
            # Time stamps are coarse: a file that came in this very tick would not change them.
            if now - self._seen_by_pass / 1e9 > SETTLED_S:
                self._seen = self._seen_by_pass

    def _look_at(self, name: str, now: float) -> None:
        path = f"{self._directory}/{name}"
        if name.startswith(WRITING):
            self._forget_abandoned(path, name, now)
        elif name not in self._resting:
            self._take_in_turn(path, name)

    def _take_in_turn(self, path: str, name: str) -> None:
        """Take a file whose owner has time left in this pass."""
        try:
            owner = os.lstat(path).st_uid
        except FileNotFoundError:
            return  # its owner was quicker
        if self._turns.get(owner, 0.0) >= self._turn:
            self._passed_over = True
            return
        began = time.monotonic()
        try:
            self._take_file(path, name)
        finally:
            self._turns[owner] = self._turns.get(owner, 0.0) + time.monotonic() - began

    def _names(self) -> Iterator[str]:
        with os.scandir(self._directory) as found:
            for item in found:
                yield item.name

    def _take_file(self, path: str, name: str) -> None:
        try:
            fd = open_file(path)
        except OSError as error:
            self._handle_unopened(path, name, error)
            return
        try:
            status = os.fstat(fd)
            if not is_single(status):
                self._reject(path, name, "not a regular file with one link")
                return
            if not self._was_made_here(status):
                self._set_aside(name, "moved in from elsewhere")
                return
            try:
                request, start = read_request(fd, status.st_size)
            except ValueError as error:
                self._set_aside(name, str(error))
                return
            try:
                self._take(request, FileSlice(fd, start, request.size), status.st_uid)
            except Refused as refused:  # nobody wrote it who had asked sendmail
                self._set_aside(name, refused.line.decode("utf-8", "backslashreplace"))
                return
        finally:
            os.close(fd)
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass  # its owner was quicker
        self._removed = True

    def _sync(self) -> None:
        """Make the removals durable."""
        fd = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        self._removed = False

    def _was_made_here(self, status: os.stat_result) -> bool:
        """Tell whether the file has the group of the directory; without setgid nobody knows."""
        directory = os.stat(self._directory)
        return status.st_gid == directory.st_gid or not directory.st_mode & stat.S_ISGID

    def _handle_unopened(self, path: str, name: str, error: OSError) -> None:
        """Remove what is no file at all; raise what is our own trouble: the file may be mail."""
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a link, a socket
            self._reject(path, name, os.strerror(error.errno))
        elif error.errno == errno.EACCES:
            self._set_aside(name, os.strerror(error.errno))
        elif error.errno != errno.ENOENT:  # that would be an owner who was quicker
            raise error

    def _tell(self, what: str, name: str) -> None:
        """Tell the log of a file, or count it where many were told of already."""
        self._tell_number()
        if not self._notes:
            self._notes_since = time.monotonic()
        self._notes += 1
        if self._notes <= NOTES:
            self._note(what, name)

    def _tell_number(self) -> None:
        """Tell the log how many lines it was spared, when the time for that is over."""
        if time.monotonic() >= self._notes_since + NOTES_S:
            if self._notes > NOTES:
                self._note(f"lines left out: {self._notes - NOTES}", "")
            self._notes = 0

    def _set_aside(self, name: str, why: str) -> None:
        """Put a file aside; one that cannot be moved stays, and that is told once."""
        try:
            self._put_aside(name)
        except OSError as error:
            if name not in self._told and len(self._told) < TOLD_LIMIT:
                self._told.add(name)
                self._tell(f"put aside: {why}", name)
                self._tell(f"not put aside: {error.strerror}", name)
        else:
            self._tell(f"put aside: {why}", name)

    def _reject(self, path: str, name: str, why: str) -> None:
        """Remove what no submitter of ours has written."""
        self._tell(f"removed: {why}", name)
        try:
            os.unlink(path)
        except IsADirectoryError:
            self._remove_directory(path, name)
        except OSError:
            pass  # its owner was quicker

    def _remove_directory(self, path: str, name: str) -> None:
        try:
            os.rmdir(path)
        except OSError:
            self._set_aside(name, "a directory")

    def _forget_abandoned(self, path: str, name: str, now: float) -> None:
        """Remove a file whose writer has died long ago: nobody was told that it had been taken."""
        try:
            if now - os.lstat(path).st_mtime > ABANDONED_S:
                self._reject(path, name, "abandoned by its writer")
        except FileNotFoundError:
            pass  # finished meanwhile


def open_file(path: str) -> int:
    """Open what is in a drop directory: no link is followed, no FIFO waited on; raises OSError."""
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def is_single(status: os.stat_result) -> bool:
    """Tell whether this is a regular file that has no other name."""
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1


def read_request(fd: int, size: int) -> tuple[Request, int]:
    """Return the request of a drop file and where its message begins; raises ValueError."""
    head = os.pread(fd, min(size, 64 * 1024), 0)
    end = head.find(b"\0\0")
    while end < 0 and len(head) < min(size, HEAD_LIMIT):
        more = os.pread(fd, 1024 * 1024, len(head))
        if not more:
            break
        head += more
        end = head.find(b"\0\0")
    if end < 0:
        raise ValueError("it holds no request")
    verb, records = split_head(head[: end + 2])
    if verb != SUBMIT:
        raise ValueError("it asks for something else than a submission")
    request = parse_request(records)
    if size - (end + 2) != request.size:
        raise ValueError(f"torn: {size - end - 2} octets of message, {request.size} were meant")
    return request, end + 2
