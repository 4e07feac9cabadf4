"""Small file systems in a mount namespace of their own: full or read-only when a test says so.

Nothing of the machine changes: the namespace ends with the test.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.helpers.private_etc import why_not

__all__ = ["CannotMount", "Volume", "why_not"]


class CannotMount(Exception):
    """Such a file system cannot be made here; says why."""


# $0: where it is mounted; $1: options of the tmpfs; $2: whether the rest is read-only.
KEEP = """
[ -z "$2" ] || mount -o remount,bind,ro /
mount -t tmpfs -o "$1,mode=0755" tmpfs "$0"
%s
echo ready
exec sleep infinity
"""

# What is made of the tmpfs, which is as small as wanted.
TMPFS, EXT4, OVERLAY = "tmpfs", "ext4", "overlay"
MAKE = {
    TMPFS: "",
    EXT4: """
dd if=/dev/zero of="$0/disk" bs=1M 2>/dev/null || true
mkfs.ext4 -q -N 1000 -m 0 "$0/disk"
mount -o loop "$0/disk" "$0"
chmod 0755 "$0"
""",
    OVERLAY: """
mkdir "$0/lower" "$0/upper" "$0/work"
mount -t overlay -o "lowerdir=$0/lower,upperdir=$0/upper,workdir=$0/work" overlay "$0"
""",
}


class Volume:
    """A file system of this `kind` and with these options of tmpfs (`size=8m`), at `path` for
    whoever runs `within`.

    With `read_only_root` nothing else of the machine's root can be written in there. Raises
    CannotMount.

    It has the methods of `People`, so a `Site` can live in there.
    """

    def __init__(self, options: str, *, kind: str = TMPFS, read_only_root: bool = False) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="volume-"))
        self.path.chmod(0o755)
        script = KEEP % MAKE[kind]
        keeper = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "/bin/sh", "-euc", script]
        words = [str(self.path), options, "yes" if read_only_root else ""]
        self._keeper = subprocess.Popen(
            [*keeper, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert self._keeper.stdout is not None
        if self._keeper.stdout.readline() != b"ready\n":
            _, said = self._keeper.communicate()
            self.path.rmdir()
            raise CannotMount(f"no {kind} can be mounted: {said.decode().strip()}")

    def within(self, uid: int = 0) -> Sequence[str]:
        """Return what has to stand before a command so that it runs in there, as this user."""
        enter = [shutil.which("nsenter") or "nsenter", f"--mount=/proc/{self._keeper.pid}/ns/mnt"]
        return [*enter, *([f"--setuid={uid}", f"--setgid={uid}"] if uid else []), "--"]

    @property
    def seen(self) -> Path:
        """Where we see from outside what lies at `path` inside."""
        return Path(f"/proc/{self._keeper.pid}/root{self.path}")

    def remount(self, options: str) -> None:
        """Change the options of the mount: `ro`, `rw`; `abort` breaks an ext4."""
        mount = ["mount", "-o", f"remount,{options}", str(self.path)]
        subprocess.run([*self.within(), *mount], check=True)

    def repair(self) -> None:
        """Mount a broken ext4 anew, which nobody may use meanwhile."""
        script = 'umount "$0"; e2fsck -p "$0/disk" || [ $? = 1 ]; mount -o loop "$0/disk" "$0"'
        command = [*self.within(), "/bin/sh", "-euc", script, str(self.path)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def close(self) -> None:
        """End the namespace, and with it the file system."""
        self._keeper.kill()
        self._keeper.communicate()
        shutil.rmtree(self.path)
