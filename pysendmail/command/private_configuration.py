"""The file that -C names, and who may have written it.

Raises Refused (exit status 77, or 78 where it is not there) and ConfigError.
"""

from __future__ import annotations

import os
import stat

from pysendmail.command.caller import encoded
from pysendmail.config.defaults import CONFIG_VARIABLE
from pysendmail.config.snapshot import public_settings
from pysendmail.message.outcome import printable
from pysendmail.submission.exit_status import EX_CONFIG, EX_NOPERM, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping


def use_private_configuration(environ: MutableMapping[str, str], path: str) -> None:
    """Go by the file that -C names, as far as this process and what it starts are concerned.

    A configuration names commands to run and files to read, and -C may come from whoever could slip
    a word into somebody's command line: so nobody but root and the caller may have a hand in the
    file. Raises Refused, and ConfigError where it has no settings for us: those of the system,
    whose daemon was not asked for, are no substitute.
    """
    real = os.path.realpath(path)
    try:
        theirs = belongs_to_others(real)
        os.close(os.open(real, os.O_RDONLY | os.O_NONBLOCK))  # else the defaults would do for us
    except OSError as error:
        line = f"-C {path}: {error.strerror}"
        raise Refused(EX_CONFIG, printable(encoded(line))) from error
    if theirs:
        line = f"-C {path}: {theirs} is not yours and root's alone to write"
        raise Refused(EX_NOPERM, printable(encoded(line)))
    environ[CONFIG_VARIABLE] = real
    public_settings(environ)


def belongs_to_others(path: str) -> str:
    """Return what others could change of a path without links: it or a directory above; or ""."""
    while True:
        status = os.stat(path)
        shared = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
        if status.st_uid not in (0, os.geteuid()) or (shared and not sticky):
            return path
        if path == "/":
            return ""
        path = os.path.dirname(path)
