"""nullmailer: a queue, and a daemon that delivers from it."""

from __future__ import annotations

import subprocess

from tests.bench.peers.peer import HOSTNAME, Peer, sendmail
from tests.bench.smarthosts import PASSWORD, USER


class Nullmailer(Peer):
    """What is in the queue when the daemon starts is attempted at once."""

    name = "nullmailer"
    root = "nullmailer"
    spool = "/var/spool/nullmailer"
    _daemon: subprocess.Popen[bytes] | None = None

    def configure(self) -> None:
        line = f"{self.smarthost.host} smtp --port={self.smarthost.port}"
        if self.smarthost.tls:
            line += f" --starttls --insecure --user={USER} --pass={PASSWORD}"
        self.write("/etc/nullmailer/remotes", line + "\n", mode="600", owner="mail:mail")
        self.write("/etc/nullmailer/me", HOSTNAME + "\n")
        self.write("/etc/nullmailer/defaultdomain", "example.com\n")

    def start(self) -> None:
        if self._daemon is None:
            user = ("setpriv", "--reuid=mail", "--regid=mail", "--clear-groups")
            self._daemon = self.place.start(*user, "nullmailer-send")

    def stop(self) -> None:
        super().stop()
        if self._daemon is not None:
            self._daemon.wait()
            self._daemon = None

    def start_waiting(self) -> None:
        self.stop()  # it attempts what is in the queue when it starts, and not soon again

    def queueing(self) -> list[str]:
        return sendmail()

    def listing(self) -> list[str]:
        return ["mailq"]

    def flush(self) -> list[subprocess.Popen[bytes]]:
        self.start()
        return []
