"""What can go wrong in a spool, by what the caller should do about it.

All of them are `SpoolError`; only `AlreadyEntered` is good news.
"""

from __future__ import annotations

import errno

# "No room": the file system, the user's quota, or the size a process may give to a file.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class SpoolError(Exception):
    """The spool could not do it; nothing is changed unless the method says otherwise.

    `error` is the operating system's own error where there was one.
    """

    def __init__(self, text: str, error: OSError | None = None) -> None:
        super().__init__(text)
        self.error = error


class SpoolFull(SpoolError):
    """There is no room: disk, quota or file size limit. It may pass, so the answer is "later"."""


class AlreadyEntered(SpoolError):
    """This queue id is taken, durably: it waits here or is remembered. Not to be entered again."""

    def __init__(self, queue_id: str) -> None:
        super().__init__(f"{queue_id} has been entered before")
        self.queue_id = queue_id


class EntryBusy(SpoolError):
    """Somebody else works on this entry just now, an attempt as a rule. Ask again later."""

    def __init__(self, queue_id: str) -> None:
        super().__init__(f"{queue_id} is being worked on")
        self.queue_id = queue_id


class BadQueueId(SpoolError, ValueError):
    """Not 14 upper-case hex digits, so never the name of an entry (nor a path)."""

    def __init__(self, queue_id: object) -> None:
        super().__init__(f"{queue_id!r} is no queue id")
        self.queue_id = queue_id


class BrokenEntry(SpoolError):
    """The bytes at hand are no entry: torn, empty, foreign, or of a newer version."""


class TornEntry(BrokenEntry):
    """Not all of it is there: it was not written to its end, or not kept."""


class HalfEntered(TornEntry):
    """What a power cut left of an entry whose entering never ended: nobody was promised it."""


class as_spool_error:  # noqa: N801 -- reads as a verb in `with as_spool_error("enter X"):`
    """Context manager: an OSError leaves as `SpoolError` or `SpoolFull`, telling what was tried.

    (contextlib would cost the direct door 3 ms.)
    """

    __slots__ = ("doing",)

    def __init__(self, doing: str) -> None:
        self.doing = doing

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raised = SpoolFull if error.errno in _NO_ROOM else SpoolError
            raise raised(f"cannot {self.doing}: {error}", error) from error
