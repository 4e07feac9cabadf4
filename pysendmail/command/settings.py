"""What callers' programs go by: the public settings, in whatever state the configuration is."""

from __future__ import annotations

import posix

from pysendmail.command.caller import encoded
from pysendmail.config.defaults import CONFIG_VARIABLE
from pysendmail.config.errors import ConfigError
from pysendmail.config.snapshot import last_public_settings, public_settings
from pysendmail.message.outcome import printable
from pysendmail.submission.exit_status import EX_CONFIG, EX_NOPERM, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from pysendmail.config.snapshot import PublicSettings


def settings_of(environ: Mapping[str, str]) -> tuple[PublicSettings, bytes]:
    """Return the settings, and what is wrong with a configuration file that does not tell them.

    A file that somebody is editing must not stop the mail: the daemon goes on with what it has
    read, and so do we where the snapshot of that is left. Else the settings are a guess: a daemon
    may be found by them, but no message may be left where they say.
    """
    try:
        return public_settings(environ), b""
    except ConfigError as error:
        last = last_public_settings(environ)
        if last is not None:
            return last, b""
        return public_settings(environ, file=False), error.errors[0].encode()


def may_write_spool(spool: str) -> bool:
    """Tell whether this user may write the spool itself, or make it: no daemon is needed then."""
    place = f"{spool}/queue"
    while not posix.access(place, posix.F_OK):
        place = place.rpartition("/")[0] or "/"
    return posix.access(place, posix.R_OK | posix.W_OK | posix.X_OK)


def use_private_configuration(environ: MutableMapping[str, str], path: str) -> None:
    """Go by the file that -C names, as far as this process and what it starts are concerned.

    A configuration names commands to run and files to read, and -C may come from whoever could slip
    a word into somebody's command line: so nobody but root and the caller may have a hand in the
    file. Raises Refused, and ConfigError where it has no settings for us: those of the system,
    whose daemon was not asked for, are no substitute.
    """
    import os

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
    import os
    import stat

    while True:
        status = os.stat(path)
        shared = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
        if status.st_uid not in (0, os.geteuid()) or (shared and not sticky):
            return path
        if path == "/":
            return ""
        path = os.path.dirname(path)
