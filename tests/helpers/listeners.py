"""Sockets on loopback that answer, refuse, or keep silent to who wants to connect."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def answering(host: str = "127.0.0.1", family: int = socket.AF_INET) -> Iterator[tuple[str, int]]:
    """The address of a listener that has room for whoever comes."""
    with socket.socket(family) as listener:
        listener.bind((host, 0))
        listener.listen()
        yield listener.getsockname()[:2]


@contextlib.contextmanager
def refusing(host: str = "127.0.0.1") -> Iterator[tuple[str, int]]:
    """The address of a port that is taken, so that nobody else gets it, and not listened on."""
    with socket.socket() as bound:
        bound.bind((host, 0))
        yield bound.getsockname()


@contextlib.contextmanager
def silent(host: str = "127.0.0.1") -> Iterator[tuple[str, int]]:
    """The address of a listener whose queue is full: Linux then drops who wants to connect."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((host, 0))
        listener.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()
