"""Small file systems in a mount namespace of their own: full or read-only when a test says so.

Nothing of the machine changes: the namespace ends with the test.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.helpers.people import why_not

__all__ = ["Volume", "why_not"]

KEEP = """
[ -z "$2" ] || mount -o remount,bind,ro /
mount -t tmpfs -o "$1,mode=0755" tmpfs "$0"
echo ready
exec sleep infinity
"""


class Volume:
    """A tmpfs with these options (`size=1m`), at `path` for whoever runs `within`.

    With `read_only_root` nothing else of the machine's root can be written in there.

    It has the methods of `People`, so a `Site` can live in there.
    """

    def __init__(self, options: str, *, read_only_root: bool = False) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="volume-"))
        self.path.chmod(0o755)
        keeper = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "/bin/sh", "-euc", KEEP]
        words = [str(self.path), options, "yes" if read_only_root else ""]
        self._keeper = subprocess.Popen([*keeper, *words], stdout=subprocess.PIPE)
        assert self._keeper.stdout is not None
        assert self._keeper.stdout.readline() == b"ready\n"

    def within(self, uid: int = 0) -> Sequence[str]:
        """Return what has to stand before a command so that it runs in there, as this user."""
        enter = [shutil.which("nsenter") or "nsenter", f"--mount=/proc/{self._keeper.pid}/ns/mnt"]
        return [*enter, *([f"--setuid={uid}", f"--setgid={uid}"] if uid else []), "--"]

    @property
    def seen(self) -> Path:
        """Where we see from outside what lies at `path` inside."""
        return Path(f"/proc/{self._keeper.pid}/root{self.path}")

    def remount(self, options: str) -> None:
        """Change the options of the mount: `ro`, `rw`, `size=…`."""
        mount = ["mount", "-o", f"remount,{options}", str(self.path)]
        subprocess.run([*self.within(), *mount], check=True)

    def close(self) -> None:
        """End the namespace, and with it the file system."""
        self._keeper.kill()
        self._keeper.communicate()
        shutil.rmtree(self.path)
