"""Each SASL mechanism against a real server that has it: right, wrong, and never a secret shown."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from pysendmail.smtp import (
    AuthenticationError,
    Client,
    MissingExtension,
    PermanentError,
    TlsConfig,
    authenticate,
)
from tests.helpers.kerberos import Realm
from tests.integration.conftest import Certificates
from tests.integration.smtp.conftest import (
    PASSWORD,
    PASSWORD_MECHANISMS,
    TOKEN,
    USER,
    Server,
    arrived,
    introduce,
    log_in,
    open_client,
    postfix_with_logins,
)

MESSAGE = b"Subject: x\r\n\r\nx\r\n"
EXIM_MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5")

LOGINS = [
    *(("postfix_login", name) for name in PASSWORD_MECHANISMS),
    *(("dovecot_login", name) for name in PASSWORD_MECHANISMS),
    *(("exim_login", name) for name in EXIM_MECHANISMS),
]
TOKEN_LOGINS = [("dovecot_login", "OAUTHBEARER"), ("dovecot_login", "XOAUTH2")]


def for_each(logins: list[tuple[str, str]]) -> pytest.MarkDecorator:
    """Run a test for each server and mechanism, as its argument `login`."""
    names = [f"{server.partition('_')[0]} {mechanism}" for server, mechanism in logins]
    return pytest.mark.parametrize("login", logins, indirect=True, ids=names)


@pytest.fixture
def login(request: pytest.FixtureRequest) -> tuple[Server, list[bytes]]:
    """The server, and its mechanism as `sasl_mechs` wants it."""
    server, mechanism = request.param
    return request.getfixturevalue(server), [mechanism.encode()]


class Trace:
    """What was said, as the trace tells it."""

    def __init__(self) -> None:
        self.text = b""

    def __call__(self, who: bytes, line: bytes) -> None:
        self.text += who + b" " + line + b"\n"

    def shows(self, secret: str) -> bool:
        """Tell whether the secret is there, as it is or encoded with or without what PLAIN adds."""
        raw = secret.encode()
        forms = [b64encode(text) for text in (raw, f"\0{USER}\0{secret}".encode())]
        return any(form in self.text for form in (raw, *forms))


def can_send(client: Client, server: Server, sender: bytes) -> bool:
    """Tell whether the server takes a message from us, and wait for that to arrive."""
    transcript = client.transaction(sender, [b"a@example.com"], MESSAGE)
    if transcript.taken:
        arrived(server, sender)
    return transcript.taken


@for_each(LOGINS)
def test_right_password_opens_the_door(
    login: tuple[Server, list[bytes]], tls_config: TlsConfig, sender: bytes
) -> None:
    server, mechanisms = login
    trace = Trace()
    with log_in(server, tls_config, sasl_mechs=mechanisms, trace=trace) as client:
        assert client.authenticated
        assert client.tls_verified
        assert can_send(client, server, sender)
    assert b"C AUTH " + mechanisms[0] in trace.text
    assert not trace.shows(PASSWORD)


@for_each(LOGINS)
def test_wrong_password_is_the_servers_refusal(
    login: tuple[Server, list[bytes]], tls_config: TlsConfig
) -> None:
    server, mechanisms = login
    trace = Trace()
    wrong = [(b"password", b"wrong donkey")]
    with open_client(server, trace=trace) as client, pytest.raises(PermanentError) as caught:
        introduce(client, tls_config, sasl_mechs=mechanisms, creds=wrong)
    assert (caught.value.code, caught.value.command) == (535, b"AUTH")
    assert not client.authenticated
    assert trace.text.count(b"C AUTH ") == 1  # no second try by another mechanism
    assert not trace.shows("wrong donkey")


@for_each(LOGINS)
def test_session_goes_on_after_a_refused_login(
    login: tuple[Server, list[bytes]], tls_config: TlsConfig, sender: bytes
) -> None:
    server, mechanisms = login
    with open_client(server) as client:
        with pytest.raises(PermanentError):
            introduce(
                client, tls_config, sasl_mechs=mechanisms, creds=[(b"password", b"wrong donkey")]
            )
        introduce(client, tls_config, sasl_mechs=mechanisms)
        assert can_send(client, server, sender)


@for_each(TOKEN_LOGINS)
def test_good_token_opens_the_door(
    login: tuple[Server, list[bytes]], tls_config: TlsConfig, sender: bytes
) -> None:
    server, mechanisms = login
    trace = Trace()
    creds = [(b"token", TOKEN.encode())]
    with log_in(server, tls_config, sasl_mechs=mechanisms, creds=creds, trace=trace) as client:
        assert can_send(client, server, sender)
    assert not trace.shows(TOKEN)
    assert b64encode(TOKEN.encode())[:12] not in trace.text


@for_each(TOKEN_LOGINS)
def test_bad_token_is_refused_with_the_servers_complaint(
    login: tuple[Server, list[bytes]], tls_config: TlsConfig
) -> None:
    server, mechanisms = login
    with pytest.raises(PermanentError) as caught:
        log_in(server, tls_config, sasl_mechs=mechanisms, creds=[(b"token", b"ya29.bad")])
    assert caught.value.code == 535
    assert "401" in str(caught.value) or "invalid_token" in str(caught.value)


def test_strongest_mechanism_is_chosen_unasked(
    postfix_login: Server, dovecot_login: Server, tls_config: TlsConfig
) -> None:
    for server in (postfix_login, dovecot_login):
        trace = Trace()
        log_in(server, tls_config, trace=trace).quit()
        assert b"C AUTH SCRAM-SHA-256" in trace.text


def test_no_login_leaves_the_door_shut(
    exim_login: Server, postfix_login: Server, tls_config: TlsConfig, sender: bytes
) -> None:
    for server in (exim_login, postfix_login):
        with log_in(server, tls_config, user=b"", creds=()) as client:
            transcript = client.transaction(sender, [b"a@example.com"], MESSAGE)
            assert not transcript.taken
            assert not client.authenticated


def test_mechanism_that_the_server_lacks_is_an_error_of_ours(
    exim_login: Server, tls_config: TlsConfig
) -> None:
    with pytest.raises(AuthenticationError, match="PLAIN LOGIN CRAM-MD5"):
        log_in(exim_login, tls_config, sasl_mechs=[b"SCRAM-SHA-256"])


def test_postfix_offers_no_login_before_tls(postfix_login: Server) -> None:
    with open_client(postfix_login) as client, pytest.raises(MissingExtension):
        authenticate(
            client, host=b"me", tls_required=False, user=b"me", creds=[(b"password", b"secret")]
        )


# --- EXTERNAL


@pytest.fixture(scope="module")
def client_certificate(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("client") / "client.pem"
    leaf = ca.issue_cert("mailer@example.com", common_name=USER)
    leaf.private_key_and_cert_chain_pem.write_to_path(str(path))
    return path


@pytest.mark.parametrize("asked", [None, [b"EXTERNAL"]], ids=["unasked", "by name"])
def test_client_certificate_logs_in_by_external(
    exim_login: Server,
    ca_file: Path,
    client_certificate: Path,
    sender: bytes,
    asked: list[bytes] | None,
) -> None:
    trace = Trace()
    config = TlsConfig(ca_file=str(ca_file), certificate_file=str(client_certificate))
    with log_in(
        exim_login, config, trace=trace, sasl_mechs=asked, authz=USER.encode(), user=b"", creds=()
    ) as client:
        assert client.authenticated
        assert can_send(client, exim_login, sender)
    assert b"C AUTH EXTERNAL" in trace.text
    assert f"A=external:{USER}" in exim_login.log()


def test_client_certificate_of_somebody_else_is_refused(
    exim_login: Server, ca_file: Path, client_certificate: Path
) -> None:
    config = TlsConfig(ca_file=str(ca_file), certificate_file=str(client_certificate))
    with pytest.raises(PermanentError) as caught:
        log_in(
            exim_login, config, sasl_mechs=[b"EXTERNAL"], authz=b"director", user=b"", creds=()
        )
    assert caught.value.code == 535


def test_external_is_not_offered_to_one_without_certificate(
    exim_login: Server, tls_config: TlsConfig
) -> None:
    with pytest.raises(AuthenticationError, match="PLAIN LOGIN CRAM-MD5"):
        log_in(exim_login, tls_config, sasl_mechs=[b"EXTERNAL"], authz=USER.encode(), creds=())


# --- GSSAPI

ACCEPTOR = (b"gssapi-acceptor", b"smtp@smarthost.example.com", True)


@pytest.fixture(scope="module")
def postfix_kerberos(
    postfix_installed: None, realm: Realm, certificates: Certificates
) -> Iterator[Server]:
    """A Postfix that has keys in the realm."""
    pytest.importorskip("gssapi", reason="the extra gssapi is not installed")
    server = postfix_with_logins(certificates, mechanisms=("GSSAPI",), env=realm.server_env)
    yield server
    server.close()


@pytest.fixture
def in_realm(realm: Realm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Realm]:
    """This process lives in the realm; no ticket yet."""
    for name, value in realm.client_env.items():
        monkeypatch.setenv(name, value)
    yield realm
    realm.log_out()


def test_ticket_logs_in_by_gssapi(
    postfix_kerberos: Server, in_realm: Realm, tls_config: TlsConfig, sender: bytes
) -> None:
    in_realm.log_in()
    options = {"sasl_mechs": [b"GSSAPI"], "sasl_params": [ACCEPTOR], "user": b"", "creds": ()}
    with log_in(postfix_kerberos, tls_config, **options) as client:
        assert client.authenticated
        assert client.gssapi_props.initiator == f"{USER}@EXAMPLE.COM"
        assert "mutual_authentication" in client.gssapi_props.flags
        assert can_send(client, postfix_kerberos, sender)


def test_without_ticket_gssapi_is_given_up_and_nothing_is_sent(
    postfix_kerberos: Server, in_realm: Realm, tls_config: TlsConfig
) -> None:
    trace = Trace()
    options = {"sasl_mechs": [b"GSSAPI"], "sasl_params": [ACCEPTOR], "user": b"", "creds": ()}
    with pytest.raises(AuthenticationError, match="GSSAPI"):
        log_in(postfix_kerberos, tls_config, trace=trace, **options)
    assert b"C AUTH" not in trace.text


def test_ticket_for_a_service_that_is_not_there_is_given_up(
    postfix_kerberos: Server, in_realm: Realm, tls_config: TlsConfig
) -> None:
    in_realm.log_in()
    other = (b"gssapi-acceptor", b"smtp@elsewhere.example.com", True)
    with pytest.raises(AuthenticationError, match="GSSAPI"):
        log_in(
            postfix_kerberos, tls_config, sasl_mechs=[b"GSSAPI"], sasl_params=[other], user=b"",
            creds=(),
        )  # fmt: skip
