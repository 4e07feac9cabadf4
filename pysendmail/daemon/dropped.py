"""What lies in the drop directory, as the entries that it will become when a daemon takes it in.

Only for who may list the directory: to others, and where there is none, it shows nothing. As in
`drop_intake` nothing in there is trusted; what that would not take is not shown.
"""

from __future__ import annotations

import os

from pysendmail.daemon.drop_intake import is_single, open_file, read_request
from pysendmail.message.envelope import Envelope, Recipient
from pysendmail.message.outcome import DEFERRED, Outcome
from pysendmail.message.queue_id import is_queue_id
from pysendmail.spool.entry import AT_ONCE, Entry
from pysendmail.submission.submitter import find_submitter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pysendmail.submission.request import Request

WHY = b"left in the drop directory for the daemon"
IN_HEADER = b"(the recipients in the header)"


def dropped_entries(directory: str) -> Iterator[Entry]:
    """Yield an entry for each message that waits in a drop directory, as they come."""
    try:
        names = os.listdir(directory)
    except (FileNotFoundError, PermissionError):
        return
    for name in names:
        if is_queue_id(name):
            entry = _read(f"{directory}/{name}", name)
            if entry is not None:
                yield entry


def _read(path: str, queue_id: str) -> Entry | None:
    try:
        fd = open_file(path)
    except OSError:
        return None
    try:
        status = os.fstat(fd)
        if not is_single(status):
            return None
        request, _start = read_request(fd, status.st_size)
    except (OSError, ValueError):
        return None
    finally:
        os.close(fd)
    return _entry(queue_id, request, status)


def _entry(queue_id: str, request: Request, status: os.stat_result) -> Entry:
    sender = find_submitter(status.st_uid).login if request.sender is None else request.sender
    named = request.recipients or [Recipient(operand) for operand in request.operands]
    recipients = named or [Recipient(IN_HEADER)]
    return Entry(
        queue_id,
        Envelope(sender, recipients),
        arrived=status.st_mtime,
        uid=status.st_uid,
        size=request.size,
        next_attempt=AT_ONCE,
        reasons={
            recipient.address: Outcome(recipient.address, DEFERRED, b"4.3.2", WHY)
            for recipient in recipients
        },
    )
