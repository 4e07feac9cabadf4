"""Ask about the queue: the daemon where there is one, else the spool itself.

Prints the answer as it comes and returns the exit status. Used by mailq, runq and pysendmail.
"""

from __future__ import annotations

import os

from pysendmail.command.settings import may_write_spool
from pysendmail.command.stdin import say, tell
from pysendmail.submission.answer import ERROR, EXIT, OUTPUT, SILENCE_S
from pysendmail.submission.exit_status import EX_UNAVAILABLE
from pysendmail.submission.request import ASK_QUEUE, format_head
from pysendmail.submission.socket_door import AnswerLost, NoDaemon, ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pysendmail.config.snapshot import PublicSettings

PRINTED_TOGETHER = 8192


def ask_queue(
    program: bytes, settings: PublicSettings, records: list[bytes], *, patient: bool = False
) -> int:
    """Ask something about the queue and print the answer; `patient`: however long that takes."""
    head, silence = format_head(ASK_QUEUE, records), None if patient else SILENCE_S
    try:
        return show(program, ask(settings["socket"], head, silence=silence))
    except AnswerLost as error:
        say(2, b"%b: %b" % (program, str(error).encode()))
        return EX_UNAVAILABLE
    except NoDaemon as error:
        closed = error
    spool = settings["spool"]
    if not may_write_spool(spool):
        say(
            2,
            b"%b: no daemon is running (%b), and the spool is not yours to read"
            % (program, str(closed).encode()),
        )
        return EX_UNAVAILABLE
    return show(program, ask_spool(spool, records))


def ask_spool(spool: str, records: list[bytes]) -> Iterable[tuple[bytes, bytes]]:
    """Answer for a daemon that is not there, to somebody who may read the spool anyway."""
    from pysendmail.daemon.control import NoRunner, Viewer, respond
    from pysendmail.daemon.dropped import dropped_entries
    from pysendmail.spool.directory import DirectorySpool
    from pysendmail.submission.drop_door import drop_directory

    viewer = Viewer(os.geteuid(), trusted=True)
    dropped = dropped_entries(drop_directory(spool))
    return respond(DirectorySpool.create(spool), records, viewer, NoRunner(), dropped)


def show(program: bytes, records: Iterable[tuple[bytes, bytes]]) -> int:
    """Print the lines of an answer, the first at once, and return its exit status."""
    buffered, enough = bytearray(), 1
    for letter, value in records:
        if letter == OUTPUT:
            buffered += value + b"\n"
            if len(buffered) < enough:
                continue
        if buffered:
            tell(bytes(buffered[:-1]))
            buffered.clear()
            enough = PRINTED_TOGETHER
        if letter == ERROR:
            say(2, b"%b: %b" % (program, value))
        elif letter == EXIT:
            return int(value)
    return EX_UNAVAILABLE
