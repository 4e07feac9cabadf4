"""What every contestant is to a benchmark."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.bench.measuring import message
from tests.bench.place import NOBODY, Place
from tests.bench.smarthosts import Sink, Smarthost

ROOTS = Path(__file__).parents[3] / ".bench/peers"
SENDER, RECIPIENT = "a@example.com", "b@example.org"
HOSTNAME = "client.example.com"


class Peer:
    """A mail program as the null client of one smarthost, in a place of its own.

    `network`: how a command begins that runs in another network. `start` and `stop` are for its
    daemon, where it has one. A command that it has not is None.
    """

    name = ""
    root = ""  # of ROOTS; "" for the machine's own programs
    spool = ""  # the directory of its queue
    flushes = True  # whether it can be told to attempt all that waits
    resident = True  # whether anything of it runs when nothing is to do

    def __init__(self, smarthost: Sink | Smarthost, network: Sequence[str] = ()) -> None:
        self.smarthost = smarthost
        self.directory = Path(tempfile.mkdtemp(prefix=f"{type(self).__name__.lower()}-"))
        self.directory.chmod(0o755)
        self.message = self.directory / "message"
        self.message.write_bytes(message())
        self.place = self._make_place(network)
        self.configure()
        self.stopwatch = self.place.stopwatch(NOBODY)

    def _make_place(self, network: Sequence[str]) -> Place:
        """Return a place where the queue is an ordinary directory of the disk, no overlay."""
        queue = self.directory / "spool"
        shipped = ROOTS / self.root / "spool" / self.spool.rpartition("/")[2]
        if shipped.exists():
            subprocess.run(["cp", "-a", str(shipped), str(queue)], check=True)
        else:
            queue.mkdir(mode=0o711)
        mounts = {self.spool: queue, tempfile.gettempdir(): Path(tempfile.gettempdir())}
        return Place(root=ROOTS / self.root, mounts=mounts, network=network)

    @classmethod
    def why_not(cls) -> str:
        """Return why it cannot be measured here, "" when it can."""
        if (ROOTS / cls.root / "installed").exists():
            return ""
        return f"not installed: tests/bench/peers/install {cls.root}"

    def configure(self) -> None:
        """Make it the smarthost's client."""
        raise NotImplementedError

    def start(self) -> None:
        """Start its daemon, when it does not run."""

    def start_waiting(self) -> None:
        """Start what takes mail into the queue, with nothing attempted until `flush` where it can
        be told so; the smarthost is away.
        """
        self.start()

    def stop(self) -> None:
        """End all of its processes."""
        self.place.clear()
        self.stopwatch.close()
        self.stopwatch = self.place.stopwatch(NOBODY)

    def queueing(self) -> list[str] | None:
        """Return the command that returns when the message is in the queue, and make it do so."""
        return None

    def delivering(self) -> list[str] | None:
        """Return the command that returns when the smarthost has taken the message, likewise."""
        return None

    def listing(self) -> list[str] | None:
        """Return the command that lists the queue."""
        return None

    def submit(self, command: Sequence[str]) -> float:
        """Return the seconds that a submission takes by the command of one of the above."""
        return self.stopwatch.time(command, self.message)

    def fill(self, count: int) -> None:
        """Have `count` messages of 2 KB wait, by its own submission, and keep a copy of the queue
        for `refill`; the smarthost is away meanwhile.
        """
        self.smarthost.stop()
        self.start_waiting()
        command = self.queueing()
        assert command is not None, f"{self.name} has no queue"
        self.stopwatch.flood(command, [self.message] * count, at_once=8)
        self.keep_queue()

    def keep_queue(self) -> None:
        """Stop, and keep a copy of the queue for `refill`."""
        self.stop()
        copy_directory(self.directory / "spool", self.directory / "kept")

    def refill(self) -> None:
        """Stop, and have the queue as `fill` left it."""
        self.stop()
        copy_directory(self.directory / "kept", self.directory / "spool")

    def flush(self) -> list[subprocess.Popen[bytes]]:
        """Have all that waits attempted now; return what was started for it, to be waited for."""
        raise NotImplementedError

    def write(self, path: str, text: str, *, mode: str = "644", owner: str = "root") -> None:
        """Write a file in its root."""
        script = 'mkdir -p "${0%/*}"; cat >"$0"; chown "$1" "$0"; chmod "$2" "$0"'
        self.place.run("/bin/sh", "-ec", script, path, owner, mode, stdin=text.encode())

    def close(self) -> None:
        """End and remove it."""
        self.stopwatch.close()
        self.place.close()
        with suppress(OSError):  # what its last process still writes there goes with the rest
            shutil.rmtree(self.directory)


def copy_directory(source: Path, target: Path) -> None:
    """Make the content of `target`, which may be mounted somewhere, that of `source`."""
    target.mkdir(exist_ok=True)
    subprocess.run(["find", str(target), "-mindepth", "1", "-delete"], check=True)
    subprocess.run(["cp", "-a", f"{source}/.", str(target)], check=True)


def sendmail(*options: str) -> list[str]:
    """Return the command by which all submit."""
    return ["/usr/sbin/sendmail", *options, "-i", "-f", SENDER, RECIPIENT]
