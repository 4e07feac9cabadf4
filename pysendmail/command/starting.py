"""Starting the daemon from sendmail's command line: -bd, -bD, -q15m, and a run that is waited for.

There is one daemon, pysendmaild, which takes submissions and runs the queue; sendmail becomes it,
so that what init or a container's entry point has started is what it has to stop.
"""

from __future__ import annotations

import os
import time

from pysendmail._paths import DAEMON
from pysendmail.command import modes
from pysendmail.command.settings import settings_of
from pysendmail.daemon.lifecycle import lock_path, read_holder
from pysendmail.submission.exit_status import EX_OK, EX_UNAVAILABLE, Refused
from pysendmail.submission.socket_door import is_served

START_S = 10.0  # how long a daemon that was started for a run may take to answer
LOOK_S = 0.05

# Sendmail's interval is the time between two attempts at one message, always the same.
INTERVAL_VARIABLES = ("PYSENDMAIL_RETRY_FIRST", "PYSENDMAIL_RETRY_LONGEST")


def start_daemon(mode: str, interval: int) -> int:
    """Become the daemon; `interval` (seconds, 0: as configured) between the attempts.

    A runner that finds a daemon has nothing to do: the daemon runs the queue already. Returns the
    exit status only then; raises Refused when there is no daemon to become.
    """
    settings, _trouble = settings_of(os.environ)
    if mode == modes.RUNNER and is_served(settings["socket"]) and not lingers(settings["spool"]):
        return EX_OK
    environ = dict(os.environ)
    if interval:
        environ |= dict.fromkeys(INTERVAL_VARIABLES, f"{interval}s")
    words = ["--foreground"] if mode == modes.FOREGROUND else []
    try:
        os.execve(DAEMON, [DAEMON, *words], environ)  # noqa: S606
    except OSError as error:
        line = f"cannot start {DAEMON}: {error.strerror}"
        raise Refused(EX_UNAVAILABLE, line.encode()) from error


def lingers(spool: str) -> bool:
    """Tell whether the daemon that serves a spool will end when the queue is empty."""
    try:
        lock = os.open(lock_path(spool), os.O_RDONLY)
    except OSError:
        return False  # not ours to know, nor to take its place
    try:
        return read_holder(lock)[1]
    finally:
        os.close(lock)


def wait_until_served(socket: str) -> bool:
    """Wait for a daemon that is being started; tell whether it answers."""
    end = time.monotonic() + START_S
    while not (served := is_served(socket)) and time.monotonic() < end:
        time.sleep(LOOK_S)
    return served
