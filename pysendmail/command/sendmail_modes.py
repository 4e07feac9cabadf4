"""What sendmail does besides taking mail: list the queue, run it, check the aliases, give help."""

from __future__ import annotations

import os

from pysendmail import __version__
from pysendmail.command import options as cli
from pysendmail.command.asking import ask_queue
from pysendmail.command.settings import settings_of
from pysendmail.command.stdin import say
from pysendmail.submission.exit_status import EX_CONFIG, EX_OK

HELP = b"""usage: sendmail [-t] [-i] [-f SENDER] [-F NAME] [OPTION...] [--] [RECIPIENT...]
       mailq | newaliases | runq
Reads a message from standard input and hands it to the configured smarthost.
See sendmail(8) for the options, pysendmail(8) for the administrator's tool."""


def run(mode: str, program: bytes) -> int:
    """Do what a mode other than delivery asks for; standard input is not read."""
    if mode == cli.HELP:
        say(1, HELP)
        return EX_OK
    if mode == cli.VERSION:
        say(1, f"pysendmail {__version__}".encode())
        return EX_OK
    if mode == cli.ALIASES:
        return check_aliases(program)
    if mode == cli.FLUSH:
        return run_queue(program)
    settings, _trouble = settings_of(os.environ)
    return ask_queue(program, settings, [b"alist"])


def run_queue(program: bytes) -> int:
    """Have everything attempted now: by the daemon, or by one started for it."""
    settings, _trouble = settings_of(os.environ)
    status = ask_queue(program, settings, [b"aflush"])
    if status == EX_OK:
        from pysendmail.submission.linger import start
        from pysendmail.submission.socket_door import is_served

        if not is_served(settings["socket"]):
            start(os.environ)
    return status


def check_aliases(program: bytes) -> int:
    """Say what is wrong with the aliases file; there is no database to rebuild."""
    from pysendmail.command.alias_check import find_alias_errors
    from pysendmail.config.load import load

    errors = find_alias_errors(load(os.environ, use_snapshot=True).config)
    for error in errors:
        say(2, b"%b: %b" % (program, error.encode("utf-8", "backslashreplace")))
    return EX_CONFIG if errors else EX_OK
