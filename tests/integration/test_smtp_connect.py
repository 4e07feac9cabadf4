"""Connections that are not TCP: a Unix socket, and a command's standard input and output."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from pysendmail.smtp import (
    Client,
    Command,
    ConnectError,
    ConnectionLost,
    TimedOut,
    Timeouts,
    TlsConfig,
    TlsError,
    authenticate,
    connect,
)
from pysendmail.smtp.transport.command import start_command

# --- A Unix socket


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        yield listening


def test_unix_socket_is_reached_by_its_path(listener: socket.socket) -> None:
    listener.listen()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"220 lmtp\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    # a source address is for TCP, and harmless here
    client = connect(listener.getsockname(), source_address="127.0.0.1")
    assert client.greeting().lines == (b"lmtp",)
    client.close()
    thread.join(10)


def test_unix_socket_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / "none")
    with pytest.raises(ConnectError) as caught:
        connect(path)
    assert caught.value.reasons == ((path, "No such file or directory"),)
    with pytest.raises(ConnectError, match="too long"):
        connect(str(tmp_path / ("x" * 120)))


def test_busy_unix_socket_is_waited_for_and_no_longer_than_allowed(
    listener: socket.socket,
) -> None:
    listener.listen(0)
    path = listener.getsockname()
    with socket.socket(socket.AF_UNIX) as filler:
        filler.connect(path)
        for timeouts in (Timeouts(connect=0.05), 0.05):
            with pytest.raises(TimedOut, match="is busy"):
                connect(path, timeouts)
        with pytest.raises(TimedOut):
            connect(path, deadline=time.monotonic() + 0.05)
        waiting: list[Client] = []
        thread = threading.Thread(target=lambda: waiting.append(connect(path)))
        thread.start()
        accepted, _ = listener.accept()
        thread.join(10)
        accepted.close()
    [client] = waiting
    client.close()


# --- A command

SERVER = """
import socket, ssl, sys, os
link = socket.socket(fileno=0)
link.sendall(b"220 %d\\r\\n" % os.getpid())
while line := b"".join(iter(lambda: link.recv(1), b"\\n")):
    if line.startswith(b"EHLO"):
        link.sendall(b"250-mx\\r\\n250-STARTTLS\\r\\n250 AUTH PLAIN\\r\\n")
    elif line.startswith(b"STARTTLS"):
        link.sendall(b"220 go\\r\\n")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1])
        link = context.wrap_socket(link, server_side=True)
    elif line.startswith(b"AUTH"):
        link.sendall(b"235 welcome\\r\\n")
    elif line.startswith(b"QUIT"):
        link.sendall(b"221 bye\\r\\n")
        break
"""


@pytest.fixture
def smtp_command(ca: trustme.CA, tmp_path: Path) -> Command:
    certificate = tmp_path / "server.pem"
    ca.issue_cert("mx.example").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    return Command([sys.executable, "-c", SERVER, str(certificate)])


def is_reaped(process: int) -> bool:
    """Tell whether a child is gone altogether: neither running nor a zombie."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def test_session_with_a_command_goes_as_with_a_server(
    smtp_command: Command, ca_file: Path
) -> None:
    with connect(smtp_command) as client:
        process = int(client.greeting().lines[0])
        authenticate(
            client, host=b"me", tls_config=TlsConfig(ca_file=str(ca_file)),
            tls_peer="mx.example", user=b"u", creds=[(b"password", b"p")],
        )  # fmt: skip
        assert client.tls_verified
        assert client.authenticated
    assert is_reaped(process)


def test_command_is_reaped_after_a_failed_handshake(smtp_command: Command) -> None:
    client = connect(smtp_command)
    process = int(client.greeting().lines[0])
    with pytest.raises(TlsError):
        authenticate(client, host=b"me", tls_config=TlsConfig(), tls_peer="mx.example")
    assert is_reaped(process)
    client.close()


def test_command_that_does_not_end_is_ended(capfd: pytest.CaptureFixture[str]) -> None:
    stubborn = (
        "import os, signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('its complaint', file=sys.stderr, flush=True);"
        "os.write(1, b'220 %d\\r\\n' % os.getpid()); signal.sigwait([signal.SIGUSR1])"
    )
    stream = start_command(Command([sys.executable, "-c", stubborn]), grace=0.1)
    client = Client(stream, stream)
    process = int(client.greeting().lines[0])
    client.close()
    assert is_reaped(process)
    client.close()
    assert "its complaint" in capfd.readouterr().err


def test_command_that_ends_at_once_is_a_lost_connection() -> None:
    client = connect(Command([sys.executable, "-c", ""]))
    with pytest.raises(ConnectionLost):
        client.greeting()
    client.close()


def test_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    program = str(tmp_path / "none")
    with pytest.raises(ConnectError) as caught:
        connect(Command([program]))
    assert caught.value.reasons == ((program, "No such file or directory"),)
