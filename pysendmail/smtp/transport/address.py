"""Where a server is: a host and a port, the path of a Unix socket, or a command to talk to.

Pure. An address that cannot be one raises `UsageError`.
"""

from __future__ import annotations

from ..errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    Address: TypeAlias = "tuple[str, int] | str | Command"

SMTP_PORT = TCP_PORT = 25
SUBMISSION_PORT = 587
SUBMISSIONS_PORT = 465


class Command:
    """A program whose standard input and output are the connection, as `ssh relay nc mx 25`.

    `argv` is the program, looked up in PATH, and its arguments; no shell sees them.
    """

    __slots__ = ("argv",)

    def __init__(self, argv: Sequence[str]) -> None:
        if isinstance(argv, str) or not argv or any("\0" in argument for argument in argv):
            raise UsageError("a command is a list of the program and its arguments, without NUL")
        self.argv = tuple(argv)

    def __repr__(self) -> str:
        return f"Command({list(self.argv)!r})"


def check_address(address: Address) -> None:
    """Raise `UsageError` for a host, port or path that is impossible."""
    if isinstance(address, Command):
        return
    if isinstance(address, str):
        if "\0" in address:
            raise UsageError(f"not the path of a socket: {address!r}")
        return
    host, port = address
    if not host.isprintable() or " " in host:
        raise UsageError(f"not the name of a host: {host!r}")
    if not 0 < port < 65536:
        raise UsageError(f"not a port: {port}")


def format_host_port(host: str, port: int) -> str:
    """Return `host:port`, the host in brackets where it has colons itself."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
