"""The smarthosts that everybody is measured against: Postfix's smtp-sink, and Postfix itself.

Both have `host`, `port`, `tls`, `taken` and `wait`, and can be stopped and started again at the
same port. Neither touches a disk: smtp-sink forgets what it takes, or keeps it in memory for the
storm, and Postfix hands each message on to an smtp-sink while it takes it (before-queue filter).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.certificate import Certificate
from tests.bench.postfix_instance import COMMON, Instance
from tests.helpers.installed import SEARCH_PATH
from tests.helpers.postfix import INSTALL_HINT
from tests.helpers.postfix_config import DOMAIN, SASL_CONF, auth_settings, tls_settings
from tests.helpers.waiting import ReservedPort, wait_until

USER, PASSWORD = f"relay@{DOMAIN}", "a-password"
SMTP_SINK = "/usr/sbin/smtp-sink"
MESSAGES = re.compile(rb"mesg=(\d+)\s")
MOST_CONNECTIONS = "1000"

SERVICES = """\
{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
tlsmgr  unix - - n 1000? 1 tlsmgr
"""


def why_not() -> str:
    """Return why there can be no smarthost here, "" when there can."""
    programs = (SMTP_SINK, "/usr/sbin/saslpasswd2")
    return "" if all(map(os.path.exists, programs)) else f"no smarthost: {INSTALL_HINT}"


class Sink:
    """smtp-sink on 127.0.0.1, and when it had how many messages: PIPELINING, no TLS, no login.

    `network` begins its command (see `link.Link`).
    """

    host = "127.0.0.1"
    tls: Certificate | None = None

    def __init__(self, network: Sequence[str] = ()) -> None:
        self.network = network
        self._reserved = ReservedPort()  # its number, in whatever network
        self.port = self._reserved.number
        self._counts: list[tuple[float, int]] = [(0.0, 0)]
        self._changed = threading.Condition()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self, *options: str) -> None:
        """Start, with further options of smtp-sink, when it does not run; count from nothing."""
        if self._process is not None:
            return
        self._counts = [(0.0, 0)]
        self._process = subprocess.Popen(
            [*self.network, SMTP_SINK, "-c", "-u", "nobody", "-m", MOST_CONNECTIONS, *options,
             f"{self.host}:{self.port}", MOST_CONNECTIONS],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        threading.Thread(target=self._count, args=(self._process,), daemon=True).start()
        wait_listening(self.network, self.host, self.port)

    def stop(self) -> None:
        """End it: connections are refused from now on."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self, *options: str) -> None:
        """End it and start it with these options; it counts from nothing."""
        self.stop()
        self.start(*options)

    @property
    def taken(self) -> int:
        """The number of messages since it was started."""
        return self._counts[-1][1]

    def wait(self, count: int, seconds: float = 60.0) -> float:
        """Return the moment (perf_counter) when it had `count` messages; AssertionError when it
        has not after so many seconds.
        """
        taken, moment = self.see(count, seconds)
        assert taken >= count, f"{taken} of {count} messages came in {seconds:g} s"
        return moment

    def see(self, count: int, seconds: float) -> tuple[int, float]:
        """Return the number of messages, at most `count`, that came within so many seconds, and the
        moment when the last of them did.
        """
        deadline = time.perf_counter() + seconds
        with self._changed:
            while self.taken < count and (left := deadline - time.perf_counter()) > 0:
                self._changed.wait(left)
            reached = min(count, self.taken)
            return reached, next(moment for moment, number in self._counts if number >= reached)

    def close(self) -> None:
        """End it, and give the port back."""
        self.stop()
        self._reserved.close()

    def _count(self, process: subprocess.Popen[bytes]) -> None:
        text, counts = b"", self._counts
        assert process.stdout is not None
        with process.stdout as output:
            while octets := os.read(output.fileno(), 64 * 1024):
                now = time.perf_counter()
                text = (text + octets)[-4096:]
                found = MESSAGES.findall(text)
                if found and int(found[-1]) != counts[-1][1]:
                    with self._changed:
                        counts.append((now, int(found[-1])))
                        self._changed.notify_all()


class Smarthost:
    """Postfix as the smarthost, at `host` and `port`, in that network.

    `tls`: STARTTLS by this certificate, and a login by USER and PASSWORD is needed. With `chunking`
    False it does not offer CHUNKING.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        network: Sequence[str] = (),
        *,
        tls: Certificate | None = None,
        chunking: bool = True,
    ) -> None:
        self.host = host
        self.network = network
        self.tls = tls
        self._sink = Sink(network)
        self._reserved = ReservedPort()
        self.port = self._reserved.number
        directory = Path(tempfile.mkdtemp(prefix="smarthost-"))
        self._instance = Instance(directory, directory / "queue")
        pem = directory / "etc/certificate.pem" if tls else None
        if tls and pem:
            pem.write_bytes(tls.chain)
            self._make_login(directory)
        settings = {
            **COMMON,
            "queue_directory": f"{directory}/queue",
            "data_directory": f"{directory}/data",
            "myhostname": DOMAIN,
            "inet_interfaces": "all",
            "mynetworks": "0.0.0.0/0",
            "default_process_limit": "250",
            "smtpd_client_connection_count_limit": "0",
            "smtpd_proxy_filter": f"127.0.0.1:{self._sink.port}",
            "smtpd_discard_ehlo_keywords": "" if chunking else "chunking",
            **tls_settings(pem),
            **auth_settings(directory, tls is not None, pem),
        }
        self._instance.configure(SERVICES.format(port=self.port), settings)
        self.start()

    @property
    def taken(self) -> int:
        """The number of messages since it was started."""
        return self._sink.taken

    def wait(self, count: int, seconds: float = 60.0) -> float:
        """See `Sink.wait`."""
        return self._sink.wait(count, seconds)

    def see(self, count: int, seconds: float) -> tuple[int, float]:
        """See `Sink.see`."""
        return self._sink.see(count, seconds)

    def start(self) -> None:
        """Start, when it does not run; count from nothing."""
        self._sink.start()
        self._instance.start(self.network, str(self._instance.directory / "etc"))
        wait_listening(self.network, "127.0.0.1", self.port)

    def stop(self) -> None:
        """End it: connections are refused from now on."""
        self._instance.stop()
        self._sink.stop()

    def close(self) -> None:
        """End and remove it."""
        self.stop()
        self._sink.close()
        self._reserved.close()
        shutil.rmtree(self._instance.directory)

    @staticmethod
    def _make_login(directory: Path) -> None:
        (directory / "etc/sasl").mkdir()
        text = SASL_CONF.format(directory=directory, mechanisms="PLAIN LOGIN")
        (directory / "etc/sasl/smtpd.conf").write_text(text)
        database = directory / "etc/sasl/sasldb2"
        name, _, realm = USER.partition("@")
        subprocess.run(
            ["saslpasswd2", "-p", "-c", "-f", str(database), "-u", realm, name],
            input=PASSWORD.encode(), env={"PATH": SEARCH_PATH}, check=True,
        )  # fmt: skip
        shutil.chown(database, "postfix")


def wait_listening(network: Sequence[str], host: str, port: int) -> None:
    """Wait until a server in that network takes connections."""
    probe = f"import socket; socket.create_connection(({host!r}, {port}), 1).close()"
    wait_until(
        lambda: not subprocess.run(
            [*network, "python3", "-Ic", probe], capture_output=True, check=False
        ).returncode,
        what=f"a server at {host}:{port}",
    )
