"""What may be asked about the queue and done to it, and by whom.

The same answers whether the daemon gives them over its socket or a tool finds no daemon and opens
the spool itself. Root, the daemon's own user and the members of its group may see and do
everything; others see and change their own messages, and the true totals of the queue, so that a
monitor counts right.
"""

from __future__ import annotations

import grp
import os
import pwd

from pysendmail.daemon.listing import HEADER, format_entry, format_json, format_total
from pysendmail.message.outcome import printable
from pysendmail.spool.errors import BadQueueId, BrokenEntry, EntryBusy, SpoolError
from pysendmail.submission.answer import ERROR, EXIT, OUTPUT
from pysendmail.submission.exit_status import EX_NOPERM, EX_TEMPFAIL, EX_UNAVAILABLE, EX_USAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pysendmail.spool.contract import Spool
    from pysendmail.spool.entry import Entry

    Record = tuple[bytes, bytes]

SORTED_LIMIT = 1000
LINE_LIMIT = 1000

ACTIONS = {b"hold": "hold", b"release": "release", b"delete": "remove", b"flush": "expedite"}


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
    """Return all groups of a user, as the system's databases have them."""
    if gid == 0 or os.getegid() == 0:
        return []  # a daemon of root's group trusts root alone, not everybody whose group is root's
    try:
        return os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:
        return [gid]


def respond(
    spool: Spool,
    records: list[bytes],
    viewer: Viewer,
    *,
    attempting: Callable[[str], bool],
    retry_now: Callable[[], None],
) -> Iterator[Record]:
    """Yield the answer to a queue request; trouble with the spool is an answer too.

    Records: `a` and the action (list, show, hold, release, delete, flush), `q` and a queue id, any
    number of times, `j` for JSON. `attempting` tells whether an entry is being attempted now,
    `retry_now` has the smarthosts tried again at once.
    """
    action, ids, as_json = b"", [], False
    for record in records:
        if record[:1] == b"a":
            action = record[1:]
        elif record[:1] == b"q":
            ids.append(record[1:].decode("ascii", "replace").upper())
        elif record == b"j":
            as_json = True
    if action == b"flush":
        if not viewer.trusted:  # or anyone could keep the smarthosts from their rest
            yield ERROR, b"only root and the members of the daemon's group may run the queue"
            yield EXIT, b"%d" % EX_NOPERM
            return
        retry_now()
    try:
        if action == b"list":
            yield from list_entries(spool, viewer, ids, attempting, as_json=as_json)
        elif action == b"show":
            yield from show_entries(spool, viewer, ids, attempting, as_json=as_json)
        elif action in ACTIONS:
            yield from change_entries(spool, viewer, ACTIONS[action], ids)
        else:
            yield ERROR, b"unknown action '%b'" % printable(action)
            yield EXIT, b"%d" % EX_USAGE
    except (OSError, SpoolError) as error:
        yield ERROR, str(error).encode("utf-8", "backslashreplace")
        yield EXIT, b"%d" % EX_TEMPFAIL


def list_entries(
    spool: Spool,
    viewer: Viewer,
    ids: list[str],
    active: Callable[[str], bool],
    *,
    as_json: bool,
) -> Iterator[Record]:
    """Yield the listing: each entry as it is read, so that a long queue shows at once."""
    count, size, shown = 0, 0, False
    for entry in in_order(spool):
        count += 1
        size += entry.size
        if not viewer.may_touch(entry) or (ids and entry.queue_id not in ids):
            continue
        busy = active(entry.queue_id)
        if as_json:
            yield OUTPUT, format_json(entry, active=busy)
            continue
        if not shown:
            yield OUTPUT, HEADER
        shown = True
        for line in format_entry(entry, active=busy):
            yield OUTPUT, line
    if not as_json:
        for line in format_total(count, size):
            yield OUTPUT, line
    yield EXIT, b"0"


def in_order(spool: Spool) -> Iterable[Entry]:
    """Yield the entries, oldest first; of a long queue as they come, so that it shows at once."""
    if spool.count() > SORTED_LIMIT:
        return spool.entries()
    return sorted(spool.entries(), key=lambda entry: entry.arrived)


def show_entries(
    spool: Spool,
    viewer: Viewer,
    ids: list[str],
    active: Callable[[str], bool],
    *,
    as_json: bool,
) -> Iterator[Record]:
    """Yield what is known of some entries, and without JSON their messages too."""
    status = 0
    for queue_id in ids:
        entry = find(spool, queue_id)
        if entry is None or not viewer.may_touch(entry):
            status = EX_UNAVAILABLE
            yield ERROR, no_such(queue_id)
        elif as_json:
            yield OUTPUT, format_json(entry, active=active(queue_id))
        else:
            for line in format_entry(entry, active=active(queue_id)):
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


def change_entries(spool: Spool, viewer: Viewer, action: str, ids: list[str]) -> Iterator[Record]:
    """Hold, release, remove or expedite entries: those named, or all that are his for a flush."""
    status, done = 0, 0
    everything = not ids and action == "expedite"
    if everything:
        ids = [entry.queue_id for entry in spool.entries() if viewer.may_touch(entry)]
    for queue_id in ids:
        entry = find(spool, queue_id)
        if entry is None and everything:
            continue  # it has gone out meanwhile
        if entry is None:
            status = EX_UNAVAILABLE
            yield ERROR, no_such(queue_id)
        elif not viewer.may_touch(entry):
            status = EX_UNAVAILABLE  # the same as for none: what others have waiting is theirs
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
    yield EXIT, b"%d" % status


def find(spool: Spool, queue_id: str) -> Entry | None:
    """Return the entry with this id, None when there is none that could be read."""
    try:
        return spool.find(queue_id)
    except (BadQueueId, BrokenEntry):
        return None


def no_such(queue_id: str) -> bytes:
    """Return the line for an id that is not in the queue, or not for this viewer's eyes."""
    return b"%b: no such message in the queue" % printable(queue_id.encode(), 40)
