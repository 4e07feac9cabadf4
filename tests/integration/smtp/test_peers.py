"""The servers themselves, checked with smtplib: what the tests of the client rely on in them."""

from __future__ import annotations

import os
import shutil
import signal
import smtplib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import dovecot, exim, kerberos, opensmtpd
from tests.helpers.dovecot import DovecotLmtp, DovecotSubmission
from tests.helpers.exim import EximPeer
from tests.helpers.installed import REPOSITORY
from tests.helpers.kerberos import Realm
from tests.helpers.opensmtpd import OpenSmtpdPeer
from tests.helpers.peer import Peer
from tests.helpers.waiting import wait_until
from tests.integration.smtp.conftest import Server, arrived
from tests.integration.test_peers import processes_naming

MESSAGE = b"Subject: hello\r\n\r\n.dot\r\n"

KINDS: dict[type[Peer], Callable[[], str]] = {
    EximPeer: exim.why_not,
    OpenSmtpdPeer: opensmtpd.why_not,
    DovecotSubmission: lambda: dovecot.why_not("submission"),
    DovecotLmtp: lambda: dovecot.why_not("lmtp"),
}
each_kind = pytest.mark.parametrize("kind", KINDS)

# What each must offer, and what it must not, or the client's tests would pass by without a word.
OFFERS = {
    "postfix_open": ("PIPELINING SIZE 8BITMIME DSN SMTPUTF8 CHUNKING ENHANCEDSTATUSCODES", "AUTH"),
    "exim_open": ("PIPELINING SIZE 8BITMIME DSN SMTPUTF8 CHUNKING", "AUTH STARTTLS"),
    "opensmtpd_open": ("SIZE 8BITMIME DSN", "PIPELINING CHUNKING SMTPUTF8"),
    "dovecot_login": ("PIPELINING SIZE 8BITMIME CHUNKING AUTH STARTTLS", ""),
    "postfix_login": ("PIPELINING CHUNKING STARTTLS", "AUTH"),
    "exim_login": ("PIPELINING CHUNKING STARTTLS AUTH", ""),
}


@pytest.mark.parametrize("name", OFFERS)
def test_server_offers_what_it_is_here_for(request: pytest.FixtureRequest, name: str) -> None:
    server: Server = request.getfixturevalue(name)
    with smtplib.SMTP(*server.address, timeout=10) as client:
        client.ehlo()
        offered = {keyword.upper() for keyword in client.esmtp_features}
    wanted, unwanted = (set(words.split()) for words in OFFERS[name])
    assert wanted <= offered
    assert not unwanted & offered


def made(kind: type[Peer]) -> Peer:
    """Return a server of that kind, or skip."""
    if reason := KINDS[kind]():
        pytest.skip(reason)
    return kind()


def processes_in(directory: Path) -> list[str]:
    """Return the processes that name the directory or live in it."""
    found = processes_naming(directory)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if Path(os.readlink(process / "root")).is_relative_to(directory):
                found.append(process.name)
        except OSError:
            continue
    return found


@each_kind
def test_closed_server_leaves_nothing_behind(kind: type[Peer]) -> None:
    server = made(kind)
    assert processes_in(server.directory)
    server.close()
    assert not server.directory.exists()
    wait_until(lambda: processes_in(server.directory) == [], what="the last process to end")


@each_kind
def test_stopped_server_comes_back_on_its_port(kind: type[Peer]) -> None:
    server = made(kind)
    try:
        server.stop()
        with pytest.raises(ConnectionRefusedError):
            smtplib.SMTP(*server.address, timeout=10)
        server.start()
        client = smtplib.LMTP if kind is DovecotLmtp else smtplib.SMTP
        with client("127.0.0.1", server.port, timeout=10) as session:
            assert session.ehlo()[0] == 250
    finally:
        server.close()


@each_kind
def test_server_ends_when_the_test_run_is_killed(kind: type[Peer]) -> None:
    if reason := KINDS[kind]():
        pytest.skip(reason)
    script = (
        f"import os, signal; from {kind.__module__} import {kind.__name__} as P; "
        "print(P().directory, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.PIPE, check=False
    )
    directory = Path(killed.stdout.decode().strip())
    assert killed.returncode == -signal.SIGKILL
    wait_until(lambda: processes_in(directory) == [], what="the end of the orphan")
    shutil.rmtree(directory)


@pytest.mark.parametrize("name", ["exim_open", "opensmtpd_open"])
def test_what_is_sent_is_received(
    request: pytest.FixtureRequest, sender: bytes, name: str
) -> None:
    server: Server = request.getfixturevalue(name)
    with smtplib.SMTP(*server.address, timeout=10) as client:
        everybody = ["a@example.com", "bad@example.com", "b@example.com"]
        refused = client.sendmail(sender.decode(), everybody, MESSAGE)
    assert list(refused) == ["bad@example.com"]
    received = arrived(server, sender)
    assert {address for one in received for address in one.recipients} == {
        b"a@example.com",
        b"b@example.com",
    }


def test_realm_closed_leaves_nothing_behind() -> None:
    if reason := kerberos.why_not():
        pytest.skip(reason)
    realm = Realm(user="mailer", password="secret", service="smtp/localhost")
    realm.log_in()
    assert (realm.directory / "tickets").exists()
    assert processes_in(realm.directory)
    realm.close()
    assert not realm.directory.exists()
    wait_until(lambda: processes_in(realm.directory) == [], what="the KDC to end")
