"""How old something is by a clock that may be set: its steps are no age.

A machine without a battery wakes up in 1970 and learns years later what day it is; another one's
clock is a month ahead for ten minutes. By the time of day alone all mail that waits would be older
than its life. So the time of day is held against a clock that nobody sets, as often as somebody
looks: between two steps they differ by the same. What is older than the first look has the age that
the time of day gave it then. Time in which the machine sleeps counts as a step, too: nothing could
be attempted in it.

Both clocks are given, in seconds. Safe between threads.
"""

from __future__ import annotations

import threading

STEP_S = 60.0  # less is a clock that is being brought into line
MOST_PERIODS = 100


class Clock:
    """The time of day and the `steady` clock, as they were seen from period to period.

    A period is the time between two steps: when it began by the steady clock, and by how much the
    time of day is ahead of that in it.
    """

    __slots__ = ("_looked", "_looking", "_periods")

    def __init__(self, now: float, steady: float) -> None:
        self._periods: tuple[tuple[float, float], ...] = ((steady, now - steady),)
        self._looked = steady
        self._looking = threading.Lock()

    def look(self, now: float, steady: float) -> float:
        """Take note of both clocks; return by how much the time of day is ahead."""
        ahead = now - steady
        with self._looking:
            began, before = self._periods[-1]
            if abs(ahead - before) < STEP_S:
                self._periods = (*self._periods[:-1], (began, ahead))
            else:  # it was set at any time since the last look
                self._periods = (*self._periods[1 - MOST_PERIODS :], (self._looked, ahead))
            self._looked = steady
        return ahead

    def age(self, arrived: float, steady: float) -> float:
        """Return the age of what arrived when the time of day was `arrived`, steps left out.

        A time that was twice is taken for the later one. What has a time that never was by this
        clock may have an age below zero.
        """
        until = steady
        for began, ahead in reversed(self._periods):
            came = arrived - ahead
            if began <= came <= until + STEP_S:
                break
            until = began
        return steady - came
