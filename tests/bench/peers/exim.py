"""Exim, as Debian's exim4-daemon-light configures a satellite."""

from __future__ import annotations

import subprocess

from tests.bench.peers.peer import HOSTNAME, Peer, sendmail
from tests.bench.smarthosts import PASSWORD, USER

ANSWERS = """\
dc_eximconfig_configtype='satellite'
dc_other_hostnames=''
dc_local_interfaces='127.0.0.1'
dc_readhost='{hostname}'
dc_relay_domains=''
dc_minimaldns='false'
dc_relay_nets=''
dc_smarthost='{host}::{port}'
CFILEMODE='644'
dc_use_split_config='false'
dc_hide_mailname='false'
dc_mailname_in_oh='true'
dc_localdelivery='mail_spool'
"""
MACROS = f"MAIN_HARDCODE_PRIMARY_HOSTNAME = {HOSTNAME}\ndisable_ipv6 = true\n"
PLAIN = "REMOTE_SMTP_SMARTHOST_HOSTS_AVOID_TLS = *\n"
TLS = """\
REMOTE_SMTP_SMARTHOST_HOSTS_REQUIRE_TLS = *
REMOTE_SMTP_SMARTHOST_TLS_VERIFY_HOSTS = :
"""
# The smarthost is at an address of this machine, which Exim refuses to send to unless it is told.
SELF = r"""
/^smarthost:/,/^$/ {
    /self = send/d
    s/^  route_list = \* DCsmarthost byname/&\n  self = send/
}
"""
DAEMON = """
mkdir -p /run/exim4
chown Debian-exim: /run/exim4
exec exim4 -q30m -oP /run/exim4/exim.pid
"""


class Exim(Peer):
    """Its daemon runs the queue only; a submission does all the work itself."""

    name = "Exim"
    root = "exim4-daemon-light"
    spool = "/var/spool/exim4"

    def configure(self) -> None:
        host, port = self.smarthost.host, self.smarthost.port
        self.write(
            "/etc/exim4/update-exim4.conf.conf",
            ANSWERS.format(hostname=HOSTNAME, host=host, port=port),
        )
        macros = MACROS + (TLS if self.smarthost.tls else PLAIN)
        self.write("/etc/exim4/exim4.conf.localmacros", macros)
        login = f"*:{USER}:{PASSWORD}\n" if self.smarthost.tls else ""
        self.write("/etc/exim4/passwd.client", login, mode="640", owner="root:Debian-exim")
        self.place.run("sed", "-i", SELF, "/etc/exim4/exim4.conf.template")
        self.place.run("update-exim4.conf")

    def start(self) -> None:
        if not self.place.processes():
            self.place.run("/bin/sh", "-ec", DAEMON)

    def start_waiting(self) -> None:
        self.stop()  # neither a submission nor a queue run needs the daemon

    def queueing(self) -> list[str]:
        return sendmail("-odq")

    def delivering(self) -> list[str]:
        return sendmail("-odi")

    def listing(self) -> list[str]:
        return ["mailq"]

    def flush(self) -> list[subprocess.Popen[bytes]]:
        return [self.place.start("exim4", "-qff")]
