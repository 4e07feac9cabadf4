"""Waiting for a condition, and keeping a port: what every test with other processes needs.

Nothing here sleeps for a time that "ought to be enough": a condition is looked at again and again
until it holds or its deadline has passed, and then the error says what was waited for and what was
there.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

LOOK_AGAIN_S = 0.01
FORK_S = 5.0


def wait_until(
    condition: Callable[[], Found],
    *,
    seconds: float = 20.0,
    what: str = "the condition",
    evidence: Callable[[], str] = lambda: "",
) -> Found:
    """Return the first true value of `condition`.

    After `seconds` raises AssertionError with `what` and, asked for only then, the `evidence`.
    """
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain for {what}\n{evidence()}".rstrip())
        time.sleep(LOOK_AGAIN_S)
    return found


class ReservedPort:
    """A port of 127.0.0.1 that stays ours while servers on it come and go.

    A socket that is bound but never listens holds it: with SO_REUSEADDR on both sides a server may
    still bind and listen beside it, a client is refused while no server does, and the kernel gives
    the port to nobody else: neither to another test nor to a client as its own end (which,
    connecting to the port of a stopped server, could otherwise meet itself).  `number` 0: any free
    one.
    """

    def __init__(self, number: int = 0) -> None:
        self._holder = bound_socket(number)
        self.number: int = self._holder.getsockname()[1]

    def listen(self) -> socket.socket:
        """Return a new listening socket on the port; raises OSError when another one listens."""
        listener = bound_socket(self.number)
        listener.listen(64)
        return listener

    def close(self) -> None:
        """Give the port back."""
        self._holder.close()


def bound_socket(port: int) -> socket.socket:
    """Return a TCP socket bound to `port` of 127.0.0.1 that does not listen yet.

    Raises OSError when somebody listens there, and goes on for FORK_S seconds: a child of ours that
    has not come to its exec yet has copies of the listening sockets that were closed here.
    """
    deadline = time.monotonic() + FORK_S
    while True:
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(("127.0.0.1", port))
        except OSError:
            bound.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(LOOK_AGAIN_S)
        else:
            return bound


def listens(port: int) -> bool:
    """Tell whether a server accepts connections on `port` of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
