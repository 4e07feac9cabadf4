"""Watching a directory: the kernel tells what comes in."""

from __future__ import annotations

import select
import subprocess
import sys
from pathlib import Path

import pytest

from pysendmail.daemon.watch import Watch

WATCHER = """
import signal, sys
from pysendmail.daemon.watch import Watch
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
watch = Watch(sys.argv[1])
while True:
    print(watch.arm() and watch.arm(), flush=True)
    signal.sigwait([signal.SIGIO])
"""


def test_what_is_finished_is_told_each_time_that_was_asked_for(tmp_path: Path) -> None:
    drops = tmp_path / "drop"
    drops.mkdir()
    command = [sys.executable, "-c", WATCHER, str(drops)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as watcher:
        assert watcher.stdout is not None
        try:
            if watcher.stdout.readline() != b"True\n":
                pytest.skip("a kernel without dnotify")
            for name in ("first", "second"):
                (drops / "writing").touch()
                told, _, _ = select.select([watcher.stdout], [], [], 0)
                assert not told
                (drops / "writing").rename(drops / name)
                assert watcher.stdout.readline() == b"True\n"
        finally:
            watcher.kill()


def test_what_cannot_be_watched_is_said_to_be_so(tmp_path: Path) -> None:
    assert not Watch(str(tmp_path / "nowhere")).arm()
