"""Defaults of the settings that the shim itself needs, and where the configuration file is.

The shim's fast path reads these without the table of keys (config/keys.py), which takes them from
here: there is one place for each.
"""

from __future__ import annotations

CONFIG_PATH = "/etc/pysendmail/pysendmail.yaml"
CONFIG_VARIABLE = "PYSENDMAIL_CONFIG"
VARIABLE_PREFIX = "PYSENDMAIL_"

SOCKET = "/run/pysendmail/submit.sock"
SPOOL = "/var/spool/pysendmail"
WAIT_S = 30.0
MESSAGE_SIZE = 50 * 1024**2
DELIVERY_MODE = "interactive"
DELIVERY_MODES = ("interactive", "background", "queue")
