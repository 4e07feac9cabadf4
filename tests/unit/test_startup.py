"""What sendmail loads: its start is most of what a submission costs, so this is held by a test.

The program runs as an installation's stub runs it (`python -IS`), and says what is in sys.modules
when it leaves: after the first door (a daemon that answers), the second (it delivers by itself) and
the third (the drop directory).
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
import trustme

from pysendmail.config.load import load
from pysendmail.config.snapshot_writer import write_snapshot
from pysendmail.spool.directory import DirectorySpool
from pysendmail.submission.drop_door import make_drop_directory
from pysendmail.submission.request_parser import parse_request, split_head
from tests.helpers.catcher import Catcher

REPOSITORY = str(Path(__file__).parents[2])
PATIENCE_S = 30.0

# Each of these costs more than all modules of ours together, or draws one in that does.
TOO_DEAR = {
    "typing", "re", "enum", "dataclasses", "logging", "socket", "json", "email", "argparse",
    "pathlib", "subprocess", "ssl", "yaml", "os",
}  # fmt: skip

# As in tools/modules.py; at the end the modules are written to the descriptor that is argv[1].
STUB = f"""
import sys
sys.path.insert(0, {REPOSITORY!r})
from pysendmail._paths import DEPENDENCIES
sys.path.extend(DEPENDENCIES)
import posix
report = int(sys.argv.pop(1))
def leave(status, leave=posix._exit):
    posix.write(report, "\\n".join(sys.modules).encode())
    leave(status)
posix._exit = leave
sys.argv[0] = "/usr/sbin/sendmail"
from pysendmail.command.sendmail import main
main()
"""

MESSAGE = b"From: root (Cron Daemon)\nTo: root\nSubject: report\n\nall is well\n..\n"


class Site:
    """A configuration with its snapshot, a spool that only takes drop files, and a socket path."""

    def __init__(self, directory: Path) -> None:
        self.spool = directory / "spool"
        self.spool.mkdir()
        make_drop_directory(str(self.spool))
        (self.spool / "queue").touch(mode=0o600)  # not to be entered, not even by root
        self.socket = str(directory / "s")
        self.configuration = directory / "pysendmail.yaml"
        self.configure(smarthost="smtp://127.0.0.1:1")

    def configure(self, **keys: str) -> None:
        """Write the configuration, with these keys besides, and its snapshot."""
        keys |= {"spool": str(self.spool), "socket": self.socket}
        keys |= {"origin": "example.org", "hostname": "host.example.org"}
        text = "".join(f"{key}: {value}\n" for key, value in keys.items())
        self.configuration.write_text(text)
        self.configuration.chmod(0o644)
        assert write_snapshot(load({}, str(self.configuration)))

    def sendmail(
        self, *argv: str, stdin: bytes = MESSAGE
    ) -> tuple[subprocess.CompletedProcess[bytes], set[str]]:
        """Run sendmail; return how it ended and what it had loaded."""
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as report:
            try:
                done = subprocess.run(
                    [sys.executable, "-IS", "-c", STUB, str(writing), *argv],
                    input=stdin,
                    capture_output=True,
                    env={"PYSENDMAIL_CONFIG": str(self.configuration)},
                    pass_fds=[writing],
                    timeout=PATIENCE_S,
                    check=False,
                )
            finally:
                os.close(writing)
            return done, set(report.read().decode().split("\n"))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def answering(path: str, answer: bytes, heard: list[bytes]) -> threading.Thread:
    """Be a daemon for one submission."""
    listener = socket.socket(socket.AF_UNIX)
    listener.settimeout(PATIENCE_S)
    listener.bind(path)
    listener.listen()

    def serve() -> None:
        with listener:
            connection, _ = listener.accept()
        with connection:
            connection.settimeout(PATIENCE_S)
            received = b""
            while not received.endswith(b"all is well\n.\n"):
                chunk = connection.recv(65536)
                if not chunk:
                    break
                received += chunk
            heard.append(received)
            connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


ARGUMENTS: list[Sequence[str]] = [
    ("-t",),
    ("-FCronDaemon", "-B8BITMIME", "-oem", "root"),
    ("-f", "", "-N", "never", "-V", "a+2Bb", "-odb", "--", "bob@example.net"),
]


@pytest.mark.parametrize("argv", ARGUMENTS, ids=" ".join)
def test_first_door_loads_nothing_dear(site: Site, argv: Sequence[str]) -> None:
    heard: list[bytes] = []
    daemon = answering(site.socket, b"x0\0", heard)
    done, modules = site.sendmail(*argv)
    daemon.join(PATIENCE_S)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert modules & TOO_DEAR == set()
    assert "pysendmail.submission.socket_door" in modules
    head, _, message = heard[0].partition(b"\0\0")
    verb, records = split_head(head + b"\0\0")
    assert verb == b"submit"
    assert parse_request(records).size == len(message)
    assert list((site.spool / "drop").iterdir()) == []


def test_first_door_loads_nothing_dear_to_tell_of_a_failure(site: Site) -> None:
    daemon = answering(site.socket, b"ebob: 550 5.1.1 who\0x67\0", [])
    done, modules = site.sendmail("bob")
    daemon.join(PATIENCE_S)
    assert (done.returncode, done.stdout) == (67, b"")
    assert done.stderr == b"sendmail: bob: 550 5.1.1 who\n"
    assert modules & TOO_DEAR == set()


@pytest.mark.parametrize("argv", ARGUMENTS, ids=" ".join)
def test_third_door_loads_nothing_dear(site: Site, argv: Sequence[str]) -> None:
    done, modules = site.sendmail(*argv)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert modules & TOO_DEAR == set()
    assert "pysendmail.submission.mistakes" in modules
    [left] = (site.spool / "drop").iterdir()
    assert left.read_bytes().endswith(b"\0\0" + MESSAGE[:-2] + b"\n")


def modules_of_the_second_door(site: Site, smarthost: Catcher, **keys: str) -> set[str]:
    """Have a message delivered by sendmail itself; return what it had loaded."""
    (site.spool / "queue").unlink()
    DirectorySpool.create(str(site.spool)).close()
    site.configure(smarthost=smarthost.url, **keys)
    done, modules = site.sendmail("-odi", "-f", "ann@example.org", "bob@example.net")
    [received] = smarthost.wait_for(1)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert received.recipients == (b"bob@example.net",)
    return modules


DEAR_TO_THE_SECOND_DOOR = TOO_DEAR - {"os"} | {"collections", "threading", "hashlib", "importlib"}


def test_second_door_loads_little_that_is_dear(site: Site) -> None:
    with closing(Catcher()) as smarthost:
        modules = modules_of_the_second_door(site, smarthost, tls="none")
    assert "pysendmail.submission.direct" in modules
    assert modules & (DEAR_TO_THE_SECOND_DOOR | {"_ssl"}) == set()


def test_second_door_loads_little_that_is_dear_for_a_login_over_tls(
    site: Site, ca: trustme.CA, ca_file: Path, tmp_path: Path
) -> None:
    certificate = ca.issue_cert("localhost").private_key_and_cert_chain_pem.bytes()
    (tmp_path / "password").touch(mode=0o600)
    (tmp_path / "password").write_text("secret\n")
    login = {"user": "ann", "password_file": str(tmp_path / "password")}
    keys = {"tls": "required", "ca_file": str(ca_file), "sasl_mechanisms": "PLAIN", **login}
    with closing(Catcher(certificate=certificate, user="ann", password="secret")) as smarthost:
        modules = modules_of_the_second_door(site, smarthost, **keys)
    assert "_ssl" in modules
    assert modules & DEAR_TO_THE_SECOND_DOOR == set()


def test_smtp_on_standard_input_loads_nothing_dear(site: Site) -> None:
    script = b"EHLO x\nMAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\n" + MESSAGE + b".\nQUIT\n"
    done, modules = site.sendmail("-bs", stdin=script)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\r\n250 2.0.0 Ok: queued as " in done.stdout
    assert modules & TOO_DEAR <= {"os"}
    [left] = (site.spool / "drop").iterdir()
    assert left.read_bytes().endswith(b"\0\0" + MESSAGE[:-2] + b"\n")


def test_third_door_is_taken_when_the_answer_is_lost(site: Site) -> None:
    heard: list[bytes] = []
    daemon = answering(site.socket, b"", heard)
    done, modules = site.sendmail("-t")
    daemon.join(PATIENCE_S)
    assert (done.returncode, done.stderr) == (0, b"")
    assert modules & TOO_DEAR == set()
    [left] = (site.spool / "drop").iterdir()
    assert left.read_bytes() == heard[0]


def test_mistake_on_the_command_line_is_told_before_anything_is_loaded(site: Site) -> None:
    done, modules = site.sendmail("-Z", "bob")
    assert (done.returncode, done.stderr) == (64, b"sendmail: invalid option -- 'Z'\n")
    assert modules & TOO_DEAR == set()
    assert list((site.spool / "drop").iterdir()) == []


def test_mistake_in_the_message_is_told_at_the_third_door(site: Site) -> None:
    done, _modules = site.sendmail("a@b@c")
    assert done.returncode == 65
    assert done.stderr == b"sendmail: a@b@c: the address cannot be read\n"
    assert list((site.spool / "drop").iterdir()) == []
