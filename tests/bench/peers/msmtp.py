"""msmtp: delivers while the caller waits, and has no queue."""

from __future__ import annotations

from tests.bench.peers.peer import HOSTNAME, Peer, sendmail
from tests.bench.smarthosts import PASSWORD, USER


class Msmtp(Peer):
    """No daemon, and no queue but by scripts that sync nothing."""

    name = "msmtp"
    root = "msmtp-mta"
    spool = "/var/spool/msmtp"
    resident = False
    flushes = False

    def configure(self) -> None:
        lines = ["account default", f"host {self.smarthost.host}", f"port {self.smarthost.port}"]
        lines += [f"domain {HOSTNAME}", "from a@example.com", "allow_from_override on"]
        if self.smarthost.tls:
            lines += ["tls on", "tls_starttls on", "tls_certcheck off"]
            lines += ["auth plain", f"user {USER}", f"password {PASSWORD}"]
        else:
            lines += ["tls off", "auth off"]
        self.write("/etc/msmtprc", "\n".join(lines) + "\n")

    def delivering(self) -> list[str]:
        return sendmail()
