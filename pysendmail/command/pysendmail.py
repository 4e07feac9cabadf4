"""pysendmail: the administrator's tool. check, explain, status, queue."""

from __future__ import annotations

import argparse
import os
import sys

from pysendmail import __version__
from pysendmail.command.asking import ask_queue, show
from pysendmail.command.settings import settings_of
from pysendmail.command.stdin import repair_descriptors, say, set_umask
from pysendmail.config.errors import ConfigError
from pysendmail.spool.errors import SpoolError
from pysendmail.submission.answer import SILENCE_S
from pysendmail.submission.exit_status import (
    EX_CONFIG,
    EX_TEMPFAIL,
    EX_UNAVAILABLE,
    Refused,
)
from pysendmail.submission.request import ASK_STATUS, format_head
from pysendmail.submission.socket_door import AnswerLost, NoDaemon, ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

PROGRAM = b"pysendmail"


def main() -> NoReturn:
    """Run the tool and leave with its exit status: 2 for a bad command line, else sysexits(3)."""
    repair_descriptors()
    set_umask()
    options = parse_arguments(sys.argv[1:])
    if options.config:
        os.environ["PYSENDMAIL_CONFIG"] = os.path.abspath(options.config)
    try:
        status = options.run(options)
    except ConfigError as error:
        for line in error.errors:
            say(2, f"pysendmail: {line}".encode())
        status = EX_CONFIG
    except Refused as refused:
        say(2, b"pysendmail: " + refused.line)
        status = refused.status
    except (OSError, SpoolError) as error:
        say(2, f"pysendmail: {error}".encode())
        status = EX_TEMPFAIL
    except KeyboardInterrupt:
        status = 130
    os._exit(status)


def parse_arguments(words: list[str]) -> argparse.Namespace:
    """Return the options of the command line, with the function to run in `run`."""
    parser = argparse.ArgumentParser(prog="pysendmail", description="Look after pysendmail.")
    parser.add_argument("--config", metavar="FILE", help="another configuration file")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    check = commands.add_parser("check", help="say what is in force, and try the smarthosts")
    check.add_argument("--offline", action="store_true", help="do not connect to the smarthosts")
    check.add_argument("--send", metavar="ADDRESS", default="", help="send one message there")
    check.set_defaults(run=run_check)

    # Its words are sendmail's, not ours: no prefix of an option is known here.
    explain = commands.add_parser(
        "explain", prefix_chars="\0", add_help=False, help="say what sendmail would do"
    )
    explain.add_argument("words", nargs="*", metavar="WORD", help="the command line of sendmail")
    explain.set_defaults(run=run_explain)

    status = commands.add_parser("status", help="how the daemon and its smarthosts are")
    status.add_argument("--json", action="store_true", help="for programs")
    status.set_defaults(run=run_status)

    queue = commands.add_parser("queue", help="list and change what waits")
    actions = queue.add_subparsers(metavar="ACTION", required=True)
    for name, ids, text in (
        ("list", "*", "list the queue, or some of it"),
        ("show", "+", "show entries and their messages"),
        ("hold", "+", "do not attempt these until they are released"),
        ("release", "+", "let held entries go on"),
        ("delete", "+", "remove entries; nobody is told"),
        ("flush", "*", "attempt everything, or these, now"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("ids", nargs=ids, metavar="ID", help="a queue id")
        if name in ("list", "show"):
            action.add_argument("--json", action="store_true", help="one object a line")
        action.set_defaults(run=run_queue, action=name, json=False)
    return parser.parse_args(words)


def run_check(options: argparse.Namespace) -> int:
    """Check configuration and smarthosts."""
    from pysendmail.command.check import check

    return check(connect=not options.offline, send_to=options.send)


def run_explain(options: argparse.Namespace) -> int:
    """Say what sendmail would do with a message."""
    from pysendmail.command.explain import explain

    return explain(options.words)


def run_status(options: argparse.Namespace) -> int:
    """Ask the daemon how it is."""
    settings, _trouble = settings_of(os.environ)
    head = format_head(ASK_STATUS, [b"j"] if options.json else [])
    try:
        return show(PROGRAM, ask(settings["socket"], head, silence=SILENCE_S))
    except (NoDaemon, AnswerLost) as error:
        say(2, f"pysendmail: no daemon is running ({error})".encode())
        return EX_UNAVAILABLE


def run_queue(options: argparse.Namespace) -> int:
    """Ask for one action on the queue."""
    records = [b"a" + options.action.encode()]
    records += [b"q" + os.fsencode(queue_id) for queue_id in options.ids]
    if options.json:
        records.append(b"j")
    settings, _trouble = settings_of(os.environ)
    return ask_queue(PROGRAM, settings, records)
