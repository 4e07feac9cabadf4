"""The harness itself, checked with smtplib: what other tests may rely on in their smarthosts."""

from __future__ import annotations

import os
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from tests.helpers.catcher import Catcher
from tests.helpers.installed import REPOSITORY, run_program
from tests.helpers.postfix import PostfixSmarthost
from tests.helpers.smarthost import Smarthost, times_received
from tests.helpers.waiting import ReservedPort, wait_until
from tests.integration.conftest import PASSWORD, USER, Certificates

Connect = Callable[[Smarthost], smtplib.SMTP]

MESSAGE = b"Subject: hello\r\nBcc: kept@example.com\r\n\r\n.dot\r\n\xe9\r\n"


@pytest.fixture
def client_tls(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    ca.configure_trust(context)
    return context


@pytest.fixture
def log_in(client_tls: ssl.SSLContext) -> Iterator[Connect]:
    """Connect, STARTTLS, AUTH; closed at the end."""
    opened: list[smtplib.SMTP] = []

    def connect(smarthost: Smarthost) -> smtplib.SMTP:
        client = smtplib.SMTP(smarthost.host, smarthost.port, timeout=10)
        opened.append(client)
        client.starttls(context=client_tls)
        client.login(USER, PASSWORD)
        return client

    yield connect
    for client in opened:
        client.close()


def reply_codes(client: smtplib.SMTP, *recipients: str) -> list[int]:
    """Return the codes of MAIL, each RCPT, DATA and the end of a transaction, as far as it came."""
    codes = [client.docmd("MAIL FROM:<sender@example.com>")[0]]
    codes += [client.docmd(f"RCPT TO:<{address}>")[0] for address in recipients]
    if codes[0] == 250 and 250 in codes[1:]:
        codes.append(client.docmd("DATA")[0])
        if codes[-1] == 354:
            client.send(MESSAGE + b".\r\n")
            codes.append(client.getreply()[0])
    return codes


def test_message_arrives_with_its_envelope_and_its_bytes(
    smarthost: Smarthost, log_in: Connect
) -> None:
    recipients = ["a@example.com", "b@example.org", '"q r"@example.com']
    log_in(smarthost).sendmail("", recipients, MESSAGE, mail_options=["BODY=8BITMIME"])
    (received,) = smarthost.wait_for(1)
    assert received.sender == b""
    assert len(received.recipients) == 3
    assert {b"a@example.com", b"b@example.org"} < set(received.recipients)
    assert received.content.endswith(MESSAGE)
    assert received.subject == b"hello"


@pytest.mark.parametrize(
    ("at", "codes"),
    [
        ("MAIL", [451, 503]),
        ("RCPT", [250, 451]),
        ("DATA", [250, 250, 451]),
        ("END-OF-MESSAGE", [250, 250, 354, 451]),
    ],
)
def test_answer_is_given_at_once_in_a_connection_already_open(
    smarthost: Smarthost, log_in: Connect, at: str, codes: list[int]
) -> None:
    client = log_in(smarthost)
    smarthost.answer("451 4.3.0 later", at=at)
    assert reply_codes(client, "a@example.com") == codes
    smarthost.answer()
    client.rset()
    assert reply_codes(client, "a@example.com") == [250, 250, 354, 250]
    assert len(smarthost.wait_for(1)) == 1


def test_answer_for_one_recipient_leaves_the_others_alone(
    smarthost: Smarthost, log_in: Connect
) -> None:
    smarthost.answer("550 5.1.1 no such user", recipient="bad@example.com")
    codes = reply_codes(log_in(smarthost), "bad@example.com", "good@example.com")
    assert codes == [250, 550, 250, 354, 250]
    assert smarthost.wait_for(1)[0].recipients == (b"good@example.com",)


def test_answer_421_ends_the_connection(smarthost: Smarthost, log_in: Connect) -> None:
    client = log_in(smarthost)
    smarthost.answer("421 4.3.2 closing down", at="MAIL")
    assert client.docmd("MAIL FROM:<sender@example.com>")[0] == 421
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.noop()


def test_answer_in_place_of_the_greeting_is_what_a_client_meets(smarthost: Smarthost) -> None:
    smarthost.answer("554 5.3.2 not today", at="CONNECT")
    with pytest.raises(smtplib.SMTPConnectError) as refused:
        smtplib.SMTP(smarthost.host, smarthost.port, timeout=10)
    assert refused.value.smtp_code == 554


@pytest.mark.parametrize("scheme", ["PLAIN", "LOGIN"])
def test_password_is_checked_and_can_be_changed_meanwhile(
    smarthost: Smarthost, client_tls: ssl.SSLContext, scheme: str
) -> None:
    with smtplib.SMTP(smarthost.host, smarthost.port, timeout=10) as client:
        client.starttls(context=client_tls)
        client.ehlo()
        assert set(client.esmtp_features["auth"].split()) == {"PLAIN", "LOGIN"}
        client.user, client.password = USER, "new one"
        mechanism = client.auth_plain if scheme == "PLAIN" else client.auth_login
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.auth(scheme, mechanism)
        smarthost.login(USER, "new one")
        assert client.auth(scheme, mechanism)[0] == 235


def test_mail_of_a_client_that_has_not_logged_in_is_refused(
    smarthost: Smarthost, client_tls: ssl.SSLContext
) -> None:
    with smtplib.SMTP(smarthost.host, smarthost.port, timeout=10) as client:
        client.ehlo()
        assert "auth" not in client.esmtp_features
        client.starttls(context=client_tls)
        client.ehlo()
        with pytest.raises(smtplib.SMTPException):
            client.sendmail("sender@example.com", ["a@example.com"], MESSAGE)
    assert smarthost.received() == []


def test_stopped_smarthost_refuses_connections_and_comes_back_on_its_port(
    smarthost: Smarthost, log_in: Connect
) -> None:
    client = log_in(smarthost)
    port = smarthost.port
    smarthost.stop()
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.noop()
    with pytest.raises(ConnectionRefusedError):
        smtplib.SMTP(smarthost.host, port)
    smarthost.start()
    assert smarthost.port == port
    assert log_in(smarthost).noop()[0] == 250


def test_hanging_smarthost_accepts_and_stays_silent(smarthost: Smarthost, log_in: Connect) -> None:
    smarthost.hang()
    with socket.create_connection(("127.0.0.1", smarthost.port), timeout=0.2) as connection:
        with pytest.raises(TimeoutError):
            connection.recv(1)
        smarthost.start()
        assert connection.recv(1) == b""  # those who waited are told by the end of the connection
    assert log_in(smarthost).noop()[0] == 250


def test_smarthost_stops_in_the_middle_of_a_tls_handshake(smarthost: Smarthost) -> None:
    with smtplib.SMTP(smarthost.host, smarthost.port, timeout=10) as client:
        client.ehlo()
        assert client.docmd("STARTTLS")[0] == 220
        smarthost.stop()
        assert client.sock is not None
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", smarthost.port))
        client.close()


@pytest.mark.parametrize("kind", ["expired", "wrong_name", "stranger"])
def test_bad_certificate_is_shown(
    smarthost: Smarthost, certificates: Certificates, client_tls: ssl.SSLContext, kind: str
) -> None:
    smarthost.certify(getattr(certificates, kind))
    with smtplib.SMTP(smarthost.host, smarthost.port, timeout=10) as client:
        with pytest.raises(ssl.SSLCertVerificationError):
            client.starttls(context=client_tls)
        client.close()


def test_without_certificate_there_is_no_starttls_but_a_login(smarthost: Smarthost) -> None:
    smarthost.certify(None)
    with smtplib.SMTP(smarthost.host, smarthost.port, timeout=10) as client:
        client.ehlo()
        assert "starttls" not in client.esmtp_features
        assert client.login(USER, PASSWORD)[0] == 235


def test_messages_taken_before_a_stop_are_each_received_once(
    smarthost: Smarthost, log_in: Connect
) -> None:
    client = log_in(smarthost)
    for number in range(20):
        client.sendmail("s@example.com", ["a@example.com"], f"Subject: {number}\r\n\r\n")
    smarthost.stop()
    smarthost.start()
    received = smarthost.wait_for(20)
    assert [one.subject for one in received] == [b"%d" % number for number in range(20)]
    assert set(times_received(received).values()) == {1}


def test_wait_for_tells_what_was_there_when_it_gives_up(catcher: Catcher) -> None:
    with pytest.raises(AssertionError, match=r"1 messages at the catcher\nthere: \[\]"):
        catcher.wait_for(1, seconds=0.01)


def test_postfix_closed_leaves_nothing_behind(postfix_installed: None) -> None:
    smarthost = PostfixSmarthost()
    directory = smarthost.directory
    assert processes_naming(directory)
    smarthost.close()
    assert not directory.exists()
    assert processes_naming(directory) == []


def test_postfix_ends_when_the_test_run_is_killed(postfix_installed: None) -> None:
    script = (
        "import os, signal; from tests.helpers.postfix import PostfixSmarthost as P; "
        "print(P().directory, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.PIPE, check=False
    )
    directory = Path(killed.stdout.decode().strip())
    assert killed.returncode == -signal.SIGKILL
    wait_until(lambda: processes_naming(directory) == [], what="the end of the orphan")
    shutil.rmtree(directory)


def processes_naming(directory: Path) -> list[str]:
    """Return the command lines of the processes, Postfix's own in particular, that name it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command, environment = path.read_bytes(), path.with_name("environ").read_bytes()
        except OSError:
            continue
        if os.fsencode(directory) in command + environment and path.parent.name != str(os.getpid()):
            found.append(command.decode())
    return found


def test_postfix_of_the_machine_is_left_alone(postfix_installed: None) -> None:
    def changed() -> list[tuple[str, int]]:
        roots = [Path("/etc/postfix"), Path("/var/spool/postfix"), Path("/var/lib/postfix")]
        paths = [path for root in roots for path in (root, *root.rglob("*"))]
        return sorted((str(path), path.lstat().st_ctime_ns) for path in paths)

    before = changed()
    smarthost = PostfixSmarthost()
    with smtplib.SMTP(smarthost.host, smarthost.port, timeout=10) as client:
        client.sendmail("s@example.com", ["a@example.com"], MESSAGE)
    smarthost.wait_for(1)
    smarthost.close()
    assert changed() == before


def test_catcher_keeps_what_was_said(catcher: Catcher, log_in: Connect) -> None:
    catcher.answer("450 4.2.0 full", recipient="full@example.com")
    log_in(catcher).sendmail(
        "Sender@example.com",
        ["a@example.com", "full@example.com", "b@example.com"],
        MESSAGE,
        mail_options=["RET=HDRS", "ENVID=Ab+2B"],
        rcpt_options=["NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;A@x"],
    )
    (caught,) = catcher.caught()
    assert caught.commands[:3] == (caught.commands[0], "STARTTLS", caught.commands[0])
    assert caught.commands[-1] == "DATA"
    assert caught.mail_options[-2:] == ("RET=HDRS", "ENVID=Ab+2B")
    assert caught.rcpt_options == (("NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;A@x"),) * 2
    assert (caught.tls, caught.user) == (True, USER.encode())
    assert caught.content == MESSAGE


@pytest.fixture
def catcher_program(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, Path]]:
    """The catcher as a program: its process, its port and its control file; Maildir beside it."""
    control = tmp_path / "control"
    command = [sys.executable, "-m", "tests.helpers.catcher", "--port", "0"]
    command += ["--maildir", str(tmp_path / "Maildir"), "--control", str(control)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline()), control
        finally:
            process.kill()


def test_catcher_program_obeys_its_control_file_and_delivers_into_the_maildir(
    catcher_program: tuple[subprocess.Popen[bytes], int, Path],
) -> None:
    process, port, control = catcher_program
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
        client.ehlo()
        control.write_text("temporary-failure\n")
        assert reply_codes(client, "a@example.com") == [250, 450]
        client.rset()
        control.write_text("RCPT <bad@example.com> 550 5.1.1 no such user\nDATA 451 4.3.0 later\n")
        assert reply_codes(client, "bad@example.com", "a@example.com") == [250, 550, 250, 451]
        client.rset()
        control.write_text("ok\n")
        assert reply_codes(client, "a@example.com") == [250, 250, 354, 250]
    (delivered,) = (control.parent / "Maildir/new").iterdir()
    head = b"Return-Path: <sender@example.com>\nDelivered-To: a@example.com\n"
    assert delivered.read_bytes() == head + MESSAGE.replace(b"\r\n", b"\n").replace(b"\n.", b"\n")
    process.terminate()
    assert process.wait(10) == 0


def test_catcher_program_switches_by_signals() -> None:
    command = [sys.executable, "-m", "tests.helpers.catcher"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        with smtplib.SMTP("127.0.0.1", int(process.stdout.readline()), timeout=10) as client:
            client.ehlo()

            def next_code() -> int:
                client.rset()
                return reply_codes(client, "a@example.com")[1]

            process.send_signal(signal.SIGUSR1)
            wait_until(lambda: next_code() == 450, what="temporary failure")
            process.send_signal(signal.SIGUSR2)
            wait_until(lambda: next_code() == 250, what="the end of it")
        process.terminate()
        assert process.wait(10) == 0


def test_reserved_port_serves_one_server_after_the_other() -> None:
    port = ReservedPort()
    for _ in range(2):
        with port.listen(), socket.create_connection(("127.0.0.1", port.number)):
            pass
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port.number))
    port.close()


def test_run_program_gives_a_fresh_environment() -> None:
    told = run_program(["/usr/bin/env"], env={"NAME": "value"}).stdout.split()
    assert told == [b"PATH=/usr/sbin:/usr/bin:/sbin:/bin", b"NAME=value"]


def test_run_program_closes_descriptors() -> None:
    listing = run_program(
        ["/bin/sh", "-c", "for n in 0 1 2; do test -e /proc/$$/fd/$n; echo $?; done"]
    )
    assert listing.stdout.split() == [b"0", b"0", b"0"]
    script = "for n in 0 2; do test -e /proc/$$/fd/$n; echo $?; done"
    assert run_program(["/bin/sh", "-c", script], closed=(0, 2)).stdout.split() == [b"1", b"1"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a program as another user")
def test_run_program_changes_user_umask_and_directory() -> None:
    told = run_program(
        ["/bin/sh", "-c", "id -u; id -G; umask; ls /proc/$$/cwd/ && readlink /proc/$$/cwd"],
        uid=65534,
        umask=0o27,
        deleted_cwd=True,
    ).stdout.split(maxsplit=3)
    assert told[:3] == [b"65534", b"65534", b"0027"]
    assert told[3].strip().endswith(b"/gone (deleted)")


def test_temporary_directory_is_short_enough_for_sockets() -> None:
    # sun_path of AF_UNIX has 108 octets: a Site's socket must fit below the temporary directory
    assert len(tempfile.gettempdir()) + len("/pysendmail-site-12345678/run/submit.sock") < 108
