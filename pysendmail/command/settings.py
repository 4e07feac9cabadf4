"""What callers' programs go by: the public settings, in whatever state the configuration is."""

from __future__ import annotations

import posix

from pysendmail.config.errors import ConfigError
from pysendmail.config.snapshot import last_public_settings, public_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

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
