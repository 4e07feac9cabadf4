"""The benchmarks still run: the quickest of those that need every part of the harness."""

from __future__ import annotations

import os
import smtplib
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.bench import link, smarthosts
from tests.bench.certificate import Certificate
from tests.bench.place import Place
from tests.helpers.installed import REPOSITORY

pytestmark = [pytest.mark.root, pytest.mark.slow]


@pytest.fixture
def disk() -> Iterator[Path]:
    """A directory open to every user, where a root can be made; skips where none can."""
    if os.geteuid() != 0:
        pytest.skip("only root can make namespaces")
    if reason := smarthosts.why_not():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        os.chmod(directory, 0o755)
        root = Path(directory) / "root"
        root.mkdir()
        try:
            Place(root=root).close()
        except AssertionError as error:
            pytest.skip(str(error))
        yield Path(directory)


def test_a_quick_look_at_submission_measures_ours(disk: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "submission", "--quick", "--disk", str(disk)],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| pysendmail")]
    assert len(rows) == 4, done.stdout
    assert not list(disk.glob("bench-*")), "something is left"


def test_the_smarthost_with_tls_takes_mail_after_a_login(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    certificate = Certificate()
    smarthost = smarthosts.Smarthost(tls=certificate)
    try:
        with smtplib.SMTP(smarthost.host, smarthost.port) as client:
            client.starttls(context=ssl.create_default_context(cafile=certificate.authority))
            client.login(smarthosts.USER, smarthosts.PASSWORD)
            client.sendmail(smarthosts.USER, ["b@example.net"], b"Subject: x\r\n\r\nx\r\n")
        smarthost.wait(1)
        assert smarthost.taken == 1
    finally:
        smarthost.close()


SERVER = """
import socket
server = socket.create_server(("", 0))
print(server.getsockname()[1], flush=True)
connection, _ = server.accept()
connection.sendall(b"greeting")
while octets := connection.recv(1):
    connection.sendall(octets)
"""
CLIENT = """
import socket, sys
for _ in range(3):
    try:
        socket.create_connection((sys.argv[1], 1))
    except ConnectionRefusedError:
        pass
client = socket.create_connection((sys.argv[1], int(sys.argv[2])))
client.recv(64)
for _ in range(3):
    client.sendall(b"x")
    client.recv(64)
"""


def test_the_link_counts_round_trips_and_connections() -> None:
    if reason := link.why_not():
        pytest.skip(reason)
    with closing(link.Link(0.05)) as road:
        command = [*road.server, "python3", "-c", SERVER]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            port = server.stdout.readline().strip()
            road.round_trips()
            road.connections()
            subprocess.run([*road.client, "python3", "-c", CLIENT, link.SERVER, port], check=True)
            assert road.round_trips() == 8, "three refusals, TCP, greeting, three answers"
            assert road.connections() == 1
