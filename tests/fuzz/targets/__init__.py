"""What may be fed with any octets, and what has to hold then.

Each target is a function of octets that returns when its contract holds and raises `AssertionError`
otherwise; any other exception is a finding as well. `tests.fuzz.run` feeds them by coverage,
`test_fuzz_targets.py` in `tests/unit` and `tests/unit/smtp` for a moment in every run of the tests.

A module for each subject has its `TARGETS`, and in `seeds()` inputs to begin with for each of them.
"""

from __future__ import annotations

from tests.fuzz.targets import (
    aliases,
    command,
    configuration,
    message,
    smtp,
    smtp_server,
    socket_protocol,
    spool,
)
from tests.fuzz.targets.target import Target

MODULES = (smtp, smtp_server, command, message, socket_protocol, spool, aliases, configuration)

TARGETS: dict[str, Target] = {
    target.__name__: target for module in MODULES for target in module.TARGETS
}


def seeds() -> dict[str, list[bytes]]:
    """Return inputs to begin with, for each target."""
    return {
        target.__name__: inputs for module in MODULES for target, inputs in module.seeds().items()
    }
