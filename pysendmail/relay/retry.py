"""When to try again: pure functions of an entry's history and the time.

Reads no clock and draws no random number: `now`, `age` and `jitter` are given. A clock that jumps
forward makes an entry due; what one that jumps back strands in the future is found by `stranded`.
Neither is to change an `age`: that is for who measures it.
"""

from __future__ import annotations

GROWTH = 2.0  # each deferral of a message doubles the pause, up to the longest


def next_attempt(
    *, now: float, arrived: float, attempts: int, first: float, longest: float, jitter: float
) -> float:
    """Return the epoch second of the next attempt after `attempts` attempts that were deferred.

    Doubling alone would make a pause as long as the age and the first one together. It is never
    longer than that, so attempts that somebody asked for in between do not lengthen it.

    `first` and `longest` are pauses in seconds; `jitter` in 0..1 spreads the pause over 0.75 to
    1.25 of itself, so that entries deferred together do not come back together.
    """
    exponent = min(max(attempts - 1, 0), 32)
    pause = min(first * GROWTH**exponent, first + max(now - arrived, 0.0), longest)
    return now + pause * (0.75 + 0.5 * jitter)


def stranded(*, due: float, now: float, first: float, longest: float) -> bool:
    """Tell whether an attempt is further away than any pause: a clock that was ahead has set it."""
    return due - now > 1.25 * max(first, longest)


def expired(*, age: float, lifetime: float) -> bool:
    """Tell whether an entry's life is over: what is still pending then fails."""
    return age >= lifetime


def warning_due(*, age: float, after: float, warned: bool) -> bool:
    """Tell whether the sender should hear that the message is late (`after` 0: never)."""
    return bool(after) and not warned and age >= after


def silence(*, age: float, lifetime: float, after: float, warned: bool) -> float:
    """Return for how many seconds more the sender is told nothing of a message that waits.

    Then the warning is due, or the life is over. Not above zero: it is time now.
    """
    return (min(after, lifetime) if after and not warned else lifetime) - age
