"""The first half of `enter`: a file in incoming/, whole and marked, that nobody else writes.

The name is the exclusion: one at a time has incoming/<queue id>, and holds its lock until the entry
waits. A file there without a lock is what a crash left; it was promised to nobody and goes. So does
a file in queue/ that is marked and not whole: a power cut came before its content was durable.
"""

from __future__ import annotations

from pysendmail.spool.errors import HalfEntered
from pysendmail.spool.file import MODE_ENTERING, EntryFile, open_entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pysendmail.message.message import Message
    from pysendmail.spool.disk import Disk
    from pysendmail.spool.entry import Entry
    from pysendmail.spool.layout import Layout


def write_incoming(
    entry: Entry,
    message: Message,
    layout: Layout,
    *,
    refuse_known: Callable[[str], None],
    step: Callable[[str], None],
) -> EntryFile:
    """Write incoming/<queue id> and return it, locked. On failure nothing is left.

    `refuse_known` raises when the id is taken; it is asked once the name is ours: whoever entered
    this id before us has it in the queue by then. Raises OSError,
    EntryBusy, or what reading `message` raises.
    """
    file = _create_locked(entry.queue_id, layout)
    try:
        step("enter: created")
        refuse_known(entry.queue_id)
        file.write(entry, message)
        step("enter: written")
    except BaseException:
        abandon(file, layout)
        raise
    return file


def move_into_queue(file: EntryFile, layout: Layout) -> None:
    """Let the entry wait: the one rename that makes it one. On failure nothing is left."""
    try:
        layout.disk.rename(file.queue_id, layout.incoming, file.queue_id, layout.queue)
    except BaseException:
        abandon(file, layout)
        raise


def abandon(file: EntryFile, layout: Layout) -> None:
    """Take away what was not entered. Should that fail, `sweep` finds it without a lock."""
    try:
        layout.disk.unlink(file.queue_id, layout.incoming)
    except OSError:
        pass
    file.close()


def remove_half_entered(queue_id: str, layout: Layout) -> bool:
    """Remove what a crash left of an entering; tell whether anything was there.

    Raises EntryBusy while it is being written.
    """
    return _remove(queue_id, layout.incoming, layout.disk, lambda _file: True)


def remove_torn(queue_id: str, layout: Layout) -> bool:
    """Remove what a power cut left of an entering in queue/; tell whether that was there.

    It is looked at again under its lock: by now the same id may have been entered anew. Raises
    EntryBusy while it is.
    """
    return _remove(queue_id, layout.queue, layout.disk, _is_torn)


def _remove(queue_id: str, directory: int, disk: Disk, is_it: Callable[[EntryFile], bool]) -> bool:
    file = open_entry(queue_id, directory, disk, writable=True)
    if file is None:
        return False
    try:
        file.lock()
        if not (file.is_in(directory) and is_it(file)):
            return False
        disk.unlink(queue_id, directory)
        return True
    finally:
        file.close()


def _is_torn(file: EntryFile) -> bool:
    try:
        file.read()
    except HalfEntered:
        return True
    return False


def _create_locked(queue_id: str, layout: Layout) -> EntryFile:
    while True:
        try:
            fd = layout.create_file(queue_id, layout.incoming, MODE_ENTERING)
        except FileExistsError:
            remove_half_entered(queue_id, layout)  # or EntryBusy, which ends this
            continue
        file = EntryFile(fd, queue_id, layout.disk)
        file.lock_new()
        if file.is_in(layout.incoming):
            return file
        # Between creating and locking, somebody took it for abandoned: once more.
        file.close()
