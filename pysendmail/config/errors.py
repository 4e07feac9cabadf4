"""The exceptions of the configuration: every mistake found, each ready to be shown to a person."""

from __future__ import annotations


class ConfigError(Exception):
    """The configuration cannot be used.

    `errors` holds all that was found wrong, one line each, so that an administrator mends
    everything in one go: `FILE:LINE:COLUMN: key 'wait': found …, expected …`.
    Programs that meet it end with EX_CONFIG (78).
    """

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


class UnreadableConfigError(ConfigError):
    """The configuration, or a secret it names, is there but not for this user to read.

    Nothing is known to be wrong: the shim goes on to the door that needs no credentials.
    """
