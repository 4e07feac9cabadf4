"""A time of day that a test sets, for programs of ours: `SetClock` in the place of `People`.

As a program it runs another one whose `time.time` is ahead by what a file says:

    python -IS set_clock.py FILE program word ...
"""

import os
import runpy
import sys
import time
from collections.abc import Sequence
from pathlib import Path

REAL_TIME = time.time


class SetClock:
    """Runs programs by a clock that is `ahead` by so many seconds; it goes on from there.

    `interpreter`: the Python of these programs; `directory`: where the file may lie.
    """

    def __init__(self, interpreter: str, directory: Path) -> None:
        self._interpreter = interpreter
        self._file = directory / "ahead"
        self.set(0.0)

    def set(self, ahead: float) -> None:
        """Set the clock, at once and for all that run by it."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(str(ahead))
        fresh.rename(self._file)

    def within(self, uid: int = 0) -> Sequence[str]:
        """Return what has to stand before a command; `uid` is who we are."""
        assert not uid
        return [self._interpreter, "-IS", __file__, str(self._file)]


def shifted_time() -> float:
    """Return the time of day as it was set."""
    with open(FILE, encoding="ascii") as ahead:
        return REAL_TIME() + float(ahead.read())


if __name__ == "__main__":
    FILE = os.path.abspath(sys.argv[1])
    time.time = shifted_time
    sys.argv[:2] = []
    runpy.run_path(sys.argv[0], run_name="__main__")
