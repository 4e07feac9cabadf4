"""Watching a directory: the kernel tells what comes in."""

from __future__ import annotations

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


def test_what_comes_in_is_told_each_time_that_was_asked_for(tmp_path: Path) -> None:
    drops, elsewhere = tmp_path / "drop", tmp_path / "elsewhere"
    drops.mkdir()
    elsewhere.touch()
    command = [sys.executable, "-c", WATCHER, str(drops)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as watcher:
        assert watcher.stdout is not None
        try:
            if watcher.stdout.readline() != b"True\n":
                pytest.skip("a kernel without dnotify")
            for come_in in (
                (drops / "new").touch,
                lambda: (drops / "new").rename(drops / "renamed"),
                lambda: elsewhere.rename(drops / "moved in"),
            ):
                come_in()
                assert watcher.stdout.readline() == b"True\n"
        finally:
            watcher.kill()


def test_what_cannot_be_watched_is_said_to_be_so(tmp_path: Path) -> None:
    assert not Watch(str(tmp_path / "nowhere")).arm()
