"""Other users than this machine's: a passwd and a group file of our own, in a mount namespace.

What runs in there (`within`) sees the same files and the same network, but other people: alice with
her full name, root, the daemon's user, and nobody for uid 4242. Needs root and the right to mount;
`why_not` tells what is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence

ALICE, SERVICE, NAMELESS = 1000, 990, 4242
PASSWD = f"""\
root:x:0:0:root:/root:/bin/sh
alice:x:{ALICE}:{ALICE}:Alice Liddell,Room 1,,:/nonexistent:/bin/sh
pysendmail:x:{SERVICE}:{SERVICE}::/nonexistent:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
GROUP = f"""\
root:x:0:
alice:x:{ALICE}:
pysendmail:x:{SERVICE}:
nogroup:x:65534:
"""
SCRIPT = """
mount --bind "$0/passwd" /etc/passwd
mount --bind "$0/group" /etc/group
echo ready
exec sleep infinity
"""


def why_not() -> str:
    """Return what keeps us from making people here, "" when nothing does."""
    if os.geteuid() != 0:
        return "only root can mount"
    if not all(map(shutil.which, ("unshare", "nsenter", "setpriv"))):
        return "util-linux is not installed"
    tried = subprocess.run(
        ["unshare", "--mount", "mount", "--bind", "/etc/hostname", "/etc/hostname"],
        capture_output=True,
        text=True,
        check=False,
    )
    return f"no mount namespace can be made: {tried.stderr.strip()}" if tried.returncode else ""


class People:
    """The namespace, for as long as it is open."""

    def __init__(self) -> None:
        self._directory = tempfile.mkdtemp(prefix="people-")
        os.chmod(self._directory, 0o755)
        for name, text in (("passwd", PASSWD), ("group", GROUP)):
            with open(f"{self._directory}/{name}", "w", encoding="ascii") as file:
                file.write(text)
        keeper = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "/bin/sh", "-euc", SCRIPT]
        self._keeper = subprocess.Popen([*keeper, self._directory], stdout=subprocess.PIPE)
        assert self._keeper.stdout is not None
        assert self._keeper.stdout.readline() == b"ready\n"

    def within(self, uid: int = 0) -> Sequence[str]:
        """Return what has to stand before a command so that it runs in there, as this user."""
        enter = [shutil.which("nsenter") or "nsenter", f"--mount=/proc/{self._keeper.pid}/ns/mnt"]
        return [*enter, *([f"--setuid={uid}", f"--setgid={uid}"] if uid else []), "--"]

    def close(self) -> None:
        """End it; what runs in there goes on."""
        self._keeper.kill()
        self._keeper.communicate()
        shutil.rmtree(self._directory)
