"""What the real servers of the tests share: `Peer`.

A peer lives below one directory, which `close()` removes, listens on a port of 127.0.0.1 that stays
the same until then, and ends with the test run.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.helpers.guarded import Guarded
from tests.helpers.smarthost import Received
from tests.helpers.waiting import ReservedPort, listens, wait_until

# On a busy machine Dovecot has been seen to listen for 11 s before it started a process to serve.
START_S, GREETING_S = 60.0, 15.0


def greets(port: int) -> bool:
    """Tell whether a server on `port` of 127.0.0.1 greets: that it listens says only that it will.

    What has not begun to serve has its connections accepted by the kernel.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=GREETING_S) as probe:
            return probe.recv(3, socket.MSG_WAITALL) == b"220"
    except OSError:
        return False


class Peer:
    """A server of the kind `name`; the subclasses write its files and know its command."""

    name = ""

    def __init__(
        self, *, certificate: bytes | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        """Make and start it; `certificate` (PEM of key and chain in one): it offers STARTTLS.

        `env`: variables for all of it, besides PATH.
        """
        self.directory = Path(tempfile.mkdtemp(prefix=f"pysendmail-{self.name}-"))
        os.chmod(self.directory, 0o755)  # the server's own users look below it
        self._port = ReservedPort()
        self._certificate = certificate
        self._env = dict(env or {})
        self._server: Guarded | None = None
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def port(self) -> int:
        """The port, the same through stop and start."""
        return self._port.number

    @property
    def address(self) -> tuple[str, int]:
        """Where to connect to."""
        return "127.0.0.1", self.port

    def received(self) -> list[Received]:
        """Return the messages delivered so far; their order is the server's."""
        raise NotImplementedError

    def count(self) -> int:
        """Return how many messages were delivered so far."""
        return len(self.received())

    def wait_for(self, count: int, seconds: float = 30.0) -> list[Received]:
        """Return `received()` once it has `count` messages, else AssertionError with the log."""
        wait_until(
            lambda: self.count() >= count,
            seconds=seconds,
            what=f"{count} messages at {self.name}",
            evidence=lambda: f"there: {self.received()}\n{self.log()}",
        )
        return self.received()

    def log(self) -> str:
        """Return what the server has logged."""
        path = self.directory / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start, or come back after `stop`; returns when it is `ready`."""
        self.stop()
        self.configure()
        self._server = Guarded(self.command(), env=self._env, output=self.directory / "log")
        wait_until(
            self.ready,
            seconds=START_S,
            what=f"{self.name} to be ready",
            evidence=self.log,
        )

    def ready(self) -> bool:
        """Tell whether it greets: some have the port long before anybody reads it."""
        return greets(self.port)

    def stop(self) -> None:
        """End it and its open connections: from now on connections are refused."""
        if self._server is not None:
            self._server.stop()
            self._server = None
            wait_until(lambda: not listens(self.port), what=f"the end of {self.name}")

    def certify(self, certificate: bytes | None) -> None:
        """Start again with another certificate, or with none: without STARTTLS."""
        self.stop()
        self._certificate = certificate
        self.start()

    def close(self) -> None:
        """End everything and remove it."""
        try:
            self.stop()
        finally:
            self._port.close()
            shutil.rmtree(self.directory, ignore_errors=True)

    def prepare(self) -> None:
        """Make what is made once, before the first start."""

    def configure(self) -> None:
        """Write the files that the next start reads."""
        raise NotImplementedError

    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground."""
        raise NotImplementedError
