"""A root directory over this machine's: what a program changes there is gone with it.

The root is an overlay in a mount namespace of its own, with /proc, /dev, an empty /tmp, and the
checkout read-only at its own path. Only root can have one, and not inside every container.
"""

from __future__ import annotations

import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from tests.helpers.installed import REPOSITORY, SEARCH_PATH

# $0: an empty directory; $1: the checkout; $2: the script; $3: unpacked packages, or nothing.
# They are no layer of the root's overlay, for they may lie below the machine's root and layers must
# not contain each other: so the large directory has an overlay of its own, and the rest is copied.
ENTER = r"""
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs "$0"
mkdir "$0/upper" "$0/work" "$0/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$0/upper,workdir=$0/work" "$0/root"
if [ "$3" ]; then
    mkdir "$0/usr" "$0/usr-work"
    mount -t overlay overlay -o "lowerdir=$3/usr:/usr,upperdir=$0/usr,workdir=$0/usr-work" \
        "$0/root/usr"
    tar -c -C "$3" etc var | tar -x --keep-directory-symlink -C "$0/root"
fi
mount -t proc proc "$0/root/proc"
mount --rbind /dev "$0/root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$0/root/tmp"
mkdir -p "$0/root$1"
mount --bind "$1" "$0/root$1"
mount -o remount,bind,ro "$0/root$1"
exec chroot "$0/root" /bin/sh -euc "$2"
"""

# No mail system, and nothing of ours; then the two commands with the libraries of the tests.
BEGIN = f"""
names="/usr/sbin/sendmail /usr/sbin/send-mail /usr/lib/sendmail /usr/bin/mailq /usr/bin/newaliases
 /usr/bin/runq /usr/bin/hoststat /usr/bin/purgestat /usr/bin/rmail"
rm -rf $names /etc/pysendmail /var/spool/pysendmail
! getent passwd pysendmail >/dev/null || userdel pysendmail
cd {REPOSITORY}
install() {{ make --silent install "DEPENDENCIES={sysconfig.get_path("purelib")}" "$@"; }}
uninstall() {{ make --silent uninstall; }}
"""


def command(
    directory: Path, script: str, *, packages: Path | None = None, namespaces: Sequence[str] = ()
) -> list[str]:
    """Return the command that runs a shell script as root in a root of its own.

    `directory`: an empty one, where it is mounted; `packages`: where packages are unpacked that
    shall lie over the machine's files; `namespaces`: further options of unshare(1).
    """
    enter = ["/bin/sh", "-c", ENTER, str(directory), str(REPOSITORY), script]
    return ["unshare", "--mount", *namespaces, *enter, str(packages or "")]


def run_script(directory: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script as root in a root of its own, to its end."""
    return subprocess.run(
        command(directory, script),
        env={"PATH": SEARCH_PATH},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def why_not(directory: Path) -> str:
    """Return why there can be no such root here, '' when there can."""
    tried = run_script(directory, "true")
    return tried.stderr.strip() or "no reason given" if tried.returncode else ""
