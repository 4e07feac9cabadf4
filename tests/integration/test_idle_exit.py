"""A daemon that ends when nothing is to do, behind a socket that somebody else keeps."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.helpers.installed import SEARCH_PATH
from tests.helpers.smarthost import Smarthost, times_received
from tests.helpers.system import Site
from tests.helpers.waiting import wait_until
from tests.integration.conftest import SiteMaker

MESSAGES = 40
IDLE_EXIT_S = 0.05  # so short that it ends again and again while messages come

# Descriptor, program and arguments: run it as sd_listen_fds(3) says.
PASS = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


class Activator:
    """What systemd does for a socket unit and its service: it listens, and starts the daemon for
    whoever calls, with the socket as its descriptor 3.
    """

    def __init__(self, site: Site) -> None:
        os.unlink(site.socket)  # what the daemon that made the spool has left
        self._site = site
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(site.socket)
        os.chmod(site.socket, 0o666)
        self._listener.listen(512)
        self._wake, self._stopping = socket.socketpair()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._process: subprocess.Popen[bytes] | None = None
        self.begins = 0
        self.ends: list[int] = []

    def _run(self) -> None:
        program = [
            self._site.installation.program("pysendmaild"),
            "--foreground",
            f"--config={self._site.path}",
        ]
        fd = self._listener.fileno()
        start = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-c", PASS, f"{fd}", *program]
        while self._stopping not in select.select([self._listener, self._stopping], [], [])[0]:
            self.begins += 1
            with open(self._site.daemon.log_path, "ab") as log:
                self._process = subprocess.Popen(
                    start,
                    env={"PATH": SEARCH_PATH, "LISTEN_FDS": "1"},
                    pass_fds=[fd],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            self.ends.append(self._process.wait())

    def close(self) -> None:
        """End the daemon, and listen no more."""
        self._wake.close()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        self._thread.join()
        self._listener.close()
        self._stopping.close()


@pytest.fixture
def activated(make_site: SiteMaker, catcher: Smarthost) -> Iterator[tuple[Site, Activator]]:
    """A site whose daemon is started by its socket and ends when it is idle."""
    site = make_site(catcher, idle_exit=str(IDLE_EXIT_S), linger="false")
    site.make_spool()
    activator = Activator(site)
    yield site, activator
    activator.close()


def test_no_message_notices_that_the_daemon_comes_and_goes(
    activated: tuple[Site, Activator], catcher: Smarthost, stranger: int
) -> None:
    site, activator = activated
    for number in range(MESSAGES):
        if number % 8 == 0:  # it has ended, and is started by this message
            ends = number // 8
            wait_until(lambda ends=ends: len(activator.ends) >= ends, what="the daemon to end")
        done = site.send(f"{number}", "you@example.net", uid=stranger, mode="-odb")
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert not os.listdir(site.directory / "spool/drop")
    wait_until(
        lambda: len(catcher.received()) >= MESSAGES,
        what="all messages",
        evidence=site.evidence,
    )
    assert set(times_received(catcher.received()).values()) == {1}
    wait_until(lambda: len(activator.ends) == activator.begins, what="the daemon to end at last")
    assert activator.begins >= MESSAGES // 8  # more where it was quicker than the next message
    assert set(activator.ends) == {0}


def test_daemon_with_deferred_mail_stays_until_it_is_delivered(
    activated: tuple[Site, Activator], catcher: Smarthost
) -> None:
    site, activator = activated
    catcher.stop()
    assert site.send("later", "you@example.net", mode="-odi").returncode == 0
    ended = len(activator.ends)
    site.daemon.wait_for_log(lambda log: "deferred" in log, "a deferral")
    catcher.start()
    wait_until(lambda: catcher.received(), what="the message", evidence=site.evidence)
    wait_until(lambda: len(activator.ends) > ended, what="the daemon to end")
    assert len(catcher.received()) == 1
