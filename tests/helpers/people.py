"""Other users than this machine's: a passwd and a group file of our own, in a mount namespace.

What runs in there (`within`) sees the same files and the same network, but other people: alice with
her full name, root, the daemon's user, and nobody for uid 4242.
"""

from __future__ import annotations

from tests.helpers.private_etc import PrivateEtc, why_not

__all__ = ["ALICE", "NAMELESS", "SERVICE", "People", "why_not"]

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


class People(PrivateEtc):
    """The namespace, for as long as it is open."""

    def __init__(self) -> None:
        super().__init__({"passwd": PASSWD, "group": GROUP})
