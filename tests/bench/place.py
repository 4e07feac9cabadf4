"""Where a contestant runs: namespaces of its own, and the stopwatch in them.

A program reads the configuration and the queue that its package names. `Place` puts directories of
the benchmark there, or a whole root with the package in it, in a mount namespace; the machine's own
stay as they are. All that was started in a place is in its PID namespace: it can be counted, and
ends with it, also when the benchmark is killed. `Stopwatch` is a small process inside, already the
right user: what it takes to get there is not measured.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.helpers.installed import SEARCH_PATH
from tests.helpers.waiting import wait_until

PYTHON = "/usr/bin/python3"  # there in every root
STOPWATCH = Path(__file__).with_name("stopwatch.py")
NOBODY = 65534  # who calls sendmail
TICKS = os.sysconf("SC_CLK_TCK")

# $0: the directory with `upper` and `work` of a root's overlay, to be mounted at its `root`
ROOT = r"""
mkdir -p "$0/upper" "$0/work" "$0/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$0/upper,workdir=$0/work" "$0/root"
cd "$0/root"
mount -t proc proc proc
mount --rbind /dev dev
mount --make-rslave dev
mount -t tmpfs -o mode=755 tmpfs run
mkdir -p run/lock
"""
PIVOT = r"""
mkdir -p "$0/root/.machine"
pivot_root . .machine
cd /
umount -l /.machine
"""
# The first process of the PID namespace, which collects those whose parents have ended.
KEEP = r"""
echo ready
while :; do sleep 1000 || :; done
"""


class Place:
    """Namespaces, for as long as it is open.

    `root`: a directory whose `upper` lies over the machine's root, where everything that runs here
    sees and changes it; `mounts`: which directory stands for a path; `network`: how a command
    begins that runs in another network (see `link.Link`).
    """

    def __init__(
        self,
        *,
        root: Path | None = None,
        mounts: Mapping[str, Path] | None = None,
        network: Sequence[str] = (),
    ) -> None:
        at_root = str(root / "root") if root else ""
        script = ["set -eu", ROOT if root else ""]
        for at, path in (mounts or {}).items():
            script += [f"mkdir -p '{at_root}{at}'", f"mount --bind '{path}' '{at_root}{at}'"]
        script += [PIVOT if root else "mount -t proc proc /proc", KEEP]
        namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL"]
        self._keeper = subprocess.Popen(
            [*network, "setpriv", "--pdeathsig", "KILL", *namespaces,
             "/bin/sh", "-c", "\n".join(script), str(root)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self._keeper.stdout is not None
        assert self._keeper.stdout.readline() == b"ready\n", "namespaces or mounts cannot be made"
        pid = self._keeper.pid
        self._namespace = os.readlink(f"/proc/{pid}/ns/pid_for_children")
        self._first = int(Path(f"/proc/{pid}/task/{pid}/children").read_text())
        self._tools: set[int] = set()  # whose children are not the contestant's

    def within(self, uid: int = 0) -> list[str]:
        """Return how a command begins that runs here, as this user."""
        spaces = f"/proc/{self._keeper.pid}/ns"
        user = [f"--setuid={uid}", f"--setgid={uid}"] if uid else []
        return [
            "nsenter", f"--mount={spaces}/mnt", f"--net={spaces}/net",
            f"--pid={spaces}/pid_for_children", *user, "--",
        ]  # fmt: skip

    def run(self, *argv: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> None:
        """Run a command here as root, to its end; CalledProcessError when it fails."""
        subprocess.run(
            [*self.within(), *argv], input=stdin, env={"PATH": SEARCH_PATH, **(env or {})},
            stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip

    def start(self, *argv: str, log: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a command here as root."""
        with open(log or os.devnull, "ab") as output:
            return subprocess.Popen(
                [*self.within(), *argv], env={"PATH": SEARCH_PATH},
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip

    def stopwatch(self, uid: int = 0) -> Stopwatch:
        """Return a stopwatch for commands of this user; the caller closes it."""
        stopwatch = Stopwatch(self.within(uid))
        self._tools.add(stopwatch.pid)
        return stopwatch

    def processes(self) -> list[int]:
        """Return the ids of what runs here, but for what is the benchmark's own."""
        everywhere = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        return [pid for pid in everywhere if self._is_here(pid)]

    def processor_seconds(self) -> float:
        """Return the processor time, user and system, of what runs here and of what ran here and
        was not waited for from outside.
        """
        return sum(map(ticks, [self._first, *self.processes()])) / TICKS

    def memory_mib(self) -> float:
        """Return what all that runs here adds together: the sum of the proportional set sizes."""
        return sum(proportional_kib(pid) for pid in self.processes()) / 1024

    def clear(self) -> None:
        """End, at once, all that runs here but the keeper."""

        def ended() -> bool:
            found = [pid for pid in self.processes() if state(pid) not in "ZX"]
            for pid in found:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue  # it was faster
            return not found

        wait_until(ended, what="what runs in a place to end")

    def close(self) -> None:
        """End it, and all that runs here."""
        self._keeper.kill()
        self._keeper.communicate()

    def _is_here(self, pid: int) -> bool:
        try:
            if pid == self._first or os.readlink(f"/proc/{pid}/ns/pid") != self._namespace:
                return False
            parent = int(stat(pid)[1])
            name = Path(f"/proc/{pid}/comm").read_text().strip()
        except OSError:
            return False  # ended meanwhile
        return parent not in self._tools and (parent, name) != (self._first, "sleep")


def stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the name, from the state on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def state(pid: int) -> str:
    """Return the letter of its state, Z for one that has ended."""
    try:
        return stat(pid)[0]
    except OSError:
        return "X"


def ticks(pid: int) -> int:
    """Return the processor time of a process and of the children it has waited for."""
    try:
        return sum(map(int, stat(pid)[11:15]))
    except OSError:
        return 0


def proportional_kib(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass  # ended meanwhile
    return 0


class Stopwatch:
    """Runs commands in a place and says how long they took."""

    def __init__(self, within: Sequence[str] = ()) -> None:
        self._process = subprocess.Popen(
            [*within, PYTHON, "-I", "-c", STOPWATCH.read_text()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        self.began = 0.0  # when the last command was started, by perf_counter

    def time(self, argv: Sequence[str], stdin: Path | str = os.devnull) -> float:
        """Return the seconds from a command's start to its end; AssertionError if it fails."""
        return self.flood(argv, [stdin])

    def flood(
        self, argv: Sequence[str], stdins: Sequence[Path | str], *, at_once: int = 1
    ) -> float:
        """Run a command for each standard input, `at_once` beside each other; return the seconds
        until all have ended.
        """
        order = {"argv": argv, "stdins": list(map(str, stdins)), "at_once": at_once}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(order), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        assert line, f"{argv}: cannot be run, or takes for ever"
        result: dict[str, Any] = json.loads(line)
        assert not result["failed"], f"{argv}: exit status {result['failed']}"
        self.began = float(result["began"])
        return float(result["seconds"])

    def close(self) -> None:
        """End it."""
        self._process.communicate()
