"""OpenSMTPD."""

from __future__ import annotations

import subprocess

from tests.bench.peers.peer import Peer, sendmail
from tests.bench.smarthosts import PASSWORD, USER
from tests.helpers.waiting import wait_until


class OpenSMTPD(Peer):
    """A submission hands over to the daemon, which must run."""

    name = "OpenSMTPD"
    root = "opensmtpd"
    spool = "/var/spool/smtpd"

    def configure(self) -> None:
        where = f"{self.smarthost.host}:{self.smarthost.port}"
        if self.smarthost.tls:
            action = f"smtp+tls://smarthost@{where} auth <secrets> tls no-verify"
        else:
            action = f"smtp+notls://{where}"
        secret = f"smarthost {USER}:{PASSWORD}\n"
        self.write("/etc/smtpd-secrets", secret, mode="640", owner="root:opensmtpd")
        self.write(
            "/etc/smtpd.conf",
            "table secrets file:/etc/smtpd-secrets\nlisten on socket\n"
            f'action "relay" relay host {action}\nmatch from local for any action "relay"\n',
        )

    def start(self) -> None:
        if not self.place.processes():
            self.place.run("smtpd")
            wait_until(self._answers, what="OpenSMTPD to answer")

    def queueing(self) -> list[str]:
        return sendmail()

    def listing(self) -> list[str]:
        return ["smtpctl", "show", "queue"]

    def start_waiting(self) -> None:
        # what was attempted in vain is not attempted again by `smtpctl schedule all`
        self.start()
        self.place.run("smtpctl", "pause", "mta")

    def flush(self) -> list[subprocess.Popen[bytes]]:
        return [self.place.start("smtpctl", "resume", "mta")]

    def _answers(self) -> bool:
        tried = [*self.place.within(), "smtpctl", "show", "status"]
        return not subprocess.run(tried, capture_output=True, check=False).returncode
