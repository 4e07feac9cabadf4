"""Tidying the directories: what crashes and strangers left, and memories that are old enough.

Half-entered files are removed: their `enter` never returned, so nobody was told that they are
safe. In incoming/ they are known by their lock: whoever still writes holds it, whatever the clock
says. In queue/ by their mark, where they are torn. What else is in queue/ and is no entry is put
aside into broken/, as it is, for a person to look at; it might be somebody's mail. One bad file
never keeps the others from being looked at.
"""

from __future__ import annotations

import os
from functools import partial

from pysendmail.message.queue_id import is_queue_id
from pysendmail.spool.entering import remove_half_entered, remove_torn
from pysendmail.spool.errors import BrokenEntry, EntryBusy, HalfEntered
from pysendmail.spool.file import fetched_ahead, hint_of, hinted_time, names_in, open_entry
from pysendmail.spool.layout import exists

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pysendmail.spool.entry import Entry
    from pysendmail.spool.file import EntryFile
    from pysendmail.spool.layout import Layout

# How long a queue id stays taken. Doors that lost their answer try again within minutes; a drop
# file may lie until the daemon is back.
MEMORY_S = 86_400.0


class Finding:
    """Something out of order. `kind`: 'half-entered', 'broken' or 'unreadable'."""

    __slots__ = ("kind", "name", "text")

    def __init__(self, kind: str, name: str, text: str) -> None:
        self.kind = kind
        self.name = name
        self.text = text

    def __repr__(self) -> str:
        return f"<Finding {self}>"

    def __str__(self) -> str:
        # In ASCII: the name is whatever somebody put there.
        return f"{self.kind}: {self.name!a}: {self.text}"


def pass_over(_entry: Entry) -> None:
    """Look at an entry as somebody who wants to know nothing of it."""


def sweep(layout: Layout, now: float, look: Callable[[Entry], None]) -> list[Finding]:
    """Tidy all directories; return what was out of order. Raises OSError.

    Each entry that is in order is shown to `look`, as long as it is read anyway.
    """
    findings: list[Finding] = []
    for name in names_in(layout.incoming):
        _note(findings, name, partial(_look_at_half_entered, name, layout))
    for file in fetched_ahead(_open_entries(layout, findings)):
        _note(findings, file.queue_id, partial(_look_at_entry, file, layout, look))
    if findings:
        # A file put aside: first durable where it is now, then gone where it was.
        layout.disk.sync(layout.broken)
        layout.disk.sync(layout.queue)
    _forget(layout, now)
    return findings


def _note(findings: list[Finding], name: str, look: Callable[[], Finding | None]) -> None:
    """Look at one file and note what is to be told; trouble with it is something to be told."""
    try:
        finding = look()
    except EntryBusy:
        return  # somebody works on it, so it is well looked after
    except OSError as error:
        finding = Finding("unreadable", name, str(error))
    if finding is not None:
        findings.append(finding)


def _look_at_half_entered(name: str, layout: Layout) -> Finding | None:
    try:
        if not is_queue_id(name):
            raise BrokenEntry("not a queue id")
        removed = remove_half_entered(name, layout)
    except BrokenEntry as error:
        return _put_aside(name, layout.incoming, layout, error)
    return _half_entered(name) if removed else None


def _half_entered(name: str) -> Finding:
    return Finding("half-entered", name, "its entering never ended; removed")


def _open_entries(layout: Layout, findings: list[Finding]) -> Iterator[EntryFile]:
    """Open the files in queue/; what can be none is put aside, and that noted."""
    for name in names_in(layout.queue):
        try:
            file = _open_entry(name, layout)
        except BrokenEntry as error:
            _note(findings, name, partial(_put_aside, name, layout.queue, layout, error))
        except OSError as error:
            findings.append(Finding("unreadable", name, str(error)))
        else:
            if file is not None:
                yield file


def _open_entry(name: str, layout: Layout) -> EntryFile | None:
    if not is_queue_id(name):
        raise BrokenEntry("not a queue id")
    return open_entry(name, layout.queue, layout.disk, writable=True)


def _look_at_entry(
    file: EntryFile, layout: Layout, look: Callable[[Entry], None]
) -> Finding | None:
    name = file.queue_id
    try:
        entry = file.read()
        if file.gone:
            return None
        if file.marked or hinted_time(name, layout.queue) != hint_of(entry):
            _set_hint_right(file)
        look(entry)
        return None
    except HalfEntered:
        return _half_entered(name) if remove_torn(name, layout) else None
    except BrokenEntry as error:
        file.lock()
        if not file.is_in(layout.queue):
            return None  # the name is gone, or another's by now
        return _put_aside(name, layout.queue, layout, error)
    finally:
        file.close()


def _set_hint_right(file: EntryFile) -> None:
    """Repair mtime and mode, which a copy, a restore or `touch` has changed.

    The mode may still be that of an entering, after which the machine stopped.
    """
    file.lock()
    file.read()
    if file.marked:
        file.confirm()
    file.hint()


def _put_aside(name: str, directory: int, layout: Layout, error: BrokenEntry) -> Finding | None:
    """Move what is no entry into broken/, beside what already has that name there."""
    kept, number = name, 0
    while exists(layout.broken, kept):
        number += 1
        kept = f"{name}.{number}"
    try:
        layout.disk.rename(name, directory, kept, layout.broken)
    except FileNotFoundError:
        return None
    return Finding("broken", name, f"{error}; put aside as {kept!a}")


def _forget(layout: Layout, now: float) -> None:
    """Remove memories older than a day, or as far in the future: the clock was wrong then."""
    for name in names_in(layout.done):
        try:
            noted = os.stat(name, dir_fd=layout.done, follow_symlinks=False).st_mtime
            if abs(now - noted) > MEMORY_S:
                layout.disk.unlink(name, layout.done)
        except (FileNotFoundError, IsADirectoryError):
            pass  # another sweep was faster; or it is foreign, and in nobody's way
