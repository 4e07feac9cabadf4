"""What callers' programs go by: the public settings, in whatever state the configuration is."""

from __future__ import annotations

import os

from pysendmail.config.errors import ConfigError
from pysendmail.config.snapshot import public_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pysendmail.config.snapshot import PublicSettings


def settings_of(environ: Mapping[str, str]) -> tuple[PublicSettings, bytes]:
    """Return the settings, and what is wrong with the configuration file.

    A file that somebody is editing must not stop the mail: the daemon goes on with what it has
    read, and is found where it is by default.
    """
    try:
        return public_settings(environ), b""
    except ConfigError as error:
        return public_settings(environ, file=False), error.errors[0].encode()


def may_write_spool(spool: str) -> bool:
    """Tell whether this user may write the spool itself, or make it: no daemon is needed then."""
    place = f"{spool}/queue"
    while not os.path.exists(place):
        place = os.path.dirname(place)
    return os.access(place, os.R_OK | os.W_OK | os.X_OK)
