"""A real Postfix as the smarthost of a test: its own instance below a temporary directory.

`/etc/postfix` and `/var/spool/postfix` of the machine stay as they are: configuration, queue, data,
password database and log of the instance lie in one directory, which `close()` removes.  All of its
processes end with `stop()`, abruptly, and also when the test run itself is killed.

Accepted messages go through Postfix's queue into pipe(8), which writes one file per message:
envelope and content as Postfix had them.  What it answers is decided by the test while it runs
(`answer`), by way of a policy service.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.helpers.guarded import SEARCH_PATH
from tests.helpers.peer import Peer
from tests.helpers.policy import PolicyService
from tests.helpers.postfix_config import DOMAIN, QUEUE_DIRECTORIES, instance_files
from tests.helpers.smarthost import RCPT, Answers, Received, SilentListener
from tests.helpers.waiting import listens

INSTALL_HINT = "apt-get install postfix sasl2-bin libsasl2-modules"
MASTER = "/usr/lib/postfix/sbin/master"

LONG_AGO = 1_000_000_000.0  # any time that is not just now


def why_not() -> str:
    """Return why no Postfix can be started here, '' when it can."""
    for program in ("postconf", "saslpasswd2"):
        if shutil.which(program, path=SEARCH_PATH) is None:
            return f"Postfix is not installed: {INSTALL_HINT} ({program} not found)"
    if os.geteuid() != 0:
        return "Postfix can be started by root only"
    return ""


class PostfixSmarthost(Peer):
    """A running Postfix on a port of 127.0.0.1 that stays the same until `close()`.

    `certificate`: PEM of key and chain in one, for STARTTLS; None: STARTTLS is not offered. `user`,
    `password`: AUTH by the `mechanisms` is offered (with a certificate: only after STARTTLS) and
    needed; without a user everybody on this machine may relay.  `settings`: further lines of
    main.cf; `env`: variables for all of Postfix, Kerberos' for one.
    """

    name = "postfix"

    def __init__(
        self,
        *,
        certificate: bytes | None = None,
        user: str = "",
        password: str = "",
        host: str = "localhost",
        mechanisms: Sequence[str] = ("PLAIN", "LOGIN"),
        settings: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.host = host
        self._mechanisms = tuple(mechanisms)
        self._settings = dict(settings or {})
        self._user, self._password = user, password
        self._answers = Answers()
        self._policy: PolicyService | None = None
        self._silent: SilentListener | None = None
        super().__init__(certificate=certificate, env=env)

    @property
    def url(self) -> str:
        """The smarthost as pysendmail's configuration names it."""
        return f"smtp://{self.host}:{self.port}"

    def answer(self, reply: str = "", *, at: str = RCPT, recipient: str = "") -> None:
        """From now on answer `reply` ('450 4.2.0 busy') at that place, for `recipient` only where
        given; '': all is well.
        """
        self._answers.set(reply, at, recipient)

    def received(self) -> list[Received]:
        """Return the messages delivered so far, in the order in which Postfix accepted them."""
        return [read_collected(self._collected / name) for name in sorted(self._names())]

    def count(self) -> int:
        return len(self._names())

    def login(self, user: str, password: str) -> None:
        """Set the password of `user`, at once in force."""
        name, _, realm = user.partition("@")
        database = self.directory / "etc/sasl/sasldb2"
        command = ["saslpasswd2", "-p", "-c", "-f", str(database), "-u", realm or DOMAIN, name]
        subprocess.run(command, input=password.encode(), check=True, env={"PATH": SEARCH_PATH})
        shutil.chown(database, "postfix")

    def hang(self) -> None:
        """In place of Postfix a server accepts connections on the port and stays silent."""
        self.stop()
        self._silent = SilentListener(self._port)

    def ready(self) -> bool:
        return listens(self.port)  # with TLS from the first octet it greets nobody in clear

    def stop(self) -> None:
        """End Postfix, or who is silent in its place: from now on connections are refused."""
        if self._silent is not None:
            self._silent.close()
            self._silent = None
        super().stop()

    def close(self) -> None:
        try:
            self.stop()
        finally:
            if self._policy is not None:
                self._policy.close()
            super().close()

    def prepare(self) -> None:
        for name in ("etc", "etc/sasl", "queue", "queue/pid", "data", "received"):
            (self.directory / name).mkdir(mode=0o755)
        for name in QUEUE_DIRECTORIES:
            (self.directory / "queue" / name).mkdir(mode=0o700)
            shutil.chown(self.directory / "queue" / name, "postfix")
        shutil.chown(self.directory / "data", "postfix")
        os.chmod(self.directory / "data", 0o700)
        shutil.chown(self._collected, pwd.getpwnam("nobody").pw_uid)
        self._policy = PolicyService(str(self.directory / "policy"), self._answers)
        if self._user:
            self.login(self._user, self._password)

    def configure(self) -> None:
        certificate = None
        if self._certificate is not None:
            certificate = self.directory / "etc/certificate.pem"
            certificate.touch(mode=0o600)
            certificate.write_bytes(self._certificate)
        files = instance_files(
            self.directory,
            port=self.port,
            policy=self.directory / "policy",
            certificate=certificate,
            mechanisms=self._mechanisms if self._user else (),
            settings=self._settings,
            variables=tuple(self._env),
        )
        for name, text in files.items():
            write_settled(self.directory / name, text)

    def command(self) -> list[str]:
        return [MASTER, "-c", str(self.directory / "etc"), "-s"]

    @property
    def _collected(self) -> Path:
        return self.directory / "received"

    def _names(self) -> list[str]:
        return [name for name in os.listdir(self._collected) if not name.startswith(".")]


def write_settled(path: Path, text: str) -> None:
    """Write a file of Postfix's configuration, which waits two seconds for one written just now."""
    path.write_text(text)
    os.utime(path, (LONG_AGO, LONG_AGO))


def read_collected(path: Path) -> Received:
    """Read one file of the `collect` script."""
    envelope, _, content = path.read_bytes().partition(b"\n\n")
    sender, *recipients = envelope.split(b"\n")
    return Received(sender, recipients, content)
