"""Files of /etc that are others than this machine's, for who runs in a mount namespace.

Needs root and the right to mount; `why_not` tells what is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence

SCRIPT = """
for name; do mount --bind "$0/$name" "/etc/$name"; done
echo ready
exec sleep infinity
"""


def why_not() -> str:
    """Return what keeps us from making such a namespace, "" when nothing does."""
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


class PrivateEtc:
    """The namespace, for as long as it is open; `files` has the text by the name below /etc."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._directory = tempfile.mkdtemp(prefix="etc-")
        os.chmod(self._directory, 0o755)
        for name, text in files.items():
            with open(f"{self._directory}/{name}", "w", encoding="ascii") as file:
                file.write(text)
        keeper = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "/bin/sh", "-euc", SCRIPT]
        self._keeper = subprocess.Popen([*keeper, self._directory, *files], stdout=subprocess.PIPE)
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
