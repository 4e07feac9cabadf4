"""What may be asked about the queue and done to it, and by whom.

The same answers whether the daemon gives them over its socket or a tool finds no daemon and opens
the spool itself. Root, the daemon's own user and the members of its group may see and do
everything; others see and change their own messages, and the true totals of the queue, so that a
monitor counts right.
"""

from __future__ import annotations

import grp
import itertools
import os
import pwd
import time

from pysendmail.daemon.filters import Filters
from pysendmail.daemon.listing import HEADER, format_entry, format_json, format_total
from pysendmail.message.outcome import printable
from pysendmail.spool.errors import BadQueueId, BrokenEntry, EntryBusy, SpoolError
from pysendmail.submission.answer import ERROR, EXIT, OUTPUT
from pysendmail.submission.exit_status import EX_NOPERM, EX_TEMPFAIL, EX_UNAVAILABLE, EX_USAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Protocol

    from pysendmail.spool.contract import Spool
    from pysendmail.spool.entry import Entry

    Record = tuple[bytes, bytes]

    class Runner(Protocol):
        """Who makes the attempts, as far as the queue's questions concern him.

        `here`: whether it is this process.
        """

        here: bool

        def attempting(self, queue_id: str) -> bool:
            """Tell whether an entry is being attempted now."""

        def busy(self) -> bool:
            """Tell whether any entry is."""

        def retry_now(self) -> None:
            """Have smarthosts that are away tried again at once."""


SORTED_LIMIT = 1000
LINE_LIMIT = 1000
LOOK_S = 0.05  # how often a waited for run of the queue is looked at
FILTERS_LIMIT = 100  # each is looked for in every entry
IDLE_S = 3.0  # when nobody has been at work for so long, the run is over

ACTIONS = {b"hold": "hold", b"release": "release", b"delete": "remove", b"flush": "expedite"}


class NoRunner:
    """The runner where no daemon runs."""

    here = False

    def attempting(self, _queue_id: str) -> bool:
        """Nothing is being attempted."""
        return False

    def busy(self) -> bool:
        """Nobody does anything."""
        return False

    def retry_now(self) -> None:
        """Nobody is there who could."""


class Viewer:
    """Who asks: his uid, and whether he may see and change everything."""

    __slots__ = ("trusted", "uid")

    def __init__(self, uid: int, *, trusted: bool) -> None:
        self.uid = uid
        self.trusted = trusted

    def may_touch(self, entry: Entry) -> bool:
        """Tell whether the entry is his to see and change."""
        return self.trusted or entry.uid == self.uid


def viewer_of(uid: int, gid: int) -> Viewer:
    """Return the viewer with this uid and gid, as a daemon under our own ids sees him."""
    trusted = uid in (0, os.geteuid()) or (
        has_group_of_its_own() and os.getegid() in groups_of(uid, gid)
    )
    return Viewer(uid, trusted=trusted)


def has_group_of_its_own() -> bool:
    """Tell whether our group is the one that belongs to our user, and no shared one like users."""
    try:
        return grp.getgrgid(os.getegid()).gr_name == pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return False


def groups_of(uid: int, gid: int) -> list[int]:
    """Return the groups by which a user may be trusted."""
    if gid == 0 or os.getegid() == 0:
        return []  # a daemon of root's group trusts root alone, not everybody whose group is root's
    return known_groups(uid, gid)


def known_groups(uid: int, gid: int) -> list[int]:
    """Return all groups of a user, his first one and what the databases tell of others."""
    try:
        return os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:
        return [gid]


class Question:
    """What a queue request asks for.

    Records: `a` and the action (list, count, show, hold, release, delete, flush), `q` and a queue
    id, any number of times, `m` and a filter of -q, any number of times, `j` for JSON, `w` to have
    the answer wait until what was flushed has been attempted.
    """

    __slots__ = ("_wanted", "action", "as_json", "filters", "ids", "wait")

    def __init__(self, records: list[bytes]) -> None:
        self.action = b""
        self.ids: list[str] = []
        self.filters = Filters()
        self.as_json = b"j" in records
        self.wait = b"w" in records
        for record in records:
            if record[:1] == b"a":
                self.action = record[1:]
            elif record[:1] == b"q":
                self.ids.append(record[1:].decode("ascii", "replace").upper())
            elif record[:1] == b"m":
                self.filters.add(record[1:])
        self._wanted = frozenset(self.ids)

    def is_about(self, entry: Entry) -> bool:
        """Tell whether an entry is among those asked for."""
        return (not self._wanted or entry.queue_id in self._wanted) and self.filters.match(entry)


def respond(
    spool: Spool,
    records: list[bytes],
    viewer: Viewer,
    runner: Runner,
    dropped: Iterable[Entry] = (),
) -> Iterator[Record]:
    """Yield the answer to a queue request; trouble with the spool is an answer too.

    `dropped` is what waits to be taken in, where no daemon does that: listed and counted as well.
    """
    question = Question(records)
    action = question.action
    if len(question.filters) > FILTERS_LIMIT:
        yield ERROR, b"more than %d filters" % FILTERS_LIMIT
        yield EXIT, b"%d" % EX_USAGE
        return
    if action == b"flush":
        if not viewer.trusted:  # or anyone could keep the smarthosts from their rest
            yield ERROR, b"only root and the members of the daemon's group may run the queue"
            yield EXIT, b"%d" % EX_NOPERM
            return
        runner.retry_now()
    try:
        if action == b"list":
            yield from list_entries(spool, viewer, question, runner, dropped)
        elif action == b"count":
            yield OUTPUT, b"%d" % (spool.count() + sum(1 for _ in not_in(spool, dropped)))
            yield EXIT, b"0"
        elif action == b"show":
            yield from show_entries(spool, viewer, question, runner)
        elif action == b"flush" and not question.ids:
            yield from flush_entries(spool, question, runner)
        elif action in ACTIONS:
            yield from change_entries(spool, viewer, question, runner)
        else:
            yield ERROR, b"unknown action '%b'" % printable(action)
            yield EXIT, b"%d" % EX_USAGE
    except (OSError, SpoolError) as error:
        yield ERROR, str(error).encode("utf-8", "backslashreplace")
        yield EXIT, b"%d" % EX_TEMPFAIL


def list_entries(
    spool: Spool, viewer: Viewer, question: Question, runner: Runner, dropped: Iterable[Entry]
) -> Iterator[Record]:
    """Yield the listing: each entry as it is read, so that a long queue shows at once."""
    count, size, shown = 0, 0, False
    for entry in itertools.chain(in_order(spool), not_in(spool, dropped)):
        count += 1
        size += entry.size
        if not viewer.may_touch(entry) or not question.is_about(entry):
            continue
        busy = runner.attempting(entry.queue_id)
        if question.as_json:
            yield OUTPUT, format_json(entry, active=busy)
            continue
        if not shown:
            yield OUTPUT, HEADER
        shown = True
        for line in format_entry(entry, active=busy):
            yield OUTPUT, line
    if not question.as_json:
        for line in format_total(count, size):
            yield OUTPUT, line
    yield EXIT, b"0"


def in_order(spool: Spool) -> Iterable[Entry]:
    """Yield the entries, oldest first; of a long queue as they come, so that it shows at once."""
    if spool.count(SORTED_LIMIT + 1) > SORTED_LIMIT:
        return spool.entries()
    return sorted(spool.entries(), key=lambda entry: entry.arrived)


def not_in(spool: Spool, dropped: Iterable[Entry]) -> Iterator[Entry]:
    """Yield what the spool does not have yet."""
    return (entry for entry in dropped if find(spool, entry.queue_id) is None)


def show_entries(
    spool: Spool, viewer: Viewer, question: Question, runner: Runner
) -> Iterator[Record]:
    """Yield what is known of some entries, and without JSON their messages too."""
    status = 0
    for queue_id in question.ids:
        entry = find(spool, queue_id)
        if entry is None or not viewer.may_touch(entry):
            status = EX_UNAVAILABLE
            yield ERROR, no_such(queue_id)
        elif question.as_json:
            yield OUTPUT, format_json(entry, active=runner.attempting(queue_id))
        else:
            for line in format_entry(entry, active=runner.attempting(queue_id)):
                yield OUTPUT, line
            yield from message_lines(spool, queue_id)
    yield EXIT, b"%d" % status


def message_lines(spool: Spool, queue_id: str) -> Iterator[Record]:
    """Yield a message line by line, indented; what no terminal should see is made visible."""
    message = spool.open_message(queue_id)
    if message is None:
        return
    rest = b""
    for chunk in message.chunks():
        *lines, rest = (rest + chunk).split(b"\r\n")
        for line in lines:
            yield OUTPUT, b"    " + printable(line, LINE_LIMIT)
        rest = rest[: 2 * LINE_LIMIT]  # of an endless line only the beginning is shown
    message.close()


def change_entries(
    spool: Spool, viewer: Viewer, question: Question, runner: Runner
) -> Iterator[Record]:
    """Hold, release, remove or expedite the entries that are named."""
    action, ids = ACTIONS[question.action], question.ids
    status, done = 0, 0
    began = time.time()
    for queue_id in ids:
        entry = find(spool, queue_id)
        if entry is None or not viewer.may_touch(entry):
            status = EX_UNAVAILABLE  # for both the same: what others have waiting is theirs
            yield ERROR, no_such(queue_id)
        else:
            try:
                done += spool.change(queue_id, action)
            except EntryBusy:
                if action != "expedite":
                    status = EX_TEMPFAIL
                    yield ERROR, b"%b is being attempted at this moment" % queue_id.encode()
    if done:
        spool.wake()
    if question.wait and action == "expedite":
        wait_for_attempts(spool, ids, runner, began)
    yield EXIT, b"%d" % status


def flush_entries(spool: Spool, question: Question, runner: Runner) -> Iterator[Record]:
    """Have all entries attempted now that pass the filters; none is read where there are none.

    By a runner in this process, that is said in memory: a queue is flushed when a smarthost is
    back, and should not wait for a sync of each entry.
    """
    if question.filters:
        ids = [entry.queue_id for entry in spool.entries() if question.is_about(entry)]
    else:
        ids = list(spool.ids())
    began = time.time()
    if runner.here:
        spool.expedite(ids)
    else:
        for queue_id in ids:
            try:
                spool.change(queue_id, "expedite")
            except (EntryBusy, BrokenEntry):
                pass  # it is being attempted, or for a sweep to look at
    spool.wake()  # also for what lies in the drop directory
    if question.wait:
        wait_for_attempts(spool, ids, runner, began)
    yield EXIT, b"0"


def wait_for_attempts(spool: Spool, ids: list[str], runner: Runner, began: float) -> None:
    """Wait until each of the entries has been attempted since the epoch second `began`, or nobody
    is at work any more: while the smarthosts are away the others are not attempted.
    """
    idle_since = time.monotonic()
    for queue_id in ids:
        while is_open(spool, queue_id, runner, began):
            if runner.busy():
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since > IDLE_S:
                return
            time.sleep(LOOK_S)


def is_open(spool: Spool, queue_id: str, runner: Runner, began: float) -> bool:
    """Tell whether an entry waits for the attempt that was asked for, or is in the middle of it."""
    if runner.attempting(queue_id):
        return True
    entry = find(spool, queue_id)
    return entry is not None and not entry.held and (entry.last_attempt or 0.0) < began


def find(spool: Spool, queue_id: str) -> Entry | None:
    """Return the entry with this id, None when there is none that could be read."""
    try:
        return spool.find(queue_id)
    except (BadQueueId, BrokenEntry):
        return None


def no_such(queue_id: str) -> bytes:
    """Return the line for an id that is not in the queue, or not for this viewer's eyes."""
    return b"%b: no such message in the queue" % printable(queue_id.encode(), 40)
