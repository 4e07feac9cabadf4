"""The room that is left where the spool is, and the reserve that new messages leave of it.

The reserve is for what has begun: records of attempts, bounces, what lies in the drop directory.
Without it a full disk would be the end of deliveries, too, and nothing would ever make room.
"""

from __future__ import annotations

import posix

INODE_OCTETS = 16 * 1024  # a file system is made with one inode for so many octets, as a rule


def free_octets(place: str | int) -> float:
    """Return how many octets of new files there is room for, infinity where nobody can say.

    Inodes that run short count like the octets they are made for. Raises OSError.
    """
    status = posix.statvfs(place)
    if not status.f_blocks:
        return float("inf")
    octets = status.f_bavail * status.f_frsize
    return min(octets, status.f_favail * INODE_OCTETS) if status.f_files else octets


def find_shortage(free: float, size: int, reserve: int, *, uid: int) -> str:
    """Return why a user's message of `size` octets has no room beside the reserve, "" when it has.

    Root's messages leave half of it: whoever has filled the disk, root's mail gets through.
    """
    if uid == 0:
        reserve //= 2
    if not reserve or free - size >= reserve:
        return ""
    return (
        f"the spool's file system is full: there is room for {max(int(free), 0)} octets, and "
        f"{reserve} are kept in reserve (reserve)"
    )
