"""A real Exim in a root directory of its own: CHUNKING, PIPELINING, client certificates.

What it takes is written by appendfile as BSMTP, one file per message: envelope and content as they
came, without a trace field.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.helpers import jail
from tests.helpers.jail import Jail
from tests.helpers.peer import Peer
from tests.helpers.smarthost import Received

PACKAGE, PROGRAM = "exim4-daemon-light", "usr/sbin/exim4"
USER = "Debian-exim"

CONFIGURATION = """\
primary_hostname = exim.example.com
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
spool_directory = /var/spool/exim4
log_file_path = /var/log/%slog
exim_user = {user}
exim_group = {user}
deliver_drop_privilege
keep_environment =
host_lookup =
rfc1413_query_timeout = 0s
received_header_text =
smtp_accept_max = 0
queue_run_max = 0
smtp_accept_queue_per_connection = 0
message_size_limit = 50M
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
auth_advertise_hosts = {auth_hosts}
tls_advertise_hosts = {tls_hosts}
{tls}
acl_smtp_rcpt = rcpt
acl_smtp_data = data

begin acl
rcpt:
  deny    message = 5.1.1 no such user
          local_parts = bad
  defer   message = 4.2.0 busy
          local_parts = busy
  require message = 5.7.0 authentication required
          condition = ${{if or{{{{eq{{{auth_hosts}}}{{}}}}{{def:sender_host_authenticated}}}}}}
  accept
data:
  deny    message = 5.7.1 refused content
          condition = ${{if match{{$h_subject:}}{{refuse}}}}
  accept

begin routers
all:
  driver = accept
  transport = collect

begin transports
collect:
  driver = appendfile
  file = /received/$message_exim_id
  use_bsmtp
  use_crlf
  batch_max = 1000
  create_file = anywhere
  use_lockfile = false

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{login}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
  server_advertise_condition = ${{if def:tls_in_cipher}}
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if and{{{{eq{{$auth1}}{{{login}}}}}{{eq{{$auth2}}{{{password}}}}}}}}}
  server_set_id = $auth1
  server_advertise_condition = ${{if def:tls_in_cipher}}
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${{if eq{{$auth1}}{{{login}}}{{{password}}}fail}}
  server_set_id = $auth1
external:
  driver = external
  public_name = EXTERNAL
  server_param2 = ${{certextract{{subject,CN}}{{$tls_in_peercert}}}}
  server_condition = ${{if eq{{$auth2}}{{$auth1}}}}
  server_set_id = $auth1
  server_advertise_condition = $tls_in_certificate_verified
"""

TLS = """\
tls_certificate = /etc/certificate.pem
tls_verify_certificates = /etc/clients.pem
tls_try_verify_hosts = *
"""


def why_not() -> str:
    """Return why no Exim can be started here, '' when it can."""
    return jail.why_not(PACKAGE)


class EximPeer(Peer):
    """A running Exim that refuses bad@ and, for now, busy@ at RCPT, and 'refuse' in the Subject.

    `user`, `password`: AUTH is offered and needed: PLAIN and LOGIN over TLS, CRAM-MD5, and EXTERNAL
    to a client whose certificate the authorities in `client_ca` (PEM) vouch for: it may be the user
    that is the common name there.
    """

    name = "exim"

    def __init__(
        self,
        *,
        certificate: bytes | None = None,
        client_ca: bytes = b"",
        user: str = "",
        password: str = "",
    ) -> None:
        self._client_ca = client_ca
        self._user, self._password = user, password
        super().__init__(certificate=certificate)

    def received(self) -> list[Received]:
        """Return the messages whose file is complete, in the order of their Exim ids."""
        texts = [path.read_bytes() for path in sorted((self._root / "received").iterdir())]
        return [read_bsmtp(text) for text in texts if text.endswith(b"\r\n.\r\n")]

    def log(self) -> str:
        """Return what Exim has logged."""
        logs = sorted((self._root / "var/log").glob("*log"))
        return super().log() + "".join(path.read_text(errors="replace") for path in logs)

    def prepare(self) -> None:
        self._jail = Jail(self._root, PACKAGE, PROGRAM, [USER])
        for path in ("/var/spool/exim4", "/var/log", "/received"):
            self._jail.make_directory(path, owner=USER)

    def configure(self) -> None:
        if self._certificate is not None:
            self._jail.write("/etc/certificate.pem", self._certificate.decode(), mode=0o640)
            shutil.chown(self._root / "etc/certificate.pem", group=self._jail.uids[USER])
            self._jail.write("/etc/clients.pem", self._client_ca.decode())
        text = CONFIGURATION.format(
            port=self.port,
            user=USER,
            auth_hosts="*" if self._user else "",
            tls_hosts="" if self._certificate is None else "*",
            tls="" if self._certificate is None else TLS,
            login=self._user,
            password=self._password,
        )
        self._jail.write("/etc/exim4/exim4.conf", text)

    def command(self) -> list[str]:
        return self._jail.command("-bdf")

    @property
    def _root(self) -> Path:
        return self.directory / "root"


def read_bsmtp(text: bytes) -> Received:
    """Read one file that appendfile wrote: commands, then the content with its dots doubled."""
    commands, _, stuffed = text.removesuffix(b".\r\n").partition(b"DATA\r\n")
    sender, *recipients = [
        line[line.index(b"<") + 1 : line.rindex(b">")] for line in commands.splitlines()
    ]
    content = (b"\r\n" + stuffed).replace(b"\r\n..", b"\r\n.")[2:]
    return Received(sender, recipients, content)
