"""The user of the daemon, and the directories that are his: the spool with its drop directory.

The spool is 0711: everybody walks through it to drop/, nobody lists it. drop/ is 3733: anybody may
add a file, nobody can list it, only its owner and the daemon's user remove it (sticky), and its
group is the daemon's, who reads it by that (setgid).
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil

from etc.installer.dependencies import run
from etc.installer.places import USER, Places, Trouble
from pysendmail.submission.drop_door import DROP_MODE

SPOOL_MODE = 0o711


def service_user(places: Places) -> str:
    """Return the name of the user the daemon is to run as.

    Unless one is named: `pysendmail` for a system installation, else whoever installs.
    """
    if places.user:
        return places.user
    if places.is_system:
        return USER
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())  # a container's random uid; systemd takes numbers too


def find_user(name: str) -> tuple[int, int] | None:
    """Return (uid, gid) of a user."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return entry.pw_uid, entry.pw_gid


def make_user(name: str, home: str) -> None:
    """Make a system user and his group, where they are not there; Trouble when that fails."""
    if find_user(name):
        return
    nologin = shutil.which("nologin", path="/usr/sbin:/sbin") or "/bin/false"
    if shutil.which("useradd"):
        group = ["--gid", name] if group_exists(name) else ["--user-group"]
        facts = ["--home-dir", home, "--no-create-home", "--shell", nologin]
        commands = [["useradd", "--system", *group, *facts, "--comment", "outgoing mail", name]]
    else:  # busybox
        add_group = [] if group_exists(name) else [["addgroup", "-S", name]]
        facts = ["-h", home, "-s", nologin, "-g", "outgoing mail"]
        commands = [*add_group, ["adduser", "-S", "-D", "-H", "-G", name, *facts, name]]
    for command in commands:
        try:
            done = run(command)
        except FileNotFoundError:
            raise Trouble(
                f"there is neither useradd nor {command[0]}: make the user {name}"
            ) from None
        if done.returncode != 0:
            raise Trouble(f"cannot make the user {name}: {command[0]}: {done.stderr.strip()}")


def group_exists(name: str) -> bool:
    """Tell whether there is such a group."""
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def make_spool(path: str, owner: tuple[int, int] | None) -> None:
    """Make the spool and its drop directory, or put owner and modes right; mail in it stays."""
    for directory, mode in ((path, SPOOL_MODE), (f"{path}/drop", DROP_MODE)):
        os.makedirs(directory, exist_ok=True)
        # what is inside the spool is the daemon's to change, so no link of his is followed
        opened = os.open(directory, os.O_DIRECTORY | os.O_NOFOLLOW)
        if owner:
            os.chown(opened, *owner)
        os.chmod(opened, mode)
        os.close(opened)
