"""Being another user for a while, as far as the kernel is concerned: tests that root runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become several users")


@contextmanager
def acting_as(uid: int) -> Iterator[None]:
    """Have the rights of this user, with the group of that number and no other, and no more.

    For the whole process, whichever thread: files and sockets are asked for in his name.
    """
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
