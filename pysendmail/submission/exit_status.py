"""Exit statuses of sendmail, and the rules that make them from outcomes.

Numbers as in sysexits(3). Who calls us treats 67 and 68 as the death of the address, 75 as "try
again", anything but 0 as "not taken": so trouble of our own is never told by the first two.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pysendmail.message.outcome import Outcome

EX_OK = 0
EX_USAGE = 64
EX_DATAERR = 65
EX_NOUSER = 67
EX_UNAVAILABLE = 69
EX_IOERR = 74
EX_TEMPFAIL = 75
EX_NOPERM = 77
EX_CONFIG = 78

# What a server says when the mailbox, and not the message, is at fault (RFC 5321 section 4.2.3).
_NO_SUCH_MAILBOX = (b"550", b"551", b"553")
_MAILBOX_STATUS = (b"5.1.", b"5.2.")  # RFC 3463 section 3: addressing, mailbox


class Refused(Exception):
    """A submission that is not taken: nothing was queued, and the caller is told.

    `status` is the exit status, `line` (bytes, printable) what goes to standard error.
    """

    def __init__(self, status: int, line: bytes) -> None:
        super().__init__(status, line)
        self.status = status
        self.line = line


def too_large(limit: int) -> Refused:
    """Return the refusal of a message of more than `limit` octets."""
    return Refused(EX_DATAERR, b"message larger than %d octets (message_size)" % limit)


def exit_status(failures: Sequence[Outcome]) -> int:
    """Return the exit status for a submission of which nothing was taken: what killed them all.

    67 only where a smarthost said that the mailbox is at fault, by its enhanced status where it
    gave one, else by the code alone; or where the administrator's word is that there is none.
    """
    if all(is_dead(outcome) for outcome in failures):
        return EX_NOUSER
    if all(not outcome.remote and is_address_at_fault(outcome) for outcome in failures):
        return EX_DATAERR  # our own verdict on the address: it cannot be read
    return EX_UNAVAILABLE


def is_dead(outcome: Outcome) -> bool:
    """Tell whether this outcome is the death of the address, and not of this message."""
    if not outcome.remote and outcome.status == b"5.1.1":
        return True
    return outcome.text[:3] in _NO_SUCH_MAILBOX and outcome.status[:4] in _MAILBOX_STATUS


def is_address_at_fault(outcome: Outcome) -> bool:
    """Tell whether the address is wrong, as RFC 3463 section 3.2 has it."""
    return outcome.status.startswith(b"5.1.")


def failure_line(failures: Sequence[Outcome]) -> bytes:
    """Return one line that tells why nobody could be served."""
    first = failures[0]
    more = b" (and %d more)" % (len(failures) - 1) if len(failures) > 1 else b""
    return b"%b: %b%b" % (first.recipient, first.text, more)
