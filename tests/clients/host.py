"""A machine with pysendmail as its mail system, and the programs that send mail on it.

Its root is an overlay over this machine's (tests.helpers.overlay) with what `fetch` has unpacked;
its processes are in a PID namespace of their own and end with it, however the tests end. There are
the users root, whose mail goes to admin@example.net, www-data, and alice.
"""

from __future__ import annotations

import signal
import socket
import subprocess
from pathlib import Path

from tests.helpers import overlay
from tests.helpers.installed import PATIENCE_S, SEARCH_PATH, Completed
from tests.helpers.smarthost import Smarthost
from tests.helpers.waiting import wait_until

NAMESPACES = ("--pid", "--uts", "--fork", "--kill-child")

# The shell stays, as the first process of the machine, until its standard input ends.
BOOT = """
hostname client.example.com
echo 127.0.0.1 client.example.com client localhost >/etc/hosts
echo example.com >/etc/mailname
useradd --create-home --shell /bin/sh --comment "Alice Liddell,Room 1,," alice
mkdir -p /var/www  # the home of www-data, which a web server's package brings
install >/dev/null
cat >/etc/pysendmail/pysendmail.yaml <<end
smarthost: {smarthost}
origin: example.com
root: admin@example.net
end
touch {log} {booted}
cat
exit
"""
BOOTED, LOG = "/run/booted", "/var/log/pysendmaild.log"
START = f"setsid pysendmaild --foreground </dev/null >>{LOG} 2>&1 & echo $!"
SOCKET = "/run/pysendmail/submit.sock"


class Host:
    """The machine, with its daemon running and `smarthost` behind it, until `close()`.

    `directory`: an empty one; `packages`: what `fetch` has unpacked.
    """

    def __init__(self, directory: Path, smarthost: Smarthost, packages: Path) -> None:
        boot = overlay.BEGIN + BOOT.format(smarthost=smarthost.url, log=LOG, booted=BOOTED)
        self._daemon = ""  # its process id, in there
        self._outside = subprocess.Popen(
            overlay.command(directory, boot, packages=packages, namespaces=NAMESPACES),
            env={"PATH": SEARCH_PATH},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        try:
            self._first = wait_until(self._find_first, what="the machine")
            wait_until(self._is_up, what="the installation")
            self.start_daemon()
        except BaseException:
            self.close()
            raise

    def start_daemon(self) -> None:
        """Start pysendmaild unless it runs; returns when it takes messages."""
        if not self._daemon:
            self._daemon = self.run(START).stdout.decode().strip()
            wait_until(self._answers, what="the daemon", evidence=self.log)

    def stop_daemon(self) -> None:
        """Stop pysendmaild; returns when it has ended."""
        self.run(f"kill {self._daemon}")
        process = self._path(f"/proc/{self._daemon}")
        wait_until(lambda: not process.exists(), what="the daemon's end", evidence=self.log)
        self._daemon = ""

    def run(
        self, script: str, user: str = "root", *, stdin: bytes = b"", seconds: float = PATIENCE_S
    ) -> Completed:
        """Run a shell script as `user`, in his home directory and with a fresh environment."""
        enter = ["nsenter", f"--target={self._first}", "--mount", "--pid", "--uts", "--root"]
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--reset-env"]
        return subprocess.run(
            [*enter, "--wd", *become, "/bin/sh", "-euc", 'cd; eval "$0"', script],
            env={"PATH": SEARCH_PATH},
            input=stdin,
            capture_output=True,
            timeout=seconds,
            check=False,
        )

    def wait_idle(self) -> None:
        """Wait until nothing waits in the queue."""
        wait_until(
            lambda: b"is empty" in self.run("mailq").stdout,
            what="an empty queue",
            evidence=lambda: self.run("mailq").stdout.decode() + self.log(),
        )

    def log(self) -> str:
        """Return the daemon's log."""
        return self._path(LOG).read_text(errors="replace")

    def close(self) -> None:
        """End everything that runs there; nothing of it stays."""
        assert self._outside.stdin is not None
        self._outside.stdin.close()
        try:
            self._outside.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._outside.send_signal(signal.SIGKILL)
            self._outside.wait()

    def _find_first(self) -> int:
        """Return the process id, out here, of the first process in there; 0: not yet."""
        assert self._outside.poll() is None, "the machine has gone down"
        pid = self._outside.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else 0

    def _is_up(self) -> bool:
        assert self._outside.poll() is None, "the machine has gone down"
        return self._path(BOOTED).exists()

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            return probe.connect_ex(str(self._path(SOCKET))) == 0

    def _path(self, name: str) -> Path:
        return Path(f"/proc/{self._first}/root{name}")
