"""From the name of a host to its addresses, in no more time than there is.

`getaddrinfo` knows every way in which a system names its hosts, and no time limit. So it is called
in a thread, which is left to itself when the time is over: it ends when the system's resolver gives
up, after some ten seconds as a rule, and keeps no program from ending. Literal addresses need no
thread.

Raises `OSError`, `TimeoutError` among them, and `ValueError` for what cannot be a name.
"""

from __future__ import annotations

import _socket
import _thread
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Candidate: TypeAlias = tuple[int, Any]  # address family and socket address


def resolve(host: str, port: int, until: float) -> list[Candidate]:
    """Return the addresses of `host`, in the order the system prefers (RFC 6724)."""
    # As text it would be encoded by `idna`, which takes longer to import than the rest of us.
    name = host.encode() if host.isascii() else host
    try:
        found = _socket.getaddrinfo(
            name, port, type=_socket.SOCK_STREAM, flags=_socket.AI_NUMERICHOST
        )
    except _socket.gaierror as error:
        if error.errno != _socket.EAI_NONAME:
            raise
        found = _ask_resolver(name, port, until)
    return [(family, address) for family, _, _, _, address in found]


def _ask_resolver(host: bytes | str, port: int, until: float) -> list[Any]:
    answers: list[list[Any]] = []
    faults: list[Exception] = []
    asking = _thread.allocate_lock()  # held until there is an answer

    def ask() -> None:
        try:
            answers.append(_socket.getaddrinfo(host, port, type=_socket.SOCK_STREAM))
        except (OSError, ValueError) as error:
            faults.append(error)
        finally:
            asking.release()

    asking.acquire()
    try:
        _thread.start_new_thread(ask, ())
    except RuntimeError as error:  # no more threads to be had
        raise OSError(str(error)) from error
    asking.acquire(timeout=min(max(0.0, until - time.monotonic()), _thread.TIMEOUT_MAX))
    if faults:
        raise faults[0]
    if not answers:
        raise TimeoutError
    return answers[0]
