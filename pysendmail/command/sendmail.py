"""sendmail, and the other names it goes by: mailq, newaliases, runq and more.

A fresh process for each message, so it is lean: what is imported here at the top is all that a
submission to the daemon or to the drop directory needs (a test looks at sys.modules). It reads the
message to its end, then tries the three doors in order: the daemon's socket; direct, where this
user may read the credentials and write the spool; the drop directory.

Success prints nothing. Failure prints one line on standard error and exits as sysexits(3) says;
exit status 0 means that responsibility for the message was taken.
"""

from __future__ import annotations

import posix
import sys

from pysendmail._bundle import load_bundle
from pysendmail.command import modes
from pysendmail.command.caller import decoded, encoded, environment
from pysendmail.command.options import parse_options
from pysendmail.command.settings import may_write_spool, settings_of
from pysendmail.command.stdin import (
    TooLarge,
    Unreadable,
    drain,
    read_message,
    repair_descriptors,
    say,
    set_umask,
)
from pysendmail.config.errors import ConfigError
from pysendmail.message.content import Content
from pysendmail.message.queue_id import new_queue_id
from pysendmail.submission import request as asked
from pysendmail.submission.answer import GRACE_S, Answer
from pysendmail.submission.drop_door import drop, drop_directory
from pysendmail.submission.exit_status import (
    EX_CONFIG,
    EX_DATAERR,
    EX_IOERR,
    EX_OK,
    EX_TEMPFAIL,
    Refused,
    exit_status,
    too_large,
)
from pysendmail.submission.request import HEAD_LIMIT, Request, format_request
from pysendmail.submission.socket_door import AnswerLost, NoDaemon, submit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from typing import Any, NoReturn

    from pysendmail.command.options import Options
    from pysendmail.config.snapshot import PublicSettings

MEMORY = 1024 * 1024  # octets of a message that are kept in memory, beyond that in an unnamed file


def main() -> NoReturn:
    """Run the program and leave with its exit status; never returns, never prints a traceback."""
    repair_descriptors()
    set_umask()
    program, *words = [encoded(word) for word in sys.argv]
    program = program.rpartition(b"/")[2]
    try:
        status = run(program, words)
    except Refused as refused:
        status = refused.status
        say(2, b"%b: %b" % (program, refused.line))
    except KeyboardInterrupt:
        status = 130
    except ConfigError as error:
        status = EX_CONFIG
        say(2, b"%b: %b" % (program, error.errors[0].encode()))
    except Exception as error:  # a bug: the caller tries again, and at worst it comes twice
        status = EX_TEMPFAIL
        line = f"{type(error).__name__}: {error}".encode("utf-8", "replace")
        say(2, b"%b: %b" % (program, line))
    posix._exit(status)  # no flush that could fail and turn the exit status into 120


def run(program: bytes, words: list[bytes]) -> int:
    """Do what the command line says and return the exit status."""
    options = parse_options(program, words)
    environ: MutableMapping[str, str] = environment()
    if options.configuration is not None:
        from os import environ  # what is imported and started later goes by it, too

        from pysendmail.command.private_configuration import use_private_configuration

        use_private_configuration(environ, decoded(options.configuration))
    if options.mode == modes.DELIVER:
        return deliver(options, environ)
    if options.mode == modes.SMTP:
        return converse(options, environ)
    if options.mode == modes.NOTHING:
        return 0
    from pysendmail.command import sendmail_modes

    return sendmail_modes.run(options, program)


def deliver(options: Options, environ: Mapping[str, str]) -> int:
    """Take one message from standard input and tell what became of it; -oeq wants to hear nothing
    but the exit status.
    """
    quiet = options.error_mode == asked.QUIET
    try:
        answer, more = take(options, environ)
    except Refused as refused:
        if quiet:
            return refused.status
        raise
    for line in answer.output:
        say(1, line)
    for line in answer.errors if not quiet else ():
        say(2, b"sendmail: " + line)
    if more:
        drain()
    return answer.status


def take(options: Options, environ: Mapping[str, str]) -> tuple[Answer, bool]:
    """Read the message and hand it to somebody who answers for it; raises Refused.

    Returns the answer, and whether the caller may have more to write than the message.
    """
    settings, trouble = settings_of(environ)
    limit = settings["message_size"]
    content = Content(memory=MEMORY, directory=drop_directory(settings["spool"]))
    try:
        more = read_message(content, limit=limit, dots=options.dots)
    except TooLarge as error:
        raise too_large(limit) from error
    except Unreadable as error:
        raise Refused(EX_IOERR, b"cannot read the message: %b" % str(error).encode()) from error
    except OSError as error:
        raise Refused(EX_TEMPFAIL, b"cannot keep the message: %b" % str(error).encode()) from error
    request = request_of(options, environ, size=content.size)
    return hand_over(request, content, environ, settings, trouble), more


def converse(options: Options, environ: Mapping[str, str]) -> int:
    """Take messages by SMTP on standard input; the replies tell all there is to tell."""
    from pysendmail.command import smtp_session

    settings, trouble = settings_of(environ)
    options.verbose, options.error_mode = False, asked.PRINT
    return smtp_session.converse(
        lambda: Content(memory=MEMORY, directory=drop_directory(settings["spool"])),
        lambda **said: request_of(options, environ, **said),
        lambda request, content: hand_over(request, content, environ, settings, trouble),
        hostname=settings["hostname"],
        size=settings["message_size"],
    )


def request_of(options: Options, environ: Mapping[str, str], **said: Any) -> Request:
    """Return the request for a message; what is `said` of it in particular overrides the options.

    The names are those of `Request`.
    """
    facts: dict[str, Any] = {
        "queue_id": new_queue_id(),
        "sender": options.sender,
        "operands": options.operands,
        "from_header": options.from_header,
        "full_name": options.full_name or encoded(environ.get("NAME", "")),
        "body_type": options.body_type,
        "notify": options.notify,
        "ret": options.ret,
        "envid": options.envid,
        "gateway": options.gateway,
        "literal": options.literal,
        "mode": asked.INTERACTIVE if options.verbose else options.delivery_mode,
        "error_mode": options.error_mode,
        "verbose": options.verbose,
        "hops": options.hops,
        "tag": options.tag,
    }
    return Request(**facts | said)


def hand_over(
    request: Request,
    content: Content,
    environ: Mapping[str, str],
    settings: PublicSettings,
    trouble: bytes,
) -> Answer:
    """Try the three doors in order; in `trouble` with the configuration file only the first."""
    head = format_request(request)
    if len(head) > HEAD_LIMIT:
        raise Refused(EX_DATAERR, b"more recipients than one message can have")
    silence = settings["wait"] + GRACE_S
    try:
        return submit(settings["socket"], head, content.chunks(), silence=silence)
    except (NoDaemon, AnswerLost) as error:
        if trouble:  # nobody knows in which spool the message would be found
            raise Refused(EX_CONFIG, trouble) from error
        closed = error
    if isinstance(closed, AnswerLost):
        # The daemon may have the message already: only the drop directory, which tells a queue id
        # that was seen before, can take it now.
        answer = leave(request, head, content, settings, closed)
        if may_write_spool(settings["spool"]):
            from pysendmail.submission.linger import start_if_wanted

            start_if_wanted(environ)
        return answer
    if may_write_spool(settings["spool"]):
        load_bundle("direct_door")
        from pysendmail.submission.direct import Unable, submit_direct

        try:
            return submit_direct(request, content, environ, uid=posix.getuid())
        except Unable:
            pass  # credentials that are not for us: the daemon will do it
    return leave(request, head, content, settings, closed)


def leave(
    request: Request, head: bytes, content: Content, settings: PublicSettings, closed: Exception
) -> Answer:
    """Leave the message in the drop directory, after telling the caller of mistakes of his own."""
    load_bundle("drop_door")
    from pysendmail.spool.room import find_shortage, free_octets
    from pysendmail.submission.mistakes import check

    failures = check(request, content, limit=settings["message_size"])
    try:
        free = free_octets(drop_directory(settings["spool"]))
        if shortage := find_shortage(free, content.size, settings["reserve"], uid=posix.getuid()):
            raise Refused(EX_TEMPFAIL, f"cannot leave the message: {shortage}; {closed}".encode())
        drop(settings["spool"], request.queue_id, head, content.chunks())
    except OSError as error:
        raise Refused(
            EX_TEMPFAIL,
            f"cannot leave the message in {drop_directory(settings['spool'])}: "
            f"{error.strerror}; {closed}".encode(),
        ) from error
    told_by_status = failures and request.error_mode != asked.ALWAYS_OK
    return Answer(exit_status(failures) if told_by_status else EX_OK)
