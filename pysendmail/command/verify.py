"""sendmail -bv: what would become of these recipients, without a message.

Reads the addresses as a submission would, applies the aliases, and names the smarthosts that the
mail would go to. Nobody is asked: only the smarthost knows which addresses exist.
"""

from __future__ import annotations

import os

from pysendmail.command.stdin import tell
from pysendmail.config.load import load
from pysendmail.message.address import parse_list
from pysendmail.message.alias_file import read_aliases
from pysendmail.message.aliases import resolve
from pysendmail.message.outcome import printable
from pysendmail.relay.smarthost import smarthosts_of
from pysendmail.submission.accept import local_names
from pysendmail.submission.exit_status import EX_NOUSER, EX_OK
from pysendmail.submission.mistakes import unusable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pysendmail.config.keys import Config
    from pysendmail.message.aliases import Aliases
    from pysendmail.message.outcome import Outcome


def verify(operands: Iterable[bytes], *, literal: bool) -> int:
    """Print one line for each address that the operands come to; returns the exit status.

    67 when one of them cannot be used. Raises ConfigError.
    """
    config = load(os.environ, use_snapshot=True).config
    aliases = None if literal else read_aliases(config.aliases)
    addresses: list[bytes] = []
    failures: list[Outcome] = []
    for operand in operands:
        found, failed = destinations(operand, config, aliases)
        addresses += found
        failures += failed
    way = route(config)
    for address in dict.fromkeys(addresses):
        tell(b"%b... %b" % (printable(address), way))
    for failure in failures:
        tell(b"%b... %b" % (printable(failure.recipient), printable(failure.text)))
    return EX_NOUSER if failures else EX_OK


def destinations(
    operand: bytes, config: Config, aliases: Aliases | None
) -> tuple[list[bytes], list[Outcome]]:
    """Return the addresses that an operand comes to, and what is wrong with the others."""
    mailboxes, bad = parse_list(operand)
    found, failures = resolve(mailboxes, local_names(config, aliases))
    return [address for address, _ in found], [*failures, *map(unusable, bad)]


def route(config: Config) -> bytes:
    """Return where all mail goes, in words."""
    smarthosts = smarthosts_of(config, None)
    if not smarthosts:
        return b"waits: no smarthost is configured"
    return b"deliverable: smarthost " + b", ".join(one.name for one in smarthosts)
