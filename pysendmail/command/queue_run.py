"""-q: run the queue now, some of it, or again and again.

`-q` and `-qf` once, `-qIid`, `-qRrecipient`, `-qSsender` (with `!` behind the q: all others) some
of it, `-q15m` and `-qp15m` with a daemon. Queue groups, quarantine and lost entries (-qG, -qQ, -qL)
are not here, and so they are refused: to run everything is not what was asked for.
"""

from __future__ import annotations

from pysendmail.command.modes import DAEMONS, FLUSH, LISTINGS, RUNNER
from pysendmail.command.usage import usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pysendmail.command.options import Options

FILTERS = b"IRS"
SECONDS = {b"w": 604800, b"d": 86400, b"h": 3600, b"m": 60, b"s": 1}
SHORTEST_S, LONGEST_S = 1, 86400


def set_queue_run(options: Options, value: bytes) -> None:
    """Act on -q and what follows it; raises Refused.

    A listing stays one and is narrowed by filters; a daemon stays one and takes the interval.
    """
    exclude = value[:1] == b"!"
    rest = value[1:] if exclude else value
    if rest and rest[:1] in FILTERS:
        if not rest[1:]:
            raise usage(b"-q%b: a text to look for was expected" % value)
        options.filters += (value,)
        become(options, FLUSH, unless=LISTINGS)
    elif value in (b"", b"f"):
        options.wait = options.wait or value == b"f"
        become(options, FLUSH, unless=DAEMONS)
    elif value[:1].isdigit() or value[:1] == b"p":
        interval = value.removeprefix(b"p")
        if interval:
            options.interval = seconds_of(interval)
        become(options, RUNNER, unless=DAEMONS)
    else:
        raise usage(b"-q%b is not supported" % value)


def become(options: Options, mode: str, *, unless: tuple[str, ...]) -> None:
    """Change the mode where it is none of those that -q leaves alone."""
    if options.mode not in unless:
        options.mode = mode


def seconds_of(interval: bytes) -> int:
    """Return the seconds of an interval in sendmail's form: `15m`, `1h30m`; a bare number is
    minutes.
    """
    seconds, digits = 0, b""
    for position in range(len(interval)):
        character = interval[position : position + 1]
        if character.isdigit():
            digits += character
        elif character in SECONDS and digits:
            seconds += amount(digits) * SECONDS[character]
            digits = b""
        else:
            raise usage(b"-q: an interval like 15m or 1h30m was expected, not '%b'" % interval)
    if digits:
        seconds += amount(digits) * SECONDS[b"m"]
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise usage(b"-q: an interval from 1s to 1d was expected, not '%b'" % interval)
    return seconds


def amount(digits: bytes) -> int:
    """Return a number, or any that is too large: int() refuses one of thousands of digits."""
    return int(digits) if len(digits) < 10 else LONGEST_S + 1
