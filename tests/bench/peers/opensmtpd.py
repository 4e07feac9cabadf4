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
    flushes = False  # `smtpctl schedule all` does not end the back-off of the smarthost's route

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

    def _answers(self) -> bool:
        tried = [*self.place.within(), "smtpctl", "show", "status"]
        return not subprocess.run(tried, capture_output=True, check=False).returncode
