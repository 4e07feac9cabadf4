"""What every part of sendmail's command line needs to refuse: exit status 64 and one line."""

from __future__ import annotations

from pysendmail.submission.exit_status import EX_USAGE, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container


def usage(text: bytes) -> Refused:
    """Return the error for a command line that cannot be obeyed."""
    from pysendmail.message.outcome import printable  # for who has made a mistake

    return Refused(EX_USAGE, printable(text))


def one_of(value: bytes, choices: Container[bytes], option: bytes) -> bytes:
    """Return `value` where it is one of the choices; raises Refused."""
    if value not in choices:
        raise usage(b"%b: '%b' is not known" % (option, value))
    return value
