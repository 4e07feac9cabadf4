"""From the name of a host to its addresses, in no more time than there is.

`getaddrinfo` knows every way in which a system names its hosts, and no time limit. So it is called
in a thread, which is left to itself when the time is over: it ends when the system's resolver gives
up, after some ten seconds as a rule, and keeps no program from ending. Literal addresses need no
thread.

Raises `OSError`, `TimeoutError` among them, and `ValueError` for what cannot be a name.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Candidate: TypeAlias = tuple[int, Any]  # address family and socket address


def resolve(host: str, port: int, until: float) -> list[Candidate]:
    """Return the addresses of `host`, in the order the system prefers (RFC 6724)."""
    import socket

    # As text it would be encoded by `idna`, which takes longer to import than the rest of us.
    name = host.encode() if host.isascii() else host
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror as error:
        if error.errno != socket.EAI_NONAME:
            raise
        found = _ask_resolver(name, port, until)
    return [(family, address) for family, _, _, _, address in found]


def _ask_resolver(host: bytes | str, port: int, until: float) -> list[Any]:
    import socket
    import threading

    answers: list[list[Any]] = []
    faults: list[Exception] = []

    def ask() -> None:
        try:
            answers.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, ValueError) as error:
            faults.append(error)

    thread = threading.Thread(target=ask, name=f"resolving {host!r}", daemon=True)
    try:
        thread.start()
    except RuntimeError as error:  # no more threads to be had
        raise OSError(str(error)) from error
    thread.join(min(max(0.0, until - time.monotonic()), threading.TIMEOUT_MAX))
    if faults:
        raise faults[0]
    if not answers:
        raise TimeoutError
    return answers[0]
