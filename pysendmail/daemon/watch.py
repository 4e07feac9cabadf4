"""Being told when something comes into a directory: by dnotify, SIGIO from the kernel.

It is the one way to be told that the standard library knows (fcntl(2), F_NOTIFY): submitters of the
drop directory may not ring the spool's bell. Each time it is told once, however much comes in, so
that nobody can keep us busy with it. Some kernels do not have it, and what another machine does on
a shared file system it does not tell; so who is told still looks now and then.
"""

from __future__ import annotations

import fcntl
import os


class Watch:
    """One directory. There must be a handler of SIGIO: without one it ends the process."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._fd = -1  # the watch ends when it is closed

    def arm(self) -> bool:
        """Have this process sent one SIGIO when a name comes into the directory; False where that
        is not to be had. Once more before that is no more than once.
        """
        try:
            if self._fd < 0:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
                self._fd = os.open(self._directory, flags)
            fcntl.fcntl(self._fd, fcntl.F_NOTIFY, fcntl.DN_CREATE | fcntl.DN_RENAME)
        except OSError:
            return False
        return True
