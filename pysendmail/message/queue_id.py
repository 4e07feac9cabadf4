"""The queue id: one name for a submission, from the caller to the bounce.

56 random bits as 14 upper-case hexadecimal digits, so that none comes twice, none tells how busy
the machine is, and each is a harmless file name.
"""

from __future__ import annotations

import posix

QUEUE_ID_LENGTH = 14
_DIGITS = frozenset("0123456789ABCDEF")


def new_queue_id() -> str:
    """Return a queue id that was never used."""
    return posix.urandom(QUEUE_ID_LENGTH // 2).hex().upper()


def is_queue_id(name: object) -> bool:
    """Tell whether this is a queue id."""
    return isinstance(name, str) and len(name) == QUEUE_ID_LENGTH and _DIGITS.issuperset(name)
