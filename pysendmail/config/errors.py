"""The exceptions of the configuration: every mistake found, each ready to be shown to a person."""

from __future__ import annotations


class ConfigError(Exception):
    """The configuration cannot be used.

    `errors` holds all that was found wrong, one printable line each, so that an administrator mends
    everything in one go: `FILE:LINE:COLUMN: key 'wait': found …, expected …`.
    Programs that meet it end with EX_CONFIG (78).
    """

    def __init__(self, errors: list[str]) -> None:
        self.errors = [one_line(error) for error in errors]
        super().__init__("\n".join(self.errors))


class UnreadableConfigError(ConfigError):
    """The configuration, or a secret it names, is there but not for this user to read.

    Nothing is known to be wrong: the shim goes on to the door that needs no credentials.
    """


def one_line(text: str) -> str:
    r"""Return a text whose every character can be shown: others are escapes as `\x1b`.

    Names of files and variables hold whatever the caller likes, octets that are no UTF-8 too.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
