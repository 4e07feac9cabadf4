"""The programs of an installation, and how to run them as no caller ought to.

`install` makes an installation below a directory with `make install`; programs are run in a fresh
environment (nothing of ours but PATH), with descriptors closed, as another user, in a directory
that is gone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SEARCH_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
PATIENCE_S = 60.0  # for a program that ought to end by itself

Completed = subprocess.CompletedProcess[bytes]


class Installation:
    """pysendmail as `make install PREFIX=…` laid it down."""

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix

    def program(self, name: str) -> str:
        """Return the absolute path of a program; FileNotFoundError when it was not installed."""
        path = shutil.which(
            name, path=os.pathsep.join(f"{self.prefix}/{place}" for place in ("sbin", "bin", "lib"))
        )
        if path is None:
            raise FileNotFoundError(f"{name} is not installed below {self.prefix}")
        return path

    def interpreter(self, name: str) -> str:
        """Return the Python that a program's stub names in its first line."""
        with open(self.program(name), encoding="utf-8") as stub:
            return stub.readline().removeprefix("#!").split()[0]


def install(prefix: Path) -> Installation:
    """Install this checkout below `prefix` and nowhere else; AssertionError with what make said."""
    made = subprocess.run(
        ["make", "-C", str(REPOSITORY), "install", f"PREFIX={prefix}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, f"make install failed:\n{made.stdout}{made.stderr}"
    return Installation(prefix)


def run_program(
    argv: Sequence[str],
    stdin: bytes = b"",
    *,
    env: Mapping[str, str] | None = None,
    closed: Iterable[int] = (),
    uid: int | None = None,
    umask: int = -1,
    deleted_cwd: bool = False,
    seconds: float = PATIENCE_S,
    within: Sequence[str] = (),
) -> Completed:
    """Run a program to its end in an environment of `env` and PATH alone.

    `closed`: descriptors out of 0-2 that it shall find closed; `uid`: run as this user, with no
    groups but the one of that number; `umask` -1: ours; `deleted_cwd`: its working directory does
    not exist any more; `within`: a command that runs all that (`People.within`).  TimeoutExpired
    after `seconds`.
    """
    prelude = "".join(f"exec {descriptor}>&-; " for descriptor in closed)
    with tempfile.TemporaryDirectory(prefix="cwd-") as parent:
        if deleted_cwd:
            os.chmod(parent, 0o777)  # the program's user removes it, when he is in it
            prelude = f"mkdir {parent}/gone && cd {parent}/gone && rmdir {parent}/gone; {prelude}"
        command = ["/bin/sh", "-c", f'{prelude}exec "$0" "$@"', *argv] if prelude else argv
        return subprocess.run(
            [*within, *command],
            input=stdin,
            env={"PATH": SEARCH_PATH, **(env or {})},
            cwd="/",
            capture_output=True,
            user=uid,
            group=uid,
            extra_groups=None if uid is None else [],
            umask=umask,
            timeout=seconds,
            check=False,
        )


def end_processes_of(directory: Path) -> None:
    """End every process that names a path below `directory` in its command line or environment,
    and the daemon of a spool there.

    So a lingering daemon is found, which nobody here has started: the sendmail that did it had our
    configuration. Its environment only root can read, so its own user knows it by its lock.
    """
    for lock in directory.rglob("daemon.lock"):
        with open(lock) as signed, contextlib.suppress(OSError, ValueError, IndexError):
            pid = int(signed.read().split()[0])
            if b"pysendmaild" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
    mark = os.fsencode(directory) + b"/"
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            told = (
                Path(f"/proc/{pid}/cmdline").read_bytes()
                + Path(f"/proc/{pid}/environ").read_bytes()
            )
            if mark in told and int(pid) != os.getpid():
                os.kill(int(pid), signal.SIGKILL)
        except OSError:
            continue  # ended meanwhile, or not ours
