"""The client over real sockets: resets, buffers, addresses, TLS.

What else a server may do to it is in `tests/integration/lying`.
"""

from __future__ import annotations

import ssl
import time
from pathlib import Path

import pytest

from pysendmail.smtp import (
    Client,
    ConnectError,
    ConnectionLost,
    TimedOut,
    Timeouts,
    TlsConfig,
    TlsError,
    authenticate,
    connect,
)
from tests.helpers.lying_server import (
    LyingServer,
    Step,
    drip,
    hang_up,
    hear,
    hear_message,
    reset,
    say,
    stall,
    turn_to_tls,
)

HELLO = [say("220 mx"), hear(), say("250-mx", "250-PIPELINING", "250 STARTTLS")]
RECIPIENT = [b"b@y"]
SHORT = Timeouts(greeting=0.3, mail=0.3, final=0.3, other=0.3, quit=0.3, block=0.3, tls=0.3)


def transact(client: Client, message: bytes = b"text\r\n"):
    with client:
        client.helo(b"me")
        return client.transaction(b"a@x", RECIPIENT, [message])


ENVELOPE: list[Step] = [*HELLO, hear(3), say("250 a", "250 b", "354 go")]


@pytest.mark.parametrize(
    ("recipe", "after_end"),
    [([reset()], False), ([*ENVELOPE, hear_message(), reset()], True)],
    ids=["greeting", "dot"],
)
def test_reset_is_a_loss(recipe: list[Step], after_end: bool) -> None:
    with LyingServer(*recipe) as server:
        # A reset may also come before the connection is ours.
        with pytest.raises((ConnectionLost, ConnectError)) as caught:
            transact(connect(server.address, SHORT))
        assert caught.value.after_end_of_data is after_end


def test_byte_by_byte_server_is_understood() -> None:
    with LyingServer(
        drip(b"220-mx\r\n220 hi\r\n"), hear(), drip(b"250-mx\r\n250 PIPELINING\r\n"), hear(3),
        drip(b"250 a\r\n250 b\r\n354 go\r\n"), hear_message(), drip(b"250 taken\r\n"), hear(),
        say("221 bye"),
    ) as server:  # fmt: skip
        transcript = transact(connect(server.address), b".dot\n")
    assert transcript.final.code == 250
    assert server.heard[4:] == [b"..dot", b".", b"QUIT"]


def test_server_that_answers_early_and_stops_reading_is_heard() -> None:
    with LyingServer(
        *ENVELOPE, hear(), say("552 5.3.4 too big"), hear(3), hang_up(), receive_buffer=4096
    ) as server:
        transcript = transact(connect(server.address), b"x" * 78 + b"\r\n" + b"y" * 8_000_000)
    assert transcript.final.code == 552


def test_server_that_closes_early_gives_its_reason() -> None:
    with LyingServer(*ENVELOPE, hear(), say("554 5.7.1 spam"), hang_up()) as server:
        transcript = transact(connect(server.address), b"x" * 78 + b"\r\n" + b"y" * 8_000_000)
    assert transcript.final.code == 554


def test_large_message_reaches_a_slow_reader_whole() -> None:
    message = b"0123456789" * 99 + b"\r\n"
    with LyingServer(
        *ENVELOPE, hear_message(), say("250 ok"), hear(), say("221 bye"), receive_buffer=4096
    ) as server:
        client = connect(server.address)
        with client:
            client.helo(b"me")
            transcript = client.transaction(b"a@x", RECIPIENT, lambda: [message] * 5000)
    assert transcript.final.code == 250
    assert server.heard.count(message[:-2]) == 5000


def test_stalled_reader_times_out_in_the_message() -> None:
    with LyingServer(*ENVELOPE, receive_buffer=4096) as server:
        server_side = server  # keeps its socket open until the recipe ends
        client = connect(server_side.address, SHORT)
        with pytest.raises((TimedOut, ConnectionLost)) as caught:
            transact(client, b"y" * 8_000_000)
    assert not caught.value.after_end_of_data


def test_kept_session_is_seen_to_have_ended() -> None:
    with LyingServer(*HELLO, say("421 idle"), hang_up()) as server:
        client = connect(server.address)
        client.helo(b"me")
        until = time.monotonic() + 5
        while client.usable() and time.monotonic() < until:
            pass
        assert not client.usable()
        client.close()


def test_kept_session_stays_usable() -> None:
    with LyingServer(*HELLO, stall()) as server:
        client = connect(server.address)
        client.helo(b"me")
        assert client.usable()
        client.close()


def test_lmtp_and_ignored_extensions_are_told_to_the_client() -> None:
    with LyingServer(say("220 mx"), hear(), say("250-mx", "250 PIPELINING")) as server:
        client = connect(server.address, lmtp=True, ignored={b"PIPELINING"})
        client.helo(b"me")
        client.close()
    assert server.heard == [b"LHLO me"]
    assert b"PIPELINING" not in client.extensions


def test_nobody_listens() -> None:
    server = LyingServer()
    with server:
        connect(server.address).close()
    with pytest.raises(ConnectError) as caught:
        connect(server.address)
    assert caught.value.host == "127.0.0.1"
    assert "refused" in str(caught.value)


def test_unix_socket_is_connected_by_its_path(tmp_path: Path) -> None:
    import socket
    import threading

    path = str(tmp_path / "lmtp")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def greet() -> None:
            peer, _ = listener.accept()
            peer.sendall(b"220 unix\r\n")
            peer.close()

        thread = threading.Thread(target=greet)
        thread.start()
        client = connect(path)
        assert client.greeting().lines == (b"unix",)
        client.close()
        thread.join()
    with pytest.raises(ConnectError, match="lmtp"):
        connect(path)


def test_name_that_does_not_exist_is_connect_error() -> None:
    with pytest.raises(ConnectError, match="invalid"):
        connect(("nowhere.invalid", 25))


def test_deadline_in_the_past_connects_nowhere() -> None:
    with pytest.raises(TimedOut, match="connecting"):
        connect(("127.0.0.1", 25), deadline=time.monotonic() - 1)


def test_every_resolved_address_is_tried() -> None:
    with LyingServer(say("220 hi")) as server:
        # localhost may be ::1 first, where nobody listens
        client = connect(("localhost", server.address[1]), source_address=None)
        assert client.greeting().code == 220
        client.close()


def test_source_address_is_used() -> None:
    with LyingServer(say("220 hi")) as server:
        client = connect(server.address, source_address="127.0.0.1")
        client.close()
    with pytest.raises(ConnectError):
        connect(server.address, source_address="192.0.2.1")


# --- TLS


@pytest.fixture
def server_tls(server_tls_context) -> ssl.SSLContext:
    return server_tls_context("localhost")


def secured(address: tuple[str, int], config: TlsConfig, name: str = "localhost") -> Client:
    client = connect(address, Timeouts(tls=1, quit=1))
    try:
        authenticate(client, host=b"me", tls_config=config, tls_peer=name)
    except BaseException:
        client.close()
        raise
    return client


def test_starttls_verifies_and_asks_again(server_tls: ssl.SSLContext, ca_file: Path) -> None:
    with LyingServer(
        *HELLO, hear(), say("220 go"), turn_to_tls(server_tls), hear(), say("250 mx"), hear(3),
    ) as server:  # fmt: skip
        client = secured(server.address, TlsConfig(ca_file=str(ca_file)))
        assert client.tls_verified
        facts = client.tls_session_props
        assert facts.version in ("TLSv1.2", "TLSv1.3")
        assert facts.cipher
        assert facts.bits >= 128
        assert facts.server_hostname == "localhost"
        assert facts.peer_certificate
        assert "verified=True" in repr(facts)
        assert client.tls_endpoint is not None
        assert client.helo_response == [b"mx"]
        client.close()
    assert server.heard == [b"EHLO me", b"STARTTLS", b"EHLO me"]


def test_wrong_name_in_the_certificate_is_tls_error(
    server_tls: ssl.SSLContext, ca_file: Path
) -> None:
    with (
        LyingServer(
            *HELLO, hear(), say("220 go"), turn_to_tls(server_tls, may_fail=True)
        ) as server,
        pytest.raises(TlsError, match=r"other\.example"),
    ):
        secured(server.address, TlsConfig(ca_file=str(ca_file)), "other.example")


def test_unknown_authority_is_tls_error(server_tls: ssl.SSLContext) -> None:
    with (
        LyingServer(
            *HELLO, hear(), say("220 go"), turn_to_tls(server_tls, may_fail=True)
        ) as server,
        pytest.raises(TlsError, match="certificate"),
    ):
        secured(server.address, TlsConfig())


def test_unverified_tls_does_not_count_as_verified(server_tls: ssl.SSLContext) -> None:
    with LyingServer(
        *HELLO, hear(), say("220 go"), turn_to_tls(server_tls), hear(), say("250 mx"), hear()
    ) as server:
        client = secured(server.address, TlsConfig(verify=False))
        assert client.tls_endpoint is not None
        assert not client.tls_verified
        client.close()


def test_name_that_cannot_be_one_is_tls_error(ca_file: Path) -> None:
    with (
        LyingServer(*HELLO, hear(), say("220 go"), stall()) as server,
        pytest.raises(TlsError),
    ):
        secured(server.address, TlsConfig(ca_file=str(ca_file)), ".")


def test_implicit_tls_is_tls_from_the_first_octet(
    server_tls: ssl.SSLContext, ca_file: Path
) -> None:
    with LyingServer(
        turn_to_tls(server_tls), say("220 mx"), hear(), say("250-mx", "250 PIPELINING"), hear(3),
        say("250 a", "250 b", "354 go"), hear_message(), say("250 ok"), hear(), say("221 bye"),
        receive_buffer=4096,
    ) as server:  # fmt: skip
        config = TlsConfig(ca_file=str(ca_file))
        client = connect(
            server.address,
            tls=config,
            server_hostname="localhost",
            deadline=time.monotonic() + 20,
        )
        assert client.tls_verified
        with client:
            authenticate(client, host=b"me", tls_config=config, tls_peer="localhost")
            transcript = client.transaction(b"a@x", RECIPIENT, [b"z" * 5_000_000])
    assert transcript.final.code == 250


def test_early_answer_is_heard_under_tls(server_tls: ssl.SSLContext, ca_file: Path) -> None:
    with LyingServer(
        turn_to_tls(server_tls), say("220 mx"), hear(), say("250-mx", "250 PIPELINING"), hear(3),
        say("250 a", "250 b", "354 go"), hear(), say("552 too big"), hear(), receive_buffer=4096,
    ) as server:  # fmt: skip
        client = connect(
            server.address, tls=TlsConfig(ca_file=str(ca_file)), server_hostname="localhost"
        )
        transcript = transact(client, b"x\r\n" + b"y" * 8_000_000)
    assert transcript.final.code == 552


def test_failed_implicit_tls_closes_the_connection(server_tls: ssl.SSLContext) -> None:
    with LyingServer(turn_to_tls(server_tls, may_fail=True)) as server, pytest.raises(TlsError):
        connect(server.address, tls=TlsConfig(), server_hostname="localhost")


def test_context_takes_no_tls_older_than_1_2() -> None:
    context = TlsConfig().context()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED
