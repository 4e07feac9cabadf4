"""The client against aiosmtpd, an implementation that is not ours."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from pysendmail.smtp import (
    Client,
    PermanentError,
    TlsConfig,
    authenticate,
    connect,
)

MESSAGE = b"From: a@example.com\r\nSubject: h\xc3\xa9\r\n\r\n.dot\r\nlast line\r\n"


class Inbox:
    """Takes every message but those for nobody@."""

    def __init__(self) -> None:
        self.envelopes: list[Any] = []

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        if address.startswith("nobody@"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.envelopes.append(envelope)
        return "250 2.0.0 taken"


def check_password(server, session, envelope, mechanism, login) -> AuthResult:
    good = (login.login, login.password) == (b"mailer", b"correct horse")
    return AuthResult(success=good, handled=False)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


class OurController(Controller):
    """A controller on a port the system chooses, STARTTLS and AUTH included when there is TLS."""

    def __init__(self, handler: Inbox, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        super().__init__(handler, hostname="127.0.0.1", port=0)

    def factory(self) -> SMTP:
        if self._tls is None:
            return SMTP(self.handler, enable_SMTPUTF8=True)
        return SMTP(
            self.handler,
            tls_context=self._tls,
            require_starttls=True,
            authenticator=check_password,
            auth_required=True,
        )

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port


@pytest.fixture
def plain(inbox: Inbox) -> Iterator[OurController]:
    controller = OurController(inbox)
    controller.start()
    yield controller
    controller.stop()


@pytest.fixture
def secure(
    inbox: Inbox, server_tls_context: Callable[[str], ssl.SSLContext]
) -> Iterator[OurController]:
    controller = OurController(inbox, server_tls_context("localhost"))
    controller.start()
    yield controller
    controller.stop()


def test_message_arrives_as_it_was(plain: OurController, inbox: Inbox) -> None:
    with connect(plain.address) as client:
        client.helo(b"me.example.com")
        transcript = client.transaction(
            b"a@example.com",
            [b"b@example.org", b"nobody@example.org", b"c@example.org"],
            [MESSAGE[:20], MESSAGE[20:]],
            size=len(MESSAGE),
            body=b"8BITMIME",
        )
    assert [reply.code for reply in transcript.recipients] == [250, 550, 250]
    assert transcript.recipients[1].enhanced == b"5.1.1"
    assert transcript.final.text == b"2.0.0 taken"
    (envelope,) = inbox.envelopes
    assert envelope.mail_from == "a@example.com"
    assert envelope.rcpt_tos == ["b@example.org", "c@example.org"]
    assert envelope.content == MESSAGE
    assert message_from_bytes(envelope.content).get_payload() == ".dot\r\nlast line\r\n"


def test_many_messages_travel_over_one_session(plain: OurController, inbox: Inbox) -> None:
    with connect(plain.address) as client:
        client.helo(b"me")
        for number in range(20):
            recipient = b"nobody@x" if number % 4 == 0 else b"u%d@x" % number
            client.transaction(b"a@x", [recipient], [b"x\r\n"])
            assert client.usable()
    assert len(inbox.envelopes) == 15


def test_smtputf8_address_is_carried(plain: OurController, inbox: Inbox) -> None:
    with connect(plain.address) as client:
        client.helo(b"me")
        client.transaction(
            "grüße@example.com".encode(), ["ü@x".encode()], [MESSAGE], smtputf8=True
        )
    assert inbox.envelopes[0].mail_from == "grüße@example.com"


def test_single_commands_do_the_same(plain: OurController, inbox: Inbox) -> None:
    with connect(plain.address) as client:
        client.helo(b"me")
        client.mail(b"")
        with pytest.raises(PermanentError):
            client.rcpt(b"nobody@x")
        client.rcpt(b"b@x")
        client.data(MESSAGE.splitlines(keepends=True))
        client.noop()
        client.rset()
        assert client.help()
        with pytest.raises(PermanentError):
            client.expn(b"staff")
    assert inbox.envelopes[0].mail_from == "<>"
    assert inbox.envelopes[0].content == MESSAGE


def logged_in(controller: OurController, ca_file: Path, **options: Any) -> Client:
    client = connect(controller.address)
    config = TlsConfig(ca_file=str(ca_file))
    try:
        authenticate(client, host=b"me", tls_config=config, tls_peer="localhost", **options)
    except BaseException:
        client.quit()
        raise
    return client


@pytest.mark.parametrize("mechanism", [b"PLAIN", b"LOGIN"])
def test_starttls_and_login_open_the_door(
    secure: OurController, inbox: Inbox, ca_file: Path, mechanism: bytes
) -> None:
    creds = [(b"password", b"correct horse")]
    login = {"user": b"mailer", "creds": creds, "sasl_mechs": (mechanism,)}
    with logged_in(secure, ca_file, **login) as client:
        assert client.authenticated
        assert client.tls_verified
        transcript = client.transaction(b"a@x", [b"b@y"], [b"0123456\n" * 25_000])
    assert transcript.final.code == 250
    assert len(inbox.envelopes[0].content) == 25_000 * 9


def test_wrong_password_is_the_servers_refusal(secure: OurController, ca_file: Path) -> None:
    with pytest.raises(PermanentError) as caught:
        logged_in(secure, ca_file, user=b"mailer", creds=[(b"password", b"wrong")])
    assert caught.value.code == 535
    assert caught.value.command == b"AUTH"


def test_no_login_leaves_the_door_shut(secure: OurController, ca_file: Path) -> None:
    with logged_in(secure, ca_file) as client:
        transcript = client.transaction(b"a@x", [b"b@y"], [MESSAGE])
    assert transcript.mail.code == 530
