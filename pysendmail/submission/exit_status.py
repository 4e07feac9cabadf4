"""Exit statuses of sendmail, and the one rule that makes them from outcomes.

Numbers as in sysexits(3). Who calls us treats 67 and 68 as the death of the address, 75 as "try
again", anything but 0 as "not taken": so trouble of our own is never told by the first two.
"""

from __future__ import annotations

from pysendmail.message.outcome import FAILED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pysendmail.message.outcome import Outcome

EX_OK = 0
EX_USAGE = 64
EX_DATAERR = 65
EX_NOUSER = 67
EX_UNAVAILABLE = 69
EX_SOFTWARE = 70
EX_IOERR = 74
EX_TEMPFAIL = 75
EX_NOPERM = 77
EX_CONFIG = 78

# What a server says when the mailbox, and not the message, is at fault (RFC 5321 section 4.2.3).
_NO_SUCH_MAILBOX = (b"550", b"551", b"553")


class Refused(Exception):
    """A submission that is not taken: nothing was queued, and the caller is told.

    `status` is the exit status, `line` (bytes, printable) what goes to standard error.
    """

    def __init__(self, status: int, line: bytes) -> None:
        super().__init__(status, line)
        self.status = status
        self.line = line


def exit_status(outcomes: Sequence[Outcome]) -> int:
    """Return 0 when responsibility was taken for any recipient, else what killed them all."""
    if any(outcome.kind != FAILED for outcome in outcomes):
        return EX_OK
    if all(outcome.text[:3] in _NO_SUCH_MAILBOX for outcome in outcomes):
        return EX_NOUSER
    if all(not outcome.remote and outcome.status[:3] == b"5.1" for outcome in outcomes):
        return EX_DATAERR  # our own verdict on the address: it cannot be read
    return EX_UNAVAILABLE
