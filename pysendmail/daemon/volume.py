"""On what kind of file system the spool lies: some do not survive, and whoever runs us should know.

The upper layer of a container's root goes with the container, memory with the machine. Both may be
meant so; they are told, and never refused.
"""

from __future__ import annotations

import os

VOLATILE = {
    "overlay": "goes with the container",
    "aufs": "goes with the container",
    "tmpfs": "is gone after a restart of the machine or container",
    "ramfs": "is gone after a restart of the machine or container",
}


def find_volatile(path: str, mounts: str) -> str:
    """Return why what is at `path` will not survive, "" when it will as far as we know.

    `mounts` is the text of /proc/self/mountinfo (proc(5)); the last mount over a place counts.
    """
    kind, longest = "", ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        place = fields[4].encode().decode("unicode_escape")  # \040 for a blank
        if is_below(path, place) and len(place) >= len(longest):
            longest, kind = place, after.split(" ")[0]
    if kind not in VOLATILE:
        return ""
    return f"the spool {path} lies on {kind}, so what waits there {VOLATILE[kind]}"


def is_below(path: str, place: str) -> bool:
    """Tell whether a path is that of a directory or of something in it."""
    return f"{path}/".startswith(f"{place.rstrip('/')}/")


def volatile_spool(spool: str) -> str:
    """Return the warning for this spool, "" when there is none or nobody can say."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
            return find_volatile(os.path.realpath(spool), mounts.read())
    except (OSError, ValueError):
        return ""
