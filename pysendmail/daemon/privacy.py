"""Closing this process to others of its own user: no core, no trace, no look into its memory.

The daemon has the password in its memory, and in its environment when it came by that. The kernel
lets every process of the same user read both; so the daemon says of itself that it must not be
dumped. /proc then belongs to root, ptrace is refused, and no core is written, also where cores go
to a program and no limit on their size counts (core(5)).
"""

from __future__ import annotations

PR_SET_DUMPABLE = 4  # prctl(2)


def close_to_others() -> bool:
    """Have the kernel refuse dumps of this process; tell whether it will.

    To be said again after a change of user, which sets it to what the system wants.
    """
    try:
        import ctypes  # the daemon's alone: the standard library has no other way to prctl

        return bool(ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)
    except (ImportError, OSError, AttributeError, MemoryError):
        return False  # no C library to be asked, as where memory must not be made executable
