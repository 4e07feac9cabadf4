"""Which file systems do not survive: told from what the kernel says of the mounts."""

from __future__ import annotations

import pytest

from pysendmail.daemon.volume import find_volatile, volatile_spool

MOUNTS = """\
22 1 0:20 / / rw,relatime - overlay overlay rw,lowerdir=/l
23 22 0:21 / /run rw,nosuid - tmpfs tmpfs rw,size=100k
24 22 254:1 / /data rw - ext4 /dev/vdb rw
25 24 0:22 / /data/in\\040memory rw shared:1 - tmpfs tmpfs rw
26 22 0:23 / /mnt rw - tmpfs tmpfs rw
27 26 254:2 / /mnt rw - xfs /dev/vdc rw
a line that is none
"""


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/var/spool/pysendmail", "lies on overlay, so what waits there goes with the container"),
        ("/run/spool", "lies on tmpfs"),
        ("/runaway", "lies on overlay"),
        ("/data", ""),
        ("/data/spool", ""),
        ("/data/in memory/spool", "lies on tmpfs"),
        ("/mnt/spool", ""),
    ],
)
def test_last_and_longest_mount_tells(path: str, words: str) -> None:
    found = find_volatile(path, MOUNTS)
    assert words in found if words else not found


def test_spool_of_memory_is_known_here() -> None:
    assert "tmpfs" in volatile_spool("/dev/shm/spool")
