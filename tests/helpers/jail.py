"""A root directory for a server whose paths and users are compiled in.

Debian installs one mail server only.  Others are unpacked by `.ci/unpack-servers`, and run in a
directory that has nothing but the package, the libraries it needs and a user database of its own:
neither the machine's configuration nor its spool can be touched.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path

UNPACKED = Path("/usr/local/lib/mail-servers-for-tests")
INSTALL_HINT = ".ci/unpack-servers"

FIRST_UID = 801


def why_not(package: str) -> str:
    """Return why the server of `package` cannot be jailed here, '' when it can."""
    if not (UNPACKED / package).is_dir():
        return f"{package} is not unpacked: {INSTALL_HINT}"
    if os.geteuid() != 0:
        return f"{package} can be started by root only"
    return ""


class Jail:
    """The directory `root`, made of `package`; `program` is its server, `users` who live there.

    Users have the uids and gids from `FIRST_UID` on.  No program is setuid: the server starts as
    root, and nobody needs to become that again.
    """

    def __init__(self, root: Path, package: str, program: str, users: Iterable[str]) -> None:
        self.root = root
        self.uids = {name: FIRST_UID + place for place, name in enumerate(users)}
        shutil.copytree(UNPACKED / package, root, symlinks=True, dirs_exist_ok=True)
        for library in libraries_of(root / program):
            target = self._within(library)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, target)
        self._make_devices()
        self._make_users()
        self._program = program

    def command(self, *arguments: str) -> list[str]:
        """Return the command that runs the program within."""
        return ["chroot", str(self.root), f"/{self._program}", *arguments]

    def make_directory(self, path: str, owner: str = "root", mode: int = 0o755) -> Path:
        """Make a directory within and return where it is from without."""
        made = self._within(path)
        made.mkdir(parents=True, exist_ok=True)
        uid = self.uids.get(owner, 0)
        os.chown(made, uid, uid)
        os.chmod(made, mode)
        return made

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file within."""
        target = self._within(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def _within(self, path: str | Path) -> Path:
        return self.root / str(path).lstrip("/")

    def _make_devices(self) -> None:
        self.make_directory("/dev")
        for name, minor in (("null", 3), ("urandom", 9)):
            device = self._within(f"/dev/{name}")
            os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, minor))
            device.chmod(0o666)
        self.make_directory("/tmp", mode=0o1777)
        self.make_directory("/run")
        self.make_directory("/var")
        self._within("/var/run").symlink_to("../run")

    def _make_users(self) -> None:
        users = {"root": 0, **self.uids}
        entries = [f"{name}:x:{uid}:{uid}::/home/{name}:/bin/false" for name, uid in users.items()]
        self.write("/etc/passwd", "\n".join([*entries, ""]))
        self.write("/etc/group", "".join(f"{name}:x:{uid}:\n" for name, uid in users.items()))
        self.write("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")
        self.write("/etc/hosts", "127.0.0.1 localhost\n")


def libraries_of(program: Path) -> list[str]:
    """Return the shared libraries that the dynamic linker would load for `program`."""
    told = subprocess.run(["ldd", program], stdout=subprocess.PIPE, check=True).stdout.decode()
    return re.findall(r"(/\S+) \(0x", told)
