"""What sendmail does besides taking mail: list and run the queue, check aliases, configuration and
addresses, start the daemon, give help. Standard input is not read for any of it.
"""

from __future__ import annotations

import os

from pysendmail import __version__
from pysendmail.command import modes
from pysendmail.command.asking import ask_queue
from pysendmail.command.settings import may_write_spool, settings_of
from pysendmail.command.stdin import say, tell
from pysendmail.submission.exit_status import EX_CONFIG, EX_OK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pysendmail.command.options import Options

HELP = b"""usage: sendmail [-t] [-i] [-f SENDER] [-F NAME] [OPTION...] [--] [RECIPIENT...]
       sendmail -bp | -bi | -bv RECIPIENT... | -bd | -q
       mailq | newaliases | runq
Reads a message from standard input and hands it to the configured smarthost.
See sendmail(8) for the options, pysendmail(8) for the administrator's tool."""


def run(options: Options, program: bytes) -> int:
    """Do what a mode other than delivery asks for; raises Refused, ConfigError."""
    mode = options.mode
    if mode == modes.HELP:
        tell(HELP)
    elif mode == modes.VERSION:
        tell(f"pysendmail {__version__}".encode())
    elif mode == modes.ALIASES:
        return check_aliases(program)
    elif mode == modes.CHECK:
        return check_configuration()
    elif mode == modes.VERIFY:
        from pysendmail.command.verify import verify

        return verify(options.operands, literal=options.literal)
    elif mode == modes.FLUSH:
        return run_queue(options, program)
    elif mode in (modes.RUNNER, *modes.DAEMONS):
        from pysendmail.command.starting import start_daemon

        return start_daemon(mode, options.interval)
    else:
        action = b"alist" if mode == modes.LIST else b"acount"
        settings, _trouble = settings_of(os.environ)
        return ask_queue(program, settings, [action, *filters(options)])
    return EX_OK


def filters(options: Options) -> list[bytes]:
    """Return the records for what -qI, -qR and -qS have asked for."""
    return [b"m" + text for text in options.filters]


def run_queue(options: Options, program: bytes) -> int:
    """Have the queue, or what the filters leave of it, attempted now: by the daemon, or by one
    started for it. With -qf and -v that is waited for.
    """
    from pysendmail.command.starting import wait_until_served
    from pysendmail.submission.linger import start
    from pysendmail.submission.socket_door import is_served

    settings, _trouble = settings_of(os.environ)
    records = [b"aflush", *filters(options)]
    wait = options.wait or options.verbose
    served = is_served(settings["socket"])
    if wait and not served and may_write_spool(settings["spool"]):
        start(os.environ)
        served = wait_until_served(settings["socket"])
    if wait and served:
        return ask_queue(program, settings, [*records, b"w"], patient=True)
    status = ask_queue(program, settings, records)
    if status == EX_OK and not served:
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


def check_configuration() -> int:
    """Say what is in force and what is wrong with it, like `pysendmail check --offline`."""
    from pysendmail.command.check import check

    return check(connect=False, send_to="")
