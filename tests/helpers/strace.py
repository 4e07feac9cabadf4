"""System calls that fail when a test says so: strace(1) and its fault injection."""

from __future__ import annotations

import itertools
import math
import re
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["ERRORS", "Faults", "calls_below", "failing", "plan", "tracing", "why_not"]

# What each call may fail with on a disk that is full, broken, read-only or over its quota, or where
# the kernel is short of something.  EINTR: Python asks once more (PEP 475).
ERRORS = {
    "access": ("EIO", "ENOMEM"),
    "close": ("EIO", "ENOSPC"),
    "close_range": ("EPERM", "ENOSYS"),
    "fchmod": ("EIO", "EROFS"),
    "fchown": ("EIO", "EROFS"),
    "flock": ("ENOLCK", "ENOMEM", "EINTR"),
    "fstatfs": ("EIO", "EINTR"),
    "fsync": ("EIO", "ENOSPC", "EDQUOT", "EINTR"),
    "ftruncate": ("EIO", "EROFS"),
    "getdents64": ("EIO", "ENOMEM"),
    "mkdirat": ("EIO", "ENOSPC", "EDQUOT", "EROFS"),
    "mknodat": ("EIO", "ENOSPC", "EROFS"),
    "newfstatat": ("EIO", "ENOMEM"),
    "openat": ("EMFILE", "ENFILE", "ENOMEM", "EIO", "ENOSPC", "EDQUOT", "EROFS", "EINTR"),
    "pread64": ("EIO", "EINTR"),
    "pwrite64": ("EIO", "ENOSPC", "EDQUOT", "EFBIG", "EINTR"),
    "read": ("EIO", "EINTR"),
    "renameat": ("EIO", "ENOSPC", "EDQUOT", "EROFS", "ENOMEM"),
    "statfs": ("EIO", "EINTR"),
    "unlinkat": ("EIO", "EROFS"),
    "utimensat": ("EIO", "EROFS"),
    "write": ("EIO", "ENOSPC", "EDQUOT", "EFBIG", "EINTR"),
}


def why_not() -> str:
    """Return what keeps us from tracing here, "" when nothing does."""
    if not shutil.which("strace"):
        return "strace is not installed"
    tried = subprocess.run(["strace", "-qq", "true"], capture_output=True, text=True, check=False)
    return f"strace may not trace: {tried.stderr.strip()}" if tried.returncode else ""


def tracing(log: Path) -> list[str]:
    """Return what stands before a command so that its calls are written into a file."""
    return ["strace", "-f", "-y", "-o", str(log)]


def calls_below(log: str, path: Path) -> list[tuple[str, int]]:
    """Return the calls in a log that concern what is below a path: their names, and which of all
    the calls of that name by its thread each is, from 1.
    """
    counted: Counter[tuple[str, str]] = Counter()
    found = []
    for line in log.splitlines():
        if call := re.match(r"(\d+) +(\w+)\(", line):
            counted[call[1], call[2]] += 1
            concerns = any(f"{path}{end}" in line for end in ("/", ">", '"'))
            # Of a range of descriptors the log names no file.
            if (concerns or call[2] == "close_range") and call[2] in ERRORS:
                found.append((call[2], counted[call[1], call[2]]))
    return found


def plan(calls: Sequence[tuple[str, int]]) -> Iterator[tuple[str, int, str]]:
    """Yield each of these calls with as many errors as let none of a name be left out."""
    times = Counter(name for name, _ in calls)
    errors = {name: itertools.cycle(ERRORS[name]) for name in times}
    for name, number in calls:
        for error in itertools.islice(errors[name], math.ceil(len(ERRORS[name]) / times[name])):
            yield name, number, error


def failing(call: str, error: str, when: int | str) -> list[str]:
    """Return the options that let the n-th such call of each thread fail; "1+": all from the first
    one.
    """
    return ["-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={when}"]


class Faults:
    """strace on a running process and all its threads, with these options, until `end`."""

    def __init__(self, pid: int, options: Sequence[str]) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="strace-")
        self._log = Path(self._directory.name) / "log"
        self._strace = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", *tracing(self._log), *options, "-p", str(pid)],
            stderr=subprocess.PIPE,
        )
        assert self._strace.stderr is not None
        said = self._strace.stderr.readline()
        assert b" attached" in said, said
        self._ended_with: str | None = None

    @property
    def calls(self) -> str:
        """The calls that were traced so far."""
        if self._ended_with is not None:
            return self._ended_with
        return self._log.read_text(errors="replace")

    def count(self) -> int:
        """Return how many calls were made to fail so far."""
        return self.calls.count("(INJECTED)")

    def end(self) -> None:
        """Leave the process alone."""
        self._strace.send_signal(signal.SIGTERM)
        self._strace.communicate()
        self._ended_with = self.calls
        self._directory.cleanup()
