"""A real OpenSMTPD in a root directory of its own: one that hangs up on whoever pipelines unasked.

What it takes it relays to a `Catcher`, so that envelope and content can be looked at; its own trace
field stands before the content.
"""

from __future__ import annotations

from tests.helpers import jail
from tests.helpers.catcher import Catcher
from tests.helpers.jail import Jail
from tests.helpers.peer import Peer
from tests.helpers.smarthost import Received

PACKAGE, PROGRAM = "opensmtpd", "usr/sbin/smtpd"

CONFIGURATION = """\
listen on 127.0.0.1 port {port} hostname smtpd.example.com
action "relay" relay host smtp://127.0.0.1:{sink}
match from any for rcpt-to "bad@example.com" reject
match from any for any action "relay"
"""


def why_not() -> str:
    """Return why no OpenSMTPD can be started here, '' when it can."""
    return jail.why_not(PACKAGE)


class OpenSmtpdPeer(Peer):
    """A running OpenSMTPD, in clear and for everybody, that refuses bad@example.com.

    With TLS the one of Debian 12 is of no use: its process that has the key does not get on with
    OpenSSL 3, and no handshake succeeds.
    """

    name = "opensmtpd"

    def __init__(self) -> None:
        self._sink = Catcher()
        super().__init__()

    def received(self) -> list[Received]:
        """Return the messages relayed so far."""
        return self._sink.received()

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._sink.close()

    def prepare(self) -> None:
        self._jail = Jail(self.directory / "root", PACKAGE, PROGRAM, ["opensmtpd", "opensmtpq"])
        self._jail.make_directory("/var/lib/opensmtpd/empty")
        self._jail.make_directory("/var/spool/smtpd", mode=0o711)

    def configure(self) -> None:
        text = CONFIGURATION.format(port=self.port, sink=self._sink.port)
        self._jail.write("/etc/smtpd.conf", text, mode=0o600)

    def command(self) -> list[str]:
        return self._jail.command("-d")
