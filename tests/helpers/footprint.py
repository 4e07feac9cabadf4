"""How much memory a process has had at most: the resident set, as the kernel counts it.

`Footprint` is for a process that goes on, `Weighing` for one that ends.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.helpers.installed import SEARCH_PATH

BOUND_KIB = 64 * 1024  # what a message may cost, above a process that has nothing to do

# Runs a program and tells its peak on a descriptor. It is a process of its own, and a small one:
# the kernel's figure for a child begins with what the process had that made it.
WEIGH = """
import os, sys
told, *argv = sys.argv[1:]
shut = [(os.POSIX_SPAWN_CLOSE, int(told))]
_, status, used = os.wait4(os.posix_spawn(argv[0], argv, os.environ, file_actions=shut), 0)
os.write(int(told), b"%d" % used.ru_maxrss)
os._exit(os.waitstatus_to_exitcode(status) & 255)
"""


class Weighed:
    """A program that has ended: `status`, what it wrote, and its `peak` in KiB."""

    def __init__(self, status: int, stdout: bytes, stderr: bytes, peak: int) -> None:
        self.status = status
        self.stdout = stdout
        self.stderr = stderr
        self.peak = peak

    def __repr__(self) -> str:
        return f"Weighed({self.status}, {self.stderr!r}, {self.peak} KiB)"


class Weighing:
    """A program under way, with its standard input at `stdin`."""

    def __init__(
        self, argv: Sequence[str], *, env: Mapping[str, str], uid: int | None = None
    ) -> None:
        told, tell = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-IS", "-c", WEIGH, str(tell), *argv],
                env={"PATH": SEARCH_PATH, **env},
                cwd="/",
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[tell],
                user=uid,
                group=uid,
                extra_groups=None if uid is None else [],
            )
        finally:
            os.close(tell)
        self._told = told
        assert self._process.stdin is not None
        self.stdin = self._process.stdin

    def feed(self, chunks: Iterable[bytes]) -> None:
        """Write these to its standard input and end that; who does not read on is left alone."""
        with contextlib.suppress(BrokenPipeError):
            for chunk in chunks:
                self.stdin.write(chunk)
        with contextlib.suppress(BrokenPipeError):
            self.stdin.close()

    def end(self, seconds: float) -> Weighed:
        """Wait for its end; TimeoutExpired after so many seconds."""
        self._process.stdin = None
        try:
            stdout, stderr = self._process.communicate(timeout=seconds)
            peak = int(os.read(self._told, 20))
            return Weighed(self._process.returncode, stdout, stderr, peak)
        except BaseException:
            self._process.kill()
            self._process.communicate()
            raise
        finally:
            os.close(self._told)


class Footprint:
    """The memory of a process that goes on, above what it has now."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # see proc(5): the peak begins anew
        self.idle = self._read("VmRSS")

    @property
    def peak(self) -> int:
        """The most it has had since, in KiB."""
        return self._read("VmHWM")

    @property
    def above_idle(self) -> int:
        """What the peak was above that, in KiB."""
        return self.peak - self.idle

    def _read(self, name: str) -> int:
        for line in Path(f"/proc/{self._pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1])
        raise AssertionError(f"{name} is not told of {self._pid}")
