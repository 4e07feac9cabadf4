"""A Postfix of its own below one directory; as smarthost in `smarthosts`, as peer in `peers`."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.helpers.guarded import GUARD, SEARCH_PATH
from tests.helpers.postfix import MASTER, write_settled
from tests.helpers.postfix_config import QUEUE_DIRECTORIES

COMMON = {
    "compatibility_level": "3.6",
    "mydestination": "",
    "alias_maps": "",
    "local_recipient_maps": "",
    "inet_protocols": "ipv4",
    "smtpd_peername_lookup": "no",
}


class Instance:
    """Its files, in `etc` and `data` of the directory and in `queue`, and its processes."""

    def __init__(self, directory: Path, queue: Path) -> None:
        self.directory = directory
        self._guard: subprocess.Popen[bytes] | None = None
        directory.mkdir(exist_ok=True)
        os.chmod(directory, 0o755)
        for path in (directory / "etc", directory / "data", queue, queue / "pid"):
            path.mkdir(mode=0o755)
        shutil.chown(directory / "data", "postfix")
        for name in QUEUE_DIRECTORIES:
            (queue / name).mkdir(mode=0o700)
            shutil.chown(queue / name, "postfix")
        for name, mode in (("maildrop", 0o1730), ("public", 0o2710)):
            (queue / name).mkdir(exist_ok=True)
            shutil.chown(queue / name, "postfix", "postdrop")
            os.chmod(queue / name, mode)

    def configure(self, services: str, settings: Mapping[str, str]) -> None:
        """Write master.cf and main.cf, for the next start."""
        main = "".join(f"{name} = {value}\n" for name, value in settings.items())
        for name, text in (("main.cf", main), ("master.cf", services)):
            write_settled(self.directory / "etc" / name, text)

    def start(self, within: Sequence[str], configuration: str) -> None:
        """Start it, when it does not run, with the configuration at that path; `within` begins its
        command.
        """
        self._guard = self._guard or subprocess.Popen(
            [*within, "/bin/sh", "-c", GUARD, "guard", MASTER, "-c", configuration, "-s"],
            env={"PATH": SEARCH_PATH},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def stop(self) -> None:
        """End it and all of its processes."""
        if self._guard is not None:
            self._guard.communicate()
            self._guard = None
