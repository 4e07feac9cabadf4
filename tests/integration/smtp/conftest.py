"""The real servers that the SMTP client is tested with, each started once; ways to talk to them."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import trustme

from pysendmail.smtp import Client, TlsConfig, authenticate
from pysendmail.smtp.transport import SocketStream
from tests.helpers import dovecot, exim, kerberos, opensmtpd
from tests.helpers.dovecot import DovecotLmtp, DovecotSubmission
from tests.helpers.exim import EximPeer
from tests.helpers.kerberos import Realm
from tests.helpers.opensmtpd import OpenSmtpdPeer
from tests.helpers.peer import Peer
from tests.helpers.postfix import PostfixSmarthost
from tests.helpers.smarthost import Received
from tests.helpers.token_endpoint import TokenEndpoint
from tests.helpers.waiting import wait_until
from tests.integration.conftest import Certificates

Server = PostfixSmarthost | Peer

USER, PASSWORD, TOKEN = "mailer", "correct horse", "ya29.good-token"
NAME = "localhost"
PATIENCE_S = 20.0

PASSWORD_MECHANISMS = (
    "PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256",
)  # fmt: skip


@pytest.fixture(scope="session")
def tls_config(ca_file: Path) -> TlsConfig:
    """What trusts the servers here."""
    return TlsConfig(ca_file=str(ca_file), system_authorities=False)


@pytest.fixture(scope="session")
def realm() -> Iterator[Realm]:
    """A Kerberos realm that knows the user, and Postfix by its name."""
    if reason := kerberos.why_not():
        pytest.skip(reason)
    made = Realm(user=USER, password=PASSWORD, service="smtp/smarthost.example.com")
    yield made
    made.close()


def postfix_with_logins(certificates: Certificates, **options: Any) -> PostfixSmarthost:
    """Return a Postfix that wants STARTTLS and a login by any mechanism for passwords."""
    wanted = {"certificate": certificates.good, "mechanisms": PASSWORD_MECHANISMS, **options}
    return PostfixSmarthost(user=USER, password=PASSWORD, **wanted)


@pytest.fixture(scope="session")
def postfix_login(postfix_installed: None, certificates: Certificates) -> Iterator[Server]:
    """Postfix with Cyrus SASL."""
    server = postfix_with_logins(certificates)
    yield server
    server.close()


@pytest.fixture(scope="session")
def endpoint() -> Iterator[TokenEndpoint]:
    """The authority on OAuth tokens."""
    made = TokenEndpoint({TOKEN: USER})
    yield made
    made.close()


@pytest.fixture(scope="session")
def dovecot_login(certificates: Certificates, endpoint: TokenEndpoint) -> Iterator[Server]:
    """Dovecot's submission service, over a catcher."""
    if reason := dovecot.why_not("submission"):
        pytest.skip(reason)
    server = DovecotSubmission(
        certificate=certificates.good,
        user=USER,
        password=PASSWORD,
        mechanisms=" ".join([*PASSWORD_MECHANISMS, "OAUTHBEARER", "XOAUTH2"]).lower(),
        introspection=endpoint.url,
    )
    yield server
    server.close()


@pytest.fixture(scope="session")
def exim_login(certificates: Certificates, ca: trustme.CA) -> Iterator[Server]:
    """Exim that wants a login, also one by certificate."""
    if reason := exim.why_not():
        pytest.skip(reason)
    server = EximPeer(
        certificate=certificates.good,
        client_ca=ca.cert_pem.bytes(),
        user=USER,
        password=PASSWORD,
    )
    yield server
    server.close()


@pytest.fixture(scope="session")
def postfix_open(postfix_installed: None) -> Iterator[Server]:
    """Postfix in clear and for everybody, as patient with errors as it is by default."""
    server = PostfixSmarthost(
        settings={
            "message_size_limit": "20000000",
            "smtpd_recipient_restrictions": (
                "check_recipient_access inline:{{bad@example.com=550 5.1.1 no such user}"
                " {busy@example.com=450 4.2.0 busy}}"
            ),
            "smtpd_end_of_data_restrictions": (
                "check_sender_access inline:{{refused@example.com=554 5.7.1 refused content}}"
            ),
            "smtpd_hard_error_limit": "20",
        }
    )
    yield server
    server.close()


@pytest.fixture(scope="session")
def exim_open() -> Iterator[Server]:
    """Exim in clear and for everybody."""
    if reason := exim.why_not():
        pytest.skip(reason)
    server = EximPeer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def opensmtpd_open() -> Iterator[Server]:
    """OpenSMTPD in clear and for everybody, over a catcher."""
    if reason := opensmtpd.why_not():
        pytest.skip(reason)
    server = OpenSmtpdPeer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def lmtp_server() -> Iterator[DovecotLmtp]:
    """Dovecot's LMTP service."""
    if reason := dovecot.why_not("lmtp"):
        pytest.skip(reason)
    server = DovecotLmtp()
    yield server
    server.close()


def open_client(server: Server, *, ignored: Collection[bytes] = (), **options: Any) -> Client:
    """Return a client of `server` that has said nothing yet."""
    stream = SocketStream(socket.create_connection(server.address, timeout=PATIENCE_S))
    return Client(stream, stream, set_timeout=stream.set_timeout, ignored=ignored, **options)


def introduce(client: Client, tls_config: TlsConfig, **options: Any) -> None:
    """Authenticate: by the right password, unless the options, those of `authenticate`, differ."""
    login = {"user": USER.encode(), "creds": [(b"password", PASSWORD.encode())], **options}
    authenticate(client, host=b"me.example.com", tls_config=tls_config, tls_peer=NAME, **login)


def log_in(server: Server, tls_config: TlsConfig, *, trace: Any = None, **options: Any) -> Client:
    """Return a client that has been introduced."""
    client = open_client(server, trace=trace)
    try:
        introduce(client, tls_config, **options)
    except BaseException:
        client.quit()
        raise
    return client


@pytest.fixture
def enter(tls_config: TlsConfig) -> Iterator[Callable[..., Client]]:
    """Return a maker of clients that may send: `enter(server)`, closed at the end.

    The server says what is needed for that.
    """
    made: list[Client] = []

    def maker(server: Server, ignored: Sequence[bytes] = ()) -> Client:
        client = open_client(server, ignored=ignored, lmtp=isinstance(server, DovecotLmtp))
        made.append(client)
        client.helo(b"me.example.com")
        if b"STARTTLS" in client.extensions:
            introduce(client, tls_config)
            client.helo(b"me.example.com")  # a relay's extensions are those it is told now
        return client

    yield maker
    for client in made:
        client.quit()


SERVERS = ("postfix_open", "exim_open", "opensmtpd_open", "dovecot_login")


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Server:
    """Each of the servers in turn."""
    found: Server = request.getfixturevalue(request.param)
    return found


_numbers = itertools.count(1)


@pytest.fixture
def sender() -> bytes:
    """An address that no other message here has come from."""
    return b"sender%d@example.com" % next(_numbers)


def arrived(server: Server, sender: bytes, count: int = 1) -> list[Received]:
    """Return what arrived from `sender`, once `count` messages have."""

    def found() -> list[Received]:
        return [one for one in server.received() if one.sender == sender]

    wait_until(
        lambda: len(found()) >= count,
        what=f"{count} messages from {sender!r}",
        evidence=lambda: f"there: {server.received()}\n{server.log()}",
    )
    return found()
