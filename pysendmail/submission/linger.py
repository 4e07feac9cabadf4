"""The lingering daemon: started where a message had to wait and no daemon runs.

It serves like any other and ends by itself when the queue is empty. Where one runs already it ends
at once, so starting one too many does no harm; one that cannot be started is no error, for the
message is durable and the next daemon or queue run takes it.
"""

from __future__ import annotations

import os

from pysendmail._paths import DAEMON
from pysendmail.config.errors import ConfigError
from pysendmail.config.load import load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def start(environ: Mapping[str, str]) -> None:
    """Start a lingering daemon.

    It gets none of our descriptors but /dev/null: callers wait for the end of what we write to.
    """
    null = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
    try:
        os.posix_spawn(DAEMON, [DAEMON, "--linger"], environ, file_actions=null)
    except OSError:
        pass  # not installed here, or no process to be had


def start_if_wanted(environ: Mapping[str, str]) -> None:
    """Start a lingering daemon unless the configuration says no, or cannot be read."""
    try:
        wanted = load(environ, use_snapshot=True).config.linger
    except ConfigError:
        return
    if wanted:
        start(environ)
