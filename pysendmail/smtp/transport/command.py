"""A command as a connection: a child whose standard input and output are one end of a socket pair.

A socket pair and not two pipes, so that everything a connection can do, TLS included, is done by
the same stream. Standard error is left alone; no shell is involved. The child is always reaped:
closing the stream ends its input, and a child that does not end by itself is ended.
"""

from __future__ import annotations

from ..errors import ConnectError
from .stream import SocketStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket
    from subprocess import Popen

    from .address import Command

# A child that is asked to end, by the end of its input or by SIGTERM, has so long to do it.
GRACE_S = 2.0


def start_command(command: Command, *, grace: float = GRACE_S) -> CommandStream:
    """Start the command and return the connection with it; raises `ConnectError`."""
    import socket
    import subprocess

    ours, theirs = socket.socketpair()
    try:
        child = subprocess.Popen(command.argv, stdin=theirs.fileno(), stdout=theirs.fileno())
    except OSError as error:
        ours.close()
        name = command.argv[0]
        raise ConnectError(name, ((name, error.strerror or str(error)),)) from error
    finally:
        theirs.close()
    return CommandStream(ours, child, grace)


class CommandStream(SocketStream):
    """The stream of a command; `close` waits for its end."""

    def __init__(self, sock: socket, child: Popen[bytes], grace: float) -> None:
        super().__init__(sock)
        self._child = child
        self._grace = grace

    def close(self) -> None:
        """End the command's input, then the command, if it does not end by itself."""
        from subprocess import TimeoutExpired

        super().close()
        for end in (self._child.terminate, self._child.kill):
            try:
                self._child.wait(self._grace)
                return
            except TimeoutExpired:
                end()
        self._child.wait()
