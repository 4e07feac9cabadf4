"""The SMTP listener of the installed daemon, as Django, smtplib, swaks and smugglers use it."""

from __future__ import annotations

import os
import shutil
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.catcher import Catcher
from tests.helpers.installed import PATIENCE_S, run_program
from tests.helpers.system import Site
from tests.helpers.waiting import ReservedPort
from tests.integration.conftest import SiteMaker

HEADER = b"Subject: hello\r\nFrom: alice@example.com\r\nBcc: secret@example.net\r\n"
MESSAGE = HEADER + b"\r\n.dot\r\n\xc3\xa9\r\n"


@pytest.fixture
def port() -> Iterator[int]:
    reserved = ReservedPort()
    yield reserved.number
    reserved.close()


@pytest.fixture
def site(make_site: SiteMaker, catcher: Catcher, port: int) -> Site:
    """A site whose daemon, running, listens for SMTP on `port`."""
    made = make_site(catcher, listen=f"127.0.0.1:{port}")
    made.daemon.start()
    return made


def connect(port: int) -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", port, local_hostname="client", timeout=PATIENCE_S)


def test_smtplib_sends_two_messages_in_one_session(
    site: Site, catcher: Catcher, port: int
) -> None:
    with connect(port) as client:
        for _ in range(2):
            refused = client.sendmail(
                "alice@example.com",
                ["bob@example.net", "root"],
                MESSAGE,
                mail_options=["BODY=8BITMIME", "RET=HDRS"],
                rcpt_options=["NOTIFY=FAILURE"],
            )
            assert refused == {}
    catcher.wait_for(2)
    for caught in catcher.caught():
        assert caught.sender == b"alice@example.com"
        assert caught.recipients == (b"bob@example.net", b"root@example.com")
        assert caught.content.endswith(b"\r\n\r\n.dot\r\n\xc3\xa9\r\n")
        assert caught.field(b"Bcc") == b""
        assert "RET=HDRS" in caught.mail_options
        assert "NOTIFY=FAILURE" in caught.rcpt_options[0]
        assert b"from client ([127.0.0.1]) by client.example.com (pysendmail) with ESMTP id " in (
            caught.content.replace(b"\r\n\t", b" ")
        )


def test_refusal_of_the_smarthost_is_the_clients(site: Site, catcher: Catcher, port: int) -> None:
    catcher.answer("550 5.1.1 no such user", recipient="bad@example.net")
    with connect(port) as client, pytest.raises(smtplib.SMTPDataError) as refused:
        client.sendmail("alice@example.com", ["bad@example.net"], MESSAGE)
    assert refused.value.smtp_code == 550
    assert site.is_idle()


def test_message_waits_in_the_spool_while_the_smarthost_is_away(
    site: Site, catcher: Catcher, port: int
) -> None:
    catcher.stop()
    with connect(port) as client:
        assert client.sendmail("alice@example.com", ["bob@example.net"], MESSAGE) == {}
    assert not site.is_idle()
    catcher.start()
    site.flush()
    catcher.wait_for(1)


DJANGO = """
import sys
from django.conf import settings
settings.configure(EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
                   EMAIL_HOST="127.0.0.1", EMAIL_PORT=int(sys.argv[1]))
from django.core.mail import EmailMultiAlternatives, get_connection
with get_connection() as connection:
    messages = [
        EmailMultiAlternatives(subject, "plain \\u00e9\\n.dot\\n", "alice@example.com",
                               ["bob@example.net"], bcc=["carol@example.net"])
        for subject in ("one", "two")
    ]
    for message in messages:
        message.attach_alternative("<p>html</p>", "text/html")
    print(connection.send_messages(messages))
"""


def test_django_sends_many_over_one_connection(site: Site, catcher: Catcher, port: int) -> None:
    pytest.importorskip("django")
    done = subprocess.run(
        [sys.executable, "-c", DJANGO, str(port)], capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"2\n", b"")
    received = catcher.wait_for(2)
    assert [one.subject for one in received] == [b"one", b"two"]
    assert {one.recipients for one in received} == {(b"bob@example.net", b"carol@example.net")}
    assert all(one.field(b"Bcc") == b"" for one in received)


@pytest.mark.parametrize("options", [[], ["--pipeline"]], ids=["in turn", "pipelined"])
def test_swaks_sends(site: Site, catcher: Catcher, port: int, options: list[str]) -> None:
    if shutil.which("swaks") is None:
        pytest.skip("swaks is not installed")
    done = run_program(
        [
            *["swaks", "--server", "127.0.0.1", "--port", str(port), "--ehlo", "client", *options],
            *["--from", "alice@example.com", "--to", "bob@example.net,carol@example.net"],
            *["--header", "Subject: swaks", "--body", "one\\n.two\\n"],
        ]
    )
    assert done.returncode == 0, done.stdout
    (received,) = catcher.wait_for(1)
    assert received.recipients == (b"bob@example.net", b"carol@example.net")
    assert received.subject == b"swaks"
    assert b"\r\n.two\r\n" in received.content


@pytest.mark.parametrize(
    "end",
    [
        b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\r\n.\r\r\n",
        b"\n\0.\n",
    ],
    ids=repr,
)  # fmt: skip
def test_smuggled_message_arrives_inside_the_one_that_carried_it(
    site: Site, catcher: Catcher, port: int, end: bytes
) -> None:
    smuggled = b"MAIL FROM:<evil@x.test>\r\nRCPT TO:<victim@x.test>\r\nDATA\r\nSubject: no\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as client:
        client.sendall(
            b"EHLO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n"
            b"Subject: yes\r\n\r\ntext" + end + smuggled + b"\r\n.\r\nQUIT\r\n"
        )
        said = b""
        while octets := client.recv(65536):
            said += octets
    assert said.count(b"queued as") == 1
    (received,) = catcher.wait_for(1)
    assert (received.sender, received.recipients) == (b"a@example.com", (b"b@example.net",))
    assert received.subject == b"yes"
    assert b"MAIL FROM:<evil@x.test>\r\nRCPT TO:<victim@x.test>\r\n" in received.content
    assert site.is_idle()


def test_login_is_needed_where_a_user_is_configured(
    make_site: SiteMaker, catcher: Catcher, port: int, tmp_path: Path
) -> None:
    password = tmp_path / "listen-password"
    password.touch(0o600)
    password.write_text("let me in\n")
    site = make_site(
        catcher,
        listen=f"0.0.0.0:{port}",
        listen_for="anyone",
        listen_user="app",
        listen_password_file=str(password),
    )
    site.daemon.start()
    with connect(port) as client:
        with pytest.raises(smtplib.SMTPSenderRefused):
            client.sendmail("alice@example.com", ["bob@example.net"], MESSAGE)
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("app", "let me out")
        client.login("app", "let me in")
        client.sendmail("alice@example.com", ["bob@example.net"], MESSAGE)
    (received,) = catcher.wait_for(1)
    assert b"(pysendmail) with ESMTPA" in received.content
    log = site.daemon.log()
    assert "let me in" not in log
    assert "let me out" not in log


def test_stopping_daemon_says_so_and_a_new_one_listens(site: Site, port: int) -> None:
    client = connect(port)
    assert client.noop()[0] == 250
    assert site.daemon.stop() == 0
    assert client.sock is not None
    assert client.sock.recv(1000).startswith(b"421 ")
    client.close()
    site.daemon.start()
    with connect(port) as again:
        assert again.noop()[0] == 250


def test_second_daemon_is_told_of_the_first_and_not_of_its_port(site: Site, port: int) -> None:
    done = site.run("pysendmaild", "--foreground")
    assert done.returncode == 69
    assert b"another daemon" in done.stderr


def test_port_of_somebody_else_is_told(make_site: SiteMaker, catcher: Catcher, port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        site = make_site(catcher, listen=f"127.0.0.1:{taken}")
        done = site.run("pysendmaild", "--foreground")
    assert done.returncode == 75
    line = f"pysendmaild: cannot listen on 127.0.0.1:{taken}: Address already in use\n"
    assert done.stderr == line.encode()


def free_low_port() -> int:
    """Return a port below 1024 that nobody has."""
    for number in range(1023, 512, -1):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                continue
            return number
    pytest.skip("no free port below 1024")


@pytest.mark.root
def test_low_port_is_bound_before_privileges_are_dropped(
    make_site: SiteMaker, stranger: int
) -> None:
    low, plain = free_low_port(), Catcher()
    try:
        site = make_site(plain, listen=f"127.0.0.1:{low}", user="", ca_file="")
        site.make_spool()
        for directory, names, files in os.walk(site.directory):
            for name in [*names, *files]:
                os.chown(os.path.join(directory, name), stranger, stranger)
        site.daemon.start()
        status = Path(f"/proc/{site.daemon.pid}/status").read_text()
        assert f"Uid:\t{stranger}\t{stranger}\t{stranger}\t{stranger}\n" in status
        with connect(low) as client:
            client.sendmail("alice@example.com", ["bob@example.net"], MESSAGE)
        assert len(plain.wait_for(1)) == 1
    finally:
        plain.close()
