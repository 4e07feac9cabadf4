"""Defaults of the settings that the shim itself needs, and where the configuration file is.

The shim's fast path reads these without the table of keys (config/keys.py), which takes them from
here: there is one place for each. The paths are the installation's (_paths.py).
"""

from __future__ import annotations

from pysendmail._paths import CONFIG_PATH, SOCKET, SPOOL

__all__ = [
    "CONFIG_PATH",
    "CONFIG_VARIABLE",
    "DELIVERY_MODE",
    "DELIVERY_MODES",
    "MESSAGE_SIZE",
    "MESSAGE_SIZE_HIGHEST",
    "RESERVE",
    "SOCKET",
    "SPOOL",
    "VARIABLE_PREFIX",
    "WAIT_S",
]

CONFIG_VARIABLE = "PYSENDMAIL_CONFIG"
VARIABLE_PREFIX = "PYSENDMAIL_"

WAIT_S = 30.0
MESSAGE_SIZE = 50 * 1024**2
MESSAGE_SIZE_HIGHEST = 4 * 1024**3  # no message was ever taken from a caller that is longer
RESERVE = 16 * 1024**2
DELIVERY_MODE = "interactive"
DELIVERY_MODES = ("interactive", "background", "queue")
