"""What the daemon's user cannot read: for `pysendmail check`, which root runs and who reads all.

The daemon becomes the user who owns the spool. Started by root it has read the configuration and
the passwords by then; systemd starts it as that user, and a reload reads them as that user, too.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd

from pysendmail.daemon.control import known_groups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pysendmail.config.load import Loaded


def find_closed_files(loaded: Loaded) -> tuple[list[str], list[str]]:
    """Return what is wrong, a line for each file: what root may start it with, and what it lacks.

    Nothing is found by another user than root, without a spool, or where it belongs to root.
    """
    config = loaded.config
    try:
        owner = os.stat(config.spool)
    except OSError:
        return [], []
    if os.geteuid() != 0 or owner.st_uid == 0:
        return [], []
    at_start = [loaded.path, config.password_file, config.listen_password_file]
    later = [
        config.token_file,
        config.ca_file,
        config.tls_certificate_file,
        config.tls_key_file,
        config.aliases,
    ]
    user = user_name(owner.st_uid)
    with acting_as(owner.st_uid, owner.st_gid):
        return (
            [
                f"the daemon's user {user} cannot read {path}: "
                "so only root can start the daemon, and it cannot reload"
                for path in at_start
                if is_closed(path)
            ],
            [f"the daemon's user {user} cannot read {path}" for path in later if is_closed(path)],
        )


def is_closed(path: str) -> bool:
    """Tell whether a file is there and we may not read it; a name of systemd's is left to it."""
    if not path.startswith("/"):
        return False
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except PermissionError:
        return True
    except OSError:
        pass
    return False


@contextlib.contextmanager
def acting_as(uid: int, gid: int) -> Iterator[None]:
    """As root, have the rights of a user for a while; those of root where we may not do without."""
    before, groups = os.getegid(), os.getgroups()
    try:
        os.setgroups(known_groups(uid, gid))
        os.setegid(gid)
        os.seteuid(uid)
    except PermissionError:
        pass  # a container's root without privileges, who starts no daemon as another user
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(before)
        with contextlib.suppress(PermissionError):
            os.setgroups(groups)


def user_name(uid: int) -> str:
    """Return the name of a user, `uid 4711` for one without."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def group_name(gid: int) -> str:
    """Return the name of a group behind the word, `group 4711` for one without."""
    try:
        return f"group {grp.getgrgid(gid).gr_name}"
    except KeyError:
        return f"group {gid}"
