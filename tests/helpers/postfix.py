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
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.helpers.guarded import SEARCH_PATH, Guarded
from tests.helpers.policy import PolicyService
from tests.helpers.postfix_config import DOMAIN, QUEUE_DIRECTORIES, instance_files
from tests.helpers.smarthost import RCPT, Answers, Received, SilentListener
from tests.helpers.waiting import ReservedPort, listens, wait_until

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


class PostfixSmarthost:
    """A running Postfix on a port of 127.0.0.1 that stays the same until `close()`.

    `certificate`: PEM of key and chain in one, for STARTTLS; None: STARTTLS is not offered. `user`,
    `password`: AUTH by the `mechanisms` is offered (with a certificate: only after STARTTLS) and
    needed; without a user everybody on this machine may relay.  `settings`: further lines of
    main.cf; `env`: variables for all of Postfix, Kerberos' for one.
    """

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
        self.directory = Path(tempfile.mkdtemp(prefix="pysendmail-postfix-"))
        self._mechanisms = tuple(mechanisms)
        self._settings = dict(settings or {})
        self._env = dict(env or {})
        self._certificate = certificate
        self._user = user
        self._answers = Answers()
        self._port = ReservedPort()
        self._master: Guarded | None = None
        self._silent: SilentListener | None = None
        self._make_directories()
        self._policy = PolicyService(str(self.directory / "policy"), self._answers)
        if user:
            self.login(user, password)
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def port(self) -> int:
        """The port, the same through stop, start and hang."""
        return self._port.number

    @property
    def address(self) -> tuple[str, int]:
        """Where to connect to."""
        return "127.0.0.1", self.port

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

    def wait_for(self, count: int, seconds: float = 30.0) -> list[Received]:
        """Return `received()` once it has `count` messages, else AssertionError with the log."""
        wait_until(
            lambda: len(self._names()) >= count,
            seconds=seconds,
            what=f"{count} messages at Postfix",
            evidence=lambda: f"there: {self.received()}\n{self.log()}",
        )
        return self.received()

    def log(self) -> str:
        """Return what Postfix has logged."""
        path = self.directory / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def login(self, user: str, password: str) -> None:
        """Set the password of `user`, at once in force."""
        name, _, realm = user.partition("@")
        database = self.directory / "etc/sasl/sasldb2"
        command = ["saslpasswd2", "-p", "-c", "-f", str(database), "-u", realm or DOMAIN, name]
        subprocess.run(command, input=password.encode(), check=True, env={"PATH": SEARCH_PATH})
        shutil.chown(database, "postfix")

    def certify(self, certificate: bytes | None) -> None:
        """Start again with another certificate, or with none: without STARTTLS."""
        self.stop()
        self._certificate = certificate
        self.start()

    def start(self) -> None:
        """Start, or come back after `stop` or `hang`; returns when connections are accepted."""
        self.stop()
        self._write_configuration()
        self._master = Guarded([MASTER, "-c", self.directory / "etc", "-s"], env=self._env)
        wait_until(
            lambda: listens(self.port), what="Postfix to accept connections", evidence=self.log
        )

    def stop(self) -> None:
        """End Postfix and its open connections: from now on connections are refused."""
        if self._silent is not None:
            self._silent.close()
            self._silent = None
        if self._master is not None:
            self._master.stop()
            self._master = None
            wait_until(lambda: not listens(self.port), what="the last process of Postfix to end")

    def hang(self) -> None:
        """In place of Postfix a server accepts connections on the port and stays silent."""
        self.stop()
        self._silent = SilentListener(self._port)

    def close(self) -> None:
        """End everything and remove it."""
        try:
            self.stop()
        finally:
            self._policy.close()
            self._port.close()
            shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def _collected(self) -> Path:
        return self.directory / "received"

    def _names(self) -> list[str]:
        return [name for name in os.listdir(self._collected) if not name.startswith(".")]

    def _make_directories(self) -> None:
        os.chmod(self.directory, 0o755)  # Postfix's own users look below it
        for name in ("etc", "etc/sasl", "queue", "queue/pid", "data", "received"):
            (self.directory / name).mkdir(mode=0o755)
        for name in QUEUE_DIRECTORIES:
            (self.directory / "queue" / name).mkdir(mode=0o700)
            shutil.chown(self.directory / "queue" / name, "postfix")
        shutil.chown(self.directory / "data", "postfix")
        os.chmod(self.directory / "data", 0o700)
        shutil.chown(self._collected, pwd.getpwnam("nobody").pw_uid)

    def _write_configuration(self) -> None:
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
            (self.directory / name).write_text(text)
            # Postfix waits for two seconds when it finds a file that was written just now
            os.utime(self.directory / name, (LONG_AGO, LONG_AGO))


def read_collected(path: Path) -> Received:
    """Read one file of the `collect` script."""
    envelope, _, content = path.read_bytes().partition(b"\n\n")
    sender, *recipients = envelope.split(b"\n")
    return Received(sender, recipients, content)
