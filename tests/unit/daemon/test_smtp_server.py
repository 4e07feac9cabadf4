"""The SMTP listener over real sockets: whom it serves, for how long, and how it stops."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pysendmail.daemon import logins, smtp_connection, smtp_server
from pysendmail.daemon.listener import bind_endpoint
from pysendmail.daemon.smtp_server import SmtpServer, client_of
from pysendmail.daemon.submissions import Submissions
from tests.helpers.waiting import wait_until
from tests.unit.daemon.house import PATIENCE_S, FakeRelay, make_state
from tests.unit.relay.peers import Peer

MESSAGE = b"Subject: x\r\n\r\ntext\r\n"


class House:
    """An SMTP server on a free port of 127.0.0.1."""

    def __init__(
        self,
        *,
        password: bytes | None = None,
        submissions: Callable[[Any], Any] = Submissions,
        **config: Any,
    ) -> None:
        self.relay = FakeRelay()
        self.state = make_state(self.relay, message_size=100_000, **config)
        listener = bind_endpoint("127.0.0.1:0")
        listener.listen()
        self.port: int = listener.getsockname()[1]
        self.server = SmtpServer([listener], self.state, submissions(self.state), password)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)

    def client(self) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.port, local_hostname="client", timeout=PATIENCE_S)

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        journal: Any = self.state.journal
        return list(zip(journal.names(), journal.facts, strict=False))

    def close(self) -> None:
        self.server.close(PATIENCE_S)
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()
        assert self.server.idle()


@pytest.fixture
def make_house() -> Iterator[Callable[..., House]]:
    made: list[House] = []

    def make(**how: Any) -> House:
        made.append(House(**how))
        return made[-1]

    yield make
    for house in made:
        house.close()


def hear(client: socket.socket) -> bytes:
    """Return all that comes until the server closes."""
    heard = b""
    while octets := client.recv(65536):
        heard += octets
    return heard


def test_message_is_delivered_and_its_trace_says_from_where(
    make_house: Callable[..., House],
) -> None:
    house = make_house()
    with house.client() as client:
        client.ehlo()
        client.mail("alice@example.net")
        client.rcpt("bob@example.net")
        code, text = client.data(MESSAGE)
    assert code == 250
    assert text.startswith(b"2.0.0 Ok: queued as ")
    ((recipients, content),) = house.relay.used[0].messages
    assert recipients == ["bob@example.net"]
    trace = "Received: from client ([127.0.0.1])\r\n\tby host.example.org (pysendmail) with ESMTP"
    assert content.startswith(trace.encode() if isinstance(content, bytes) else trace)
    (name, facts) = house.events()[0]
    assert (name, facts["client"]) == ("submitted", b"client ([127.0.0.1])")
    assert "uid" not in facts


@pytest.mark.parametrize(
    ("at", "answer", "code", "text"),
    [
        ("RCPT", "550 5.1.1 who", 550, b"5.1.1 bob@example.net: 550 5.1.1 who"),
        ("DATA", "554 5.7.1 no", 554, b"5.0.0 bob@example.net: 554 5.7.1 no"),
        ("RCPT", "450 4.2.0 later", 250, b"2.0.0 Ok: queued as "),
    ],
)
def test_reply_is_the_smarthosts_verdict(
    make_house: Callable[..., House], at: str, answer: str, code: int, text: bytes
) -> None:
    house = make_house()
    house.relay.peers.append(Peer({at: answer}))
    with house.client() as client:
        client.ehlo()
        client.mail("alice@example.net")
        client.rcpt("bob@example.net")
        reply = client.data(MESSAGE)
    assert reply[0] == code
    assert reply[1].startswith(text)


def test_unknown_recipient_is_refused_and_the_others_get_the_message(
    make_house: Callable[..., House], tmp_path: Path
) -> None:
    aliases = tmp_path / "aliases"
    aliases.write_text("info: bob@example.net\n")
    house = make_house(unknown_local=b"reject", aliases=str(aliases))
    with house.client() as client:
        client.ehlo()
        refused = client.sendmail("alice@example.net", ["nosuch", "info"], MESSAGE)
        assert refused == {"nosuch": (550, b"5.1.1 nosuch@example.org: no such user here")}
        aliases.unlink()
        aliases.mkdir()  # cannot be read
        assert client.mail("alice@example.net")[0] == 250
        assert client.rcpt("nosuch")[0] == 250
    ((recipients, _content),) = house.relay.used[0].messages
    assert recipients == ["bob@example.net"]
    assert house.state.spool.count() == 0


class Troubled(Submissions):
    def submit(self, *_: Any) -> Any:
        raise RuntimeError("a bug")


def test_bug_of_our_own_is_a_reason_to_come_again(make_house: Callable[..., House]) -> None:
    house = make_house(submissions=Troubled)
    with house.client() as client:
        client.mail("alice@example.net")
        client.rcpt("bob@example.net")
        assert client.data(MESSAGE)[0] == 452
    assert house.events()[0][0] == "internal error"


def test_message_without_its_end_is_nobodys(make_house: Callable[..., House]) -> None:
    house = make_house()
    with house.connect() as client:
        client.sendall(b"MAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\nSubject: x\r\n\r\ntext\r\n")
        client.shutdown(socket.SHUT_WR)
        assert b"354" in hear(client)
    wait_until(house.server.idle)
    assert house.events() == []


@pytest.mark.parametrize("audience", ["loopback", "private", "anyone"])
def test_client_from_elsewhere_is_not_served(
    make_house: Callable[..., House], monkeypatch: pytest.MonkeyPatch, audience: str
) -> None:
    house = make_house(listen_for=audience)

    class Connection:
        def getpeername(self) -> tuple[str, int]:
            return "192.0.2.1", 1

    identified = house.server.identify(Connection())  # type: ignore[arg-type]
    assert identified == ("192.0.2.1" if audience == "anyone" else None)
    assert (("client refused", {"priority": 4, "client": "192.0.2.1"}) in house.events()) == (
        audience != "anyone"
    )
    assert house.server.limit("192.0.2.1") < house.server.limit("127.0.0.1")


def test_one_connection_too_many_is_told_to_come_again(
    make_house: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_server, "CONNECTIONS", 2)
    house = make_house()
    first, second = house.connect(), house.connect()
    with house.connect() as third:
        assert hear(third) == b"421 4.7.0 Too many connections\r\n"
    with house.connect() as fourth:
        assert hear(fourth) == b"421 4.7.0 Too many connections\r\n"
    facts = {"priority": 4, "client": "127.0.0.1", "refused": 1}
    assert house.events() == [("too many connections by SMTP", facts)]
    first.close()
    wait_until(lambda: house.server.served() == 1)
    with house.client() as client:
        assert client.noop()[0] == 250
    second.close()


def test_silent_client_is_sent_away_sooner_when_connections_run_short(
    make_house: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_server, "CONNECTIONS", 4)
    monkeypatch.setattr(smtp_server, "SHORT_IDLE_S", 0.01)
    monkeypatch.setattr(smtp_connection, "LOOK_S", 0.01)
    house = make_house()
    heard = {house.connect(): b"" for _ in range(4)}

    def somebody_was_sent_away() -> bool:
        for client in heard:
            client.setblocking(False)
            try:
                heard[client] += client.recv(1000)
            except BlockingIOError:
                pass
        return any(b"421 Waited too long for you" in said for said in heard.values())

    wait_until(somebody_was_sent_away)
    for client in heard:
        client.close()


def test_dripping_buys_no_time(
    make_house: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_server, "IDLE_S", 0.2)
    house = make_house()
    with house.connect() as client:
        client.sendall(b"MAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n")
        client.settimeout(0.02)
        heard = b""

        def drip() -> bool:
            nonlocal heard
            try:
                client.sendall(b"x")
                octets = client.recv(1000)
            except TimeoutError:
                return False
            except OSError:
                return True
            heard += octets
            return not octets

        wait_until(drip, seconds=PATIENCE_S)
    assert b"421 Waited too long" in heard


@pytest.mark.parametrize(
    "said", [b"NOOP", b"RSET", b"VRFY x", b"HELO x", b"EHLO x", b"MAIL FROM:<>\r\nRSET"]
)
def test_talk_without_a_message_buys_no_time(
    make_house: Callable[..., House], monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(smtp_server, "FRUITLESS_S", 0.2)
    house, heard = make_house(), b""
    with house.connect() as client, contextlib.suppress(ConnectionError):
        until = time.monotonic() + PATIENCE_S
        while b"Waited too long for you" not in heard and time.monotonic() < until:
            client.sendall(said + b"\r\n")
            heard += client.recv(65536)
    assert time.monotonic() < until
    assert heard.count(b"\r\n250 ") + heard.count(b"\r\n252 ") > 1


@pytest.mark.parametrize("command", [b"DATA", b"BDAT 10000", b"BDAT 9000"])
def test_message_that_comes_buys_time(
    make_house: Callable[..., House], monkeypatch: pytest.MonkeyPatch, command: bytes
) -> None:
    monkeypatch.setattr(smtp_server, "FRUITLESS_S", 0.2)
    monkeypatch.setattr(smtp_connection, "SLOWEST_OCTETS_S", 20_000.0)
    began = time.monotonic()
    with make_house().connect() as client:
        client.sendall(b"EHLO x\r\nMAIL FROM:<a>\r\nRCPT TO:<b>\r\n" + command + b"\r\n")
        client.sendall(b"x" * 9000)
        while b"421 " not in (heard := client.recv(65536)):
            assert heard
    assert time.monotonic() - began > 0.6


def test_messages_buy_time(
    make_house: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_server, "FRUITLESS_S", 1.0)
    house = make_house()
    began = time.monotonic()
    with house.client() as client:
        while time.monotonic() - began < 1.5:
            assert client.sendmail("alice@example.net", ["bob@example.net"], MESSAGE) == {}


def test_session_has_an_end(
    make_house: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_connection, "SESSION_S", 0.05)
    with make_house().connect() as client:
        assert b"421 " in hear(client)


def test_stopping_tells_everybody_at_once(make_house: Callable[..., House]) -> None:
    house = make_house()
    with house.connect() as idle, house.connect() as busy:
        busy.sendall(b"MAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\ntext")
        wait_until(lambda: b"354" in busy.recv(1000))
        house.server.close(PATIENCE_S)
        assert hear(idle).endswith(b"421 The server stops, come again\r\n")
        assert hear(busy).endswith(b"421 The server stops, come again\r\n")


def test_stopping_waits_for_the_verdict(make_house: Callable[..., House]) -> None:
    house = make_house()
    began, go = threading.Event(), threading.Event()

    def slow() -> Peer:
        began.set()
        assert go.wait(PATIENCE_S)
        return Peer()

    house.relay.make_peer = slow
    with house.connect() as client:
        client.sendall(b"EHLO x\r\nMAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n")
        client.sendall(MESSAGE + b".\r\n")
        assert began.wait(PATIENCE_S)
        house.server.stop()
        go.set()
        heard = hear(client)
    assert b"\r\n250 2.0.0 Ok: queued as " in heard
    assert heard.endswith(b"421 4.3.2 The server stops, come again\r\n")


def test_login_is_wanted_where_there_is_a_user(
    make_house: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "WRONG_S", 0.0)
    house = make_house(
        listen_user=b"me", listen_password_file="/p", password=b"secret", listen_for="anyone"
    )
    with house.client() as client:
        client.ehlo()
        assert client.mail("alice@example.net")[0] == 530
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("me", "wrong")
        client.login("me", "secret")
        client.sendmail("alice@example.net", ["bob@example.net"], MESSAGE)
    ((_recipients, content),) = house.relay.used[0].messages
    assert "with ESMTPA" in str(content)


def test_wrong_login_is_written_down_without_its_password(
    make_house: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "WRONG_S", 0.0)
    house = make_house(listen_user=b"me", listen_password_file="/p", password=b"secret")
    with house.client() as client:
        client.ehlo()
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            client.login("you", "wrong", initial_response_ok=False)
        assert refused.value.smtp_code == 535
    facts = {"priority": 4, "client": "127.0.0.1", "user": b"you"}
    assert house.events() == [("wrong login", facts)] * len(house.events())
    assert "wrong'" not in str(house.events())


def test_machine_that_guesses_is_told_to_come_later(
    make_house: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "WRONG_LIMIT", 0)
    house = make_house(listen_user=b"me", listen_password_file="/p", password=b"secret")
    with house.client() as client:
        client.ehlo()
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            client.login("me", "secret")
        assert refused.value.smtp_code == 454
        assert client.noop()[0] == 250
    assert house.events() == []


def test_stopping_does_not_wait_for_wrong_logins(make_house: Callable[..., House]) -> None:
    house = make_house(listen_user=b"me", listen_password_file="/p", password=b"secret")
    with house.connect() as client:
        for _ in range(int(PATIENCE_S)):
            house.server._logins.note_wrong("127.0.0.1", time.monotonic())  # type: ignore[union-attr]
        client.sendall(b"EHLO x\r\nAUTH PLAIN AG1lAG5v\r\n")
        wait_until(lambda: bool(house.events()))
        house.server.stop()
        assert hear(client).endswith(b"421 4.3.2 The server stops, come again\r\n")


@pytest.mark.parametrize(
    ("hello", "address", "client"),
    [
        (b"a.example.org", "127.0.0.1", b"a.example.org ([127.0.0.1])"),
        (b"[127.0.0.1]", "::1", b"[127.0.0.1] ([IPv6:::1])"),
        (b"x", "fe80::1%eth0", b"x ([IPv6:fe80::1])"),
        (b"", "127.0.0.1", b"unknown ([127.0.0.1])"),
        (b"a (b)", "127.0.0.1", b"unknown ([127.0.0.1])"),
        (b"a\xff", "127.0.0.1", b"unknown ([127.0.0.1])"),
        (b"x" * 300, "127.0.0.1", b"unknown ([127.0.0.1])"),
    ],
)
def test_client_has_a_name_that_fits_in_a_header(
    hello: bytes, address: str, client: bytes
) -> None:
    assert client_of(hello, address) == client
