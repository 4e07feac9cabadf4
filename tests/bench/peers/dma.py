"""dma, DragonFly's mail agent: no daemon."""

from __future__ import annotations

import subprocess

from tests.bench.peers.peer import HOSTNAME, Peer, sendmail
from tests.bench.smarthosts import PASSWORD, USER


class Dma(Peer):
    """By its settings a submission queues, or delivers in the background, or waits with -D."""

    name = "dma"
    root = "dma"
    spool = "/var/spool/dma"
    resident = False
    _deferring: bool | None = None

    def configure(self) -> None:
        login = f"{USER}|{self.smarthost.host}:{PASSWORD}\n"
        self.write("/etc/dma/auth.conf", login, mode="640", owner="root:mail")

    def queueing(self) -> list[str]:
        self._defer(True)
        return sendmail()

    def delivering(self) -> list[str]:
        self._defer(False)
        return sendmail("-D")

    def listing(self) -> list[str]:
        return ["mailq"]

    def flush(self) -> list[subprocess.Popen[bytes]]:
        return [self.place.start("dma", "-q")]

    def _defer(self, deferring: bool) -> None:
        if deferring == self._deferring:
            return
        self._deferring = deferring
        lines = [f"SMARTHOST {self.smarthost.host}", f"PORT {self.smarthost.port}"]
        lines += [f"MAILNAME {HOSTNAME}", "NULLCLIENT", *(["DEFER"] if deferring else [])]
        if self.smarthost.tls:
            lines += ["SECURETRANSFER", "STARTTLS", "AUTHPATH /etc/dma/auth.conf"]
        self.write("/etc/dma/dma.conf", "\n".join(lines) + "\n", mode="640", owner="root:mail")
