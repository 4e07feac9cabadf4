"""A real Dovecot: its submission service with SCRAM and OAuth, and its LMTP service.

Submissions are relayed to a `Catcher`, so that envelope and content can be looked at; LMTP delivers
into mailboxes below the peer's directory, where Dovecot adds three fields at the top.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.helpers.catcher import Catcher
from tests.helpers.guarded import SEARCH_PATH
from tests.helpers.peer import Peer
from tests.helpers.smarthost import Received

INSTALL_HINT = "apt-get install dovecot-submissiond dovecot-lmtpd"

COMMON = """\
base_dir = {directory}/run
state_dir = {directory}/run
log_path = {directory}/log
listen = 127.0.0.1
hostname = dovecot.example.com
default_internal_user = dovecot
default_login_user = dovenull
mail_location = maildir:~/Maildir
mail_save_crlf = yes
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={directory}/mail/%u allow_all_users=yes
}}
"""

SUBMISSION = """\
protocols = submission
submission_relay_host = 127.0.0.1
submission_relay_port = {sink}
submission_max_mail_size = 50M
disable_plaintext_auth = yes
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
# nor a longer and longer wait for an address whose logins fail
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
{tls}
{oauth2}
passdb {{
  driver = passwd-file
  args = {directory}/users
}}
service submission-login {{
  inet_listener submission {{
    port = {port}
  }}
}}
"""

TLS = """\
ssl = yes
ssl_cert = <{directory}/certificate.pem
ssl_key = <{directory}/certificate.pem
"""

OAUTH2_PASSDB = """\
passdb {{
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = {directory}/oauth2.conf
}}
"""

OAUTH2_CONF = """\
introspection_mode = post
introspection_url = {introspection}
force_introspection = yes
active_attribute = active
active_value = true
username_attribute = username
"""

LMTP = """\
protocols = lmtp
ssl = no
passdb {{
  driver = static
  args = nopassword=y
}}
service lmtp {{
  inet_listener lmtp {{
    port = {port}
  }}
}}
"""


def why_not(service: str) -> str:
    """Return why no Dovecot with this service can be started here, '' when it can."""
    if shutil.which("dovecot", path=SEARCH_PATH) is None:
        return f"Dovecot is not installed: {INSTALL_HINT}"
    if not Path("/usr/lib/dovecot", service).exists():
        return f"Dovecot's {service} is not installed: {INSTALL_HINT}"
    if os.geteuid() != 0:
        return "Dovecot can be started by root only"
    return ""


class DovecotSubmission(Peer):
    """A running submission service that wants a login, over TLS where it has a `certificate`.

    `mechanisms` in Dovecot's own spelling; OAUTHBEARER and XOAUTH2 ask `introspection`, a URL, who
    has the token.
    """

    name = "dovecot"

    def __init__(
        self,
        *,
        certificate: bytes | None = None,
        user: str = "",
        password: str = "",
        mechanisms: str = "plain login",
        introspection: str = "",
    ) -> None:
        self._user, self._password = user, password
        self._mechanisms = mechanisms
        self._introspection = introspection
        self.sink = Catcher()
        super().__init__(certificate=certificate)

    def received(self) -> list[Received]:
        """Return the messages relayed so far."""
        return self.sink.received()

    def close(self) -> None:
        try:
            super().close()
        finally:
            self.sink.close()

    def configure(self) -> None:
        values = {
            "directory": self.directory,
            "port": self.port,
            "sink": self.sink.port,
            "mechanisms": self._mechanisms,
            "introspection": self._introspection,
        }
        tls = "ssl = no"
        if self._certificate is not None:
            (self.directory / "certificate.pem").write_bytes(self._certificate)
            (self.directory / "certificate.pem").chmod(0o600)
            tls = TLS.format(**values)
        oauth2 = OAUTH2_PASSDB.format(**values) if self._introspection else ""
        configuration = COMMON.format(**values)
        configuration += SUBMISSION.format(tls=tls, oauth2=oauth2, **values)
        (self.directory / "dovecot.conf").write_text(configuration)
        (self.directory / "oauth2.conf").write_text(OAUTH2_CONF.format(**values))
        (self.directory / "users").write_text(f"{self._user}:{{PLAIN}}{self._password}\n")
        (self.directory / "users").chmod(0o644)

    def command(self) -> list[str]:
        return ["dovecot", "-F", "-c", str(self.directory / "dovecot.conf")]


class DovecotLmtp(Peer):
    """A running LMTP service that takes mail for everybody."""

    name = "dovecot-lmtp"

    def received(self) -> list[Received]:
        """Return one message per mailbox and delivery; the sender is in its Return-Path."""
        found = []
        for path in sorted(self._mail.glob("*/Maildir/new/*")):
            content = path.read_bytes()
            recipient = path.relative_to(self._mail).parts[0].encode()
            one = Received(b"", [recipient], content)
            found.append(Received(one.field(b"Return-Path")[1:-1], [recipient], content))
        return found

    def spoil(self, recipient: str) -> None:
        """From now on the mailbox of `recipient` cannot be written, which shows after the dot."""
        (self._mail / recipient).write_text("not a directory")

    def prepare(self) -> None:
        self._mail = self.directory / "mail"
        self._mail.mkdir()
        shutil.chown(self._mail, "nobody")

    def configure(self) -> None:
        values = {"directory": self.directory, "port": self.port}
        configuration = COMMON.format(**values) + LMTP.format(**values)
        (self.directory / "dovecot.conf").write_text(configuration)

    def command(self) -> list[str]:
        return ["dovecot", "-F", "-c", str(self.directory / "dovecot.conf")]
