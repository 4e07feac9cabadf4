"""Being told when something comes into a directory: by dnotify, SIGIO from the kernel.

It is the one way to be told that the standard library knows (fcntl(2), F_NOTIFY): submitters of the
drop directory may not ring the spool's bell. Some kernels do not have it, and what another machine
does on a shared file system it does not tell; so who is told still looks now and then.
"""

from __future__ import annotations

import fcntl
import os


def watch(directory: str) -> bool:
    """Have this process sent SIGIO for each name that comes into `directory`, as long as it lives;
    False where that is not to be had.

    There must be a handler by then: without one SIGIO ends the process.
    """
    fd = -1
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.fcntl(fd, fcntl.F_NOTIFY, fcntl.DN_CREATE | fcntl.DN_RENAME | fcntl.DN_MULTISHOT)
    except OSError:
        if fd >= 0:
            os.close(fd)
        return False
    return True  # and the descriptor stays open: with it the watch would end
