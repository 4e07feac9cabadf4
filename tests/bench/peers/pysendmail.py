"""pysendmail of this checkout, installed by `make install` into a root of its own."""

from __future__ import annotations

import json
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.measuring import OURS
from tests.bench.peers.peer import HOSTNAME, Peer, sendmail
from tests.bench.peers.postfix import fill_by_smtp
from tests.bench.place import Place
from tests.bench.smarthosts import PASSWORD, USER
from tests.helpers.installed import REPOSITORY
from tests.helpers.waiting import ReservedPort, wait_until

STUB = "/usr/sbin/sendmail"
PASSWORD_FILE = "/etc/pysendmail/password"
LIBRARIES = "/opt/libraries"  # of the virtual environment, which may be where only root gets to
OLD_S = 60.0


class Pysendmail(Peer):
    """With the defaults of its configuration. `start` has the daemon run."""

    name = OURS
    spool = "/var/spool/pysendmail"
    _filled = 0.0  # when, by time.monotonic
    _daemon: subprocess.Popen[bytes] | None = None

    @classmethod
    def why_not(cls) -> str:
        return ""

    def _make_place(self, network: Sequence[str]) -> Place:
        queue, root = self.directory / "spool", self.directory / "root"
        queue.mkdir()
        root.mkdir()
        mounts = {
            self.spool: queue,
            tempfile.gettempdir(): Path(tempfile.gettempdir()),
            str(REPOSITORY): REPOSITORY,
            LIBRARIES: Path(sysconfig.get_path("purelib")),
        }
        place = Place(root=root, mounts=mounts, network=network)
        install = ["make", "--silent", "-C", str(REPOSITORY), "install", "DIVERT=yes"]
        place.run(*install, f"DEPENDENCIES={LIBRARIES}")
        return place

    def configure(self, **changes: str) -> None:
        lines = {
            "smarthost": f"smtp://{self.smarthost.host}:{self.smarthost.port}",
            "hostname": HOSTNAME,
            "tls": "required" if self.smarthost.tls else "none",
        }
        if self.smarthost.tls:
            lines |= {"user": USER, "password_file": PASSWORD_FILE}
            lines |= {"ca_file": str(self.smarthost.tls.authority)}
            self.write(PASSWORD_FILE, PASSWORD + "\n", mode="640", owner="root:pysendmail")
        text = "".join(f"{key}: {value}\n" for key, value in {**lines, **changes}.items())
        self.write("/etc/pysendmail/pysendmail.yaml", text)

    @property
    def interpreter(self) -> str:
        """The Python that its sendmail runs by."""
        first = subprocess.run(
            [*self.place.within(), "head", "-n", "1", STUB], stdout=subprocess.PIPE, check=True
        )
        return first.stdout.decode().removeprefix("#!").split()[0]

    def start(self) -> None:
        if self._daemon is None:
            self._daemon = self.start_daemon()
            wait_until(self._answers, what="pysendmaild to answer", evidence=self.log, seconds=60)

    def start_daemon(self) -> subprocess.Popen[bytes]:
        """Start the daemon and do not wait for it; `stop` ends it."""
        command = ("pysendmaild", "--foreground")
        self._daemon = self.place.start(*command, log=self.directory / "log")
        return self._daemon

    def stop(self) -> None:
        super().stop()
        if self._daemon is not None:
            self._daemon.wait()
            self._daemon = None

    def log(self) -> str:
        """Return what the daemon has logged."""
        return (self.directory / "log").read_text(errors="replace")[-4000:]

    def queueing(self, mode: str = "-odb") -> list[str]:
        return sendmail(mode)

    def delivering(self) -> list[str]:
        return sendmail("-odi")

    def listing(self) -> list[str]:
        return ["mailq"]

    def fill(self, count: int, *, due_after: str = "4h") -> None:
        """See `Peer.fill`; nothing is due, without a flush, until so long has passed.

        That is no longer than `retry_longest` has it by default: a daemon would take it for the
        work of a clock that was ahead.
        """
        self.smarthost.stop()
        self.stop()
        port = ReservedPort()
        keys = {"delivery_mode": "queue", "retry_first": due_after}
        self.configure(listen=f"127.0.0.1:{port.number}", **keys)
        self.start()
        fill_by_smtp(self.place, port.number, count)
        assert self.status()["waiting"] == count, self.status()
        port.close()
        self._filled = time.monotonic()
        self.keep_queue()
        self.configure()

    def refill(self) -> None:
        # A daemon looks twice at what was handed in just before its start.
        time.sleep(max(0.0, self._filled + OLD_S - time.monotonic()))
        super().refill()

    def flush(self) -> list[subprocess.Popen[bytes]]:
        return [self.place.start("sendmail", "-q")]

    def status(self) -> dict[str, object]:
        """Return what `pysendmail status` tells a program."""
        done = subprocess.run(
            [*self.place.within(), "pysendmail", "status", "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        facts: dict[str, object] = json.loads(done.stdout or b"{}")
        return facts

    def _answers(self) -> bool:
        return "waiting" in self.status()


class AllDue(Pysendmail):
    """With messages that need no flush: each was due before the smarthost came back."""

    name = f"{OURS}, all due"

    def fill(self, count: int, *, due_after: str = "1s") -> None:
        super().fill(count, due_after=due_after)
