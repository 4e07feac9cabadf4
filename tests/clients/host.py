"""A machine with pysendmail as its mail system, and the programs that send mail on it.

Its root is an overlay over this machine's (tests.helpers.overlay) with what `fetch` has unpacked;
its processes are in a PID namespace of their own and end with it, however the tests end. There are
the users root, whose mail goes to admin@example.net, www-data, and alice.
"""

from __future__ import annotations

import os
import signal
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
install >/dev/null
cat >/etc/pysendmail/pysendmail.yaml <<end
smarthost: {smarthost}
origin: example.com
root: admin@example.net
end
cd /
pysendmaild --foreground </dev/null &
cat >/dev/null
"""


class Host:
    """The machine, with its daemon running and `smarthost` behind it, until `close()`.

    `directory`: an empty one; `packages`: what `fetch` has unpacked.
    """

    def __init__(self, directory: Path, smarthost: Smarthost, packages: Path) -> None:
        place = directory / "machine"
        place.mkdir()
        self._log = directory / "daemon.log"
        boot = overlay.BEGIN + BOOT.format(smarthost=smarthost.url)
        with open(self._log, "wb") as log:
            self._outside = subprocess.Popen(
                overlay.command(place, boot, packages=packages, namespaces=NAMESPACES),
                env={"PATH": SEARCH_PATH},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )
        try:
            self._first = wait_until(self._find_first, what="the machine", evidence=self.log)
            wait_until(self._is_up, what="its daemon", evidence=self.log)
        except BaseException:
            self.close()
            raise

    def run(
        self, script: str, user: str = "root", *, stdin: bytes = b"", seconds: float = PATIENCE_S
    ) -> Completed:
        """Run a shell script as `user`, in his home directory and with a fresh environment."""
        home = 'cd 2>/dev/null || cd /; eval "$0"'
        enter = ["nsenter", f"--target={self._first}", "--mount", "--pid", "--uts", "--root"]
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--reset-env"]
        return subprocess.run(
            [*enter, "--wd", *become, "/bin/sh", "-euc", home, script],
            env={"PATH": SEARCH_PATH},
            input=stdin,
            capture_output=True,
            timeout=seconds,
            check=False,
        )

    def log(self) -> str:
        """Return the daemon's log."""
        return self._log.read_text(errors="replace")

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
        assert self._outside.poll() is None, self.log()
        pid = self._outside.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else 0

    def _is_up(self) -> bool:
        assert self._outside.poll() is None, self.log()
        return os.path.exists(f"/proc/{self._first}/root/run/pysendmail/submit.sock")
