from __future__ import annotations

import base64
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from pysendmail.smtp import (
    AuthenticationError,
    Client,
    MissingExtension,
    PermanentError,
    TlsError,
    TransientError,
    UsageError,
    authenticate,
)
from pysendmail.smtp.sasl import DEFAULT_MECHANISMS, MECHANISMS
from tests.unit.smtp.kerberos import Package
from tests.unit.smtp.streams import Peer

GREETING = b"220 mx\r\n"
IN_CLEAR = b"250-mx\r\n250-STARTTLS\r\n250 AUTH LOGIN\r\n"
UNDER_TLS = b"250-mx\r\n250 AUTH LOGIN PLAIN\r\n"
PASSWORD = [(b"password", b"p")]


class TlsPeer(Peer):
    """A peer that turns to TLS, verified or not."""

    tls_endpoint: object = None
    tls_verified = False
    will_verify = True

    def start_tls(self, context: object, server_hostname: str) -> None:
        self.tls_endpoint = context
        self.tls_verified = self.will_verify


def test_way_is_ehlo_starttls_ehlo_auth() -> None:
    peer = TlsPeer(GREETING, IN_CLEAR, b"220 go\r\n", UNDER_TLS, b"235 ok\r\n")
    client = Client(peer, peer)
    authenticate(
        client, host=b"me", tls_config="context", tls_peer="mx", user=b"u", creds=PASSWORD
    )
    assert client.authenticated
    assert peer.writes == [
        b"EHLO me\r\n", b"STARTTLS\r\n", b"EHLO me\r\n", b"AUTH PLAIN AHUAcA==\r\n",
    ]  # fmt: skip


def test_last_word_before_the_login_is_its_callers() -> None:
    def stop() -> None:
        raise KeyError("not now")

    peer = TlsPeer(GREETING, IN_CLEAR, b"220 go\r\n", UNDER_TLS)
    with pytest.raises(KeyError):
        authenticate(
            Client(peer, peer), host=b"me", tls_config="context", tls_peer="mx", user=b"u",
            creds=PASSWORD, before_login=stop,
        )  # fmt: skip
    assert peer.writes == [b"EHLO me\r\n", b"STARTTLS\r\n", b"EHLO me\r\n"]


def test_client_prefers_not_the_server() -> None:
    peer = TlsPeer(GREETING, UNDER_TLS, b"334 \r\n", b"334 \r\n", b"235 ok\r\n")
    peer.tls_endpoint, peer.tls_verified = "implicit", True
    authenticate(
        Client(peer, peer), host=b"me", tls_config="context", user=b"u", creds=PASSWORD,
        sasl_mechs=(b"LOGIN", b"PLAIN"),
    )  # fmt: skip
    assert peer.writes[1] == b"AUTH LOGIN\r\n"
    assert b"STARTTLS" not in peer.written


def test_no_login_is_made_without_a_user() -> None:
    peer = Peer(GREETING, UNDER_TLS)
    client = Client(peer, peer)
    authenticate(client, host=b"me", tls_required=False)
    assert not client.authenticated
    assert peer.writes == [b"EHLO me\r\n"]


@pytest.mark.parametrize(
    ("context", "error"), [("context", MissingExtension), (None, TlsError)]
)
def test_b10_required_tls_that_is_not_to_be_had_sends_no_secret(
    context: object, error: type[Exception]
) -> None:
    peer = TlsPeer(GREETING, UNDER_TLS)
    with pytest.raises(error):
        authenticate(
            Client(peer, peer), host=b"me", tls_config=context, tls_peer="mx", user=b"u",
            creds=PASSWORD,
        )  # fmt: skip
    assert peer.writes == [b"EHLO me\r\n"]


def test_opportunistic_tls_goes_on_in_clear_without_a_password() -> None:
    peer = TlsPeer(GREETING, UNDER_TLS)
    with pytest.raises(AuthenticationError, match="not verified"):
        authenticate(
            Client(peer, peer), host=b"me", tls_config="context", tls_required=False, user=b"u",
            creds=PASSWORD,
        )  # fmt: skip
    assert peer.writes == [b"EHLO me\r\n"]


@pytest.mark.parametrize("allowed", [False, True])
def test_password_over_unverified_tls_needs_the_administrators_word(allowed: bool) -> None:
    peer = TlsPeer(GREETING, IN_CLEAR, b"220 go\r\n", UNDER_TLS, b"235 ok\r\n")
    peer.will_verify = False
    client = Client(peer, peer)
    try:
        authenticate(
            client, host=b"me", tls_config="context", tls_peer="mx", user=b"u", creds=PASSWORD,
            cleartext_allowed=allowed,
        )  # fmt: skip
    except AuthenticationError:
        assert not allowed
    assert client.authenticated is allowed
    assert (b"AUTH" in peer.written) is allowed


def test_b10_login_that_is_not_offered_is_an_error() -> None:
    peer = Peer(GREETING, b"250 mx\r\n")
    with pytest.raises(MissingExtension) as caught:
        authenticate(Client(peer, peer), host=b"me", tls_required=False, user=b"u", creds=PASSWORD)
    assert caught.value.name == b"AUTH"


@pytest.mark.parametrize("mechanisms", [(b"X-UNKNOWN",), DEFAULT_MECHANISMS])
def test_no_common_mechanism_is_an_error(mechanisms: tuple[bytes, ...]) -> None:
    peer = Peer(GREETING, b"250-mx\r\n250 AUTH X-UNKNOWN\r\n")
    with pytest.raises(AuthenticationError, match="X-UNKNOWN"):
        authenticate(
            Client(peer, peer), host=b"me", tls_required=False, user=b"u", creds=PASSWORD,
            sasl_mechs=mechanisms,
        )  # fmt: skip


# --- which mechanism is chosen


class Offering(TlsPeer):
    """A peer under verified TLS from the first octet that offers `mechanisms` and logs us in."""

    def __init__(self, mechanisms: str, *more: bytes, end_point: bytes | None = None) -> None:
        super().__init__(GREETING, b"250-mx\r\n250 AUTH %b\r\n" % mechanisms.encode(), *more)
        self.tls_endpoint = "implicit"
        self.tls_verified = True
        self.tls_session_props = SimpleNamespace(server_end_point=end_point)


def log_in(peer: TlsPeer, **options: Any) -> Client:
    client = Client(peer, peer)
    authenticate(client, host=b"me.example.com", **{"user": b"u", "creds": PASSWORD, **options})
    return client


def chosen(peer: TlsPeer, **options: Any) -> list[bytes]:
    """Return the words of the AUTH command that is sent, none where none is."""
    try:
        log_in(peer, **options)
    except PermanentError as refusal:
        assert refusal.code == 535
    assert len(peer.writes) <= 2  # one EHLO, one AUTH
    return b"".join(peer.writes[1:]).split()


EVERYTHING = " ".join(name.decode() for name in MECHANISMS)
BINDING = bytes(32)
CERTIFICATE = SimpleNamespace(certificate_file="client.pem")
TOKEN = [(b"token", b"t")]
PLUS_FIRST = [b"SCRAM-SHA-256-PLUS", b"SCRAM-SHA-1-PLUS", b"SCRAM-SHA-256"]


@pytest.mark.parametrize(
    ("options", "end_point", "name"),
    [
        ({}, None, b"SCRAM-SHA-256"),
        ({}, b"", b"SCRAM-SHA-256"),
        ({}, BINDING, b"SCRAM-SHA-256"),
        ({"sasl_mechs": PLUS_FIRST}, BINDING, b"SCRAM-SHA-256-PLUS"),
        ({"sasl_mechs": PLUS_FIRST}, None, b"SCRAM-SHA-256"),
        ({"creds": TOKEN}, BINDING, b"OAUTHBEARER"),
        ({"creds": [*PASSWORD, *TOKEN]}, BINDING, b"OAUTHBEARER"),
        ({"user": b"", "creds": TOKEN}, None, b"OAUTHBEARER"),
        ({"tls_config": CERTIFICATE}, BINDING, b"EXTERNAL"),
        ({"tls_config": SimpleNamespace(certificate_file=None)}, None, b"SCRAM-SHA-256"),
        ({"tls_config": "context"}, None, b"SCRAM-SHA-256"),
        ({"sasl_mechs": [b"LOGIN", b"PLAIN"]}, BINDING, b"LOGIN"),
        ({"sasl_mechs": [b"plain"]}, BINDING, b"PLAIN"),
        ({"sasl_mechs": [b"NTLM", b"CRAM-MD5"]}, BINDING, b"CRAM-MD5"),
        ({"sasl_mechs": [b"DIGEST-MD5", b"PLAIN"]}, BINDING, b"DIGEST-MD5"),
        ({"sasl_mechs": [b"SCRAM-SHA-1-PLUS", b"PLAIN"]}, None, b"PLAIN"),
        ({"sasl_mechs": [b"XOAUTH2", b"PLAIN"]}, None, b"PLAIN"),
        ({"sasl_mechs": [b"EXTERNAL"], "user": b"", "creds": ()}, None, b"EXTERNAL"),
        ({"sasl_mechs": [b"LOGIN", b"SCRAM-SHA-1"], "authz": b"boss"}, None, b"SCRAM-SHA-1"),
    ],
)
def test_first_preferred_mechanism_that_fits_is_chosen(
    options: dict[str, Any], end_point: bytes | None, name: bytes
) -> None:
    peer = Offering(EVERYTHING, b"535 no\r\n", end_point=end_point)
    assert chosen(peer, **options)[:2] == [b"AUTH", name]


BY_NAME = [b"CRAM-MD5", b"DIGEST-MD5", b"GSSAPI", b"SCRAM-SHA-1-PLUS", b"SCRAM-SHA-256-PLUS"]


@pytest.mark.parametrize("name", BY_NAME)
def test_mechanism_that_is_not_for_everybody_is_used_only_by_name(name: bytes) -> None:
    assert name not in DEFAULT_MECHANISMS
    peer = Offering(name.decode(), end_point=BINDING)
    with pytest.raises(AuthenticationError, match=f"offers only {name.decode()}"):
        log_in(peer)


def test_default_order_is_from_the_strongest_to_the_weakest() -> None:
    assert b" ".join(DEFAULT_MECHANISMS) == (
        b"EXTERNAL OAUTHBEARER XOAUTH2 SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN"
    )


@pytest.mark.parametrize(
    "options",
    [
        {"user": b"", "creds": ()},
        {"user": b"", "creds": (), "sasl_mechs": ()},
        {"user": b"", "creds": (), "sasl_mechs": [b"PLAIN", b"SCRAM-SHA-1"]},
        {"user": b"", "creds": (), "tls_config": CERTIFICATE},
    ],
)
def test_without_user_and_credentials_there_is_no_login(options: dict[str, Any]) -> None:
    peer = Offering(EVERYTHING)
    assert not log_in(peer, **options).authenticated
    assert peer.writes == [b"EHLO me.example.com\r\n"]


def test_b22_plus_is_bound_to_the_certificate_of_the_session() -> None:
    peer = Offering(EVERYTHING, b"535 no\r\n", end_point=BINDING)
    initial = base64.b64decode(chosen(peer, sasl_mechs=PLUS_FIRST)[2])
    assert initial.startswith(b"p=tls-server-end-point,,n=u,r=")


@pytest.mark.parametrize(
    ("mechanisms", "end_point", "flag"),
    [
        ("SCRAM-SHA-256 SCRAM-SHA-1-PLUS", BINDING, b"n,,"),
        ("SCRAM-SHA-256 SCRAM-SHA-512-PLUS", BINDING, b"n,,"),
        ("SCRAM-SHA-256 PLAIN", BINDING, b"y,,"),
        ("SCRAM-SHA-256 PLAIN", None, b"n,,"),
    ],
)
def test_server_is_told_of_a_list_that_may_have_been_cut_short(
    mechanisms: str, end_point: bytes | None, flag: bytes
) -> None:
    peer = Offering(mechanisms, b"535 no\r\n", end_point=end_point)
    words = chosen(peer, sasl_mechs=[b"SCRAM-SHA-256"])
    assert base64.b64decode(words[2]).startswith(flag)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"535 5.7.8 wrong", PermanentError),
        (b"534 5.7.9 too weak", PermanentError),
        (b"504 5.5.4 unknown", PermanentError),
        (b"454 4.7.0 later", TransientError),
        (b"432 4.7.12 transition", TransientError),
    ],
)
def test_refused_login_is_not_tried_again_by_a_weaker_mechanism(
    answer: bytes, error: type[Exception]
) -> None:
    peer = Offering(EVERYTHING, answer + b"\r\n", b"235 ok\r\n")
    with pytest.raises(error):
        log_in(peer)
    assert len(peer.writes) == 2


def test_server_without_a_proof_is_not_tried_again_by_a_weaker_mechanism() -> None:
    peer = Offering(EVERYTHING, b"235 come in\r\n", b"235 ok\r\n")
    client = Client(peer, peer)
    with pytest.raises(AuthenticationError, match="before the end"):
        authenticate(client, host=b"me", user=b"u", creds=PASSWORD)
    assert len(peer.writes) == 2
    assert not client.authenticated
    assert client.broken


def test_no_fitting_mechanism_tells_why_each_did_not_fit() -> None:
    peer = Offering("LOGIN SCRAM-SHA-1-PLUS XOAUTH2 NTLM")
    with pytest.raises(AuthenticationError) as caught:
        log_in(peer, authz=b"boss", sasl_mechs=list(MECHANISMS))
    text = str(caught.value)
    assert text.startswith("the server offers only LOGIN SCRAM-SHA-1-PLUS XOAUTH2 NTLM (")
    assert "XOAUTH2: a login by token" in text
    assert "SCRAM-SHA-1-PLUS: channel binding needs TLS" in text
    assert "LOGIN: there is no room" in text
    assert peer.writes == [b"EHLO me.example.com\r\n"]


@pytest.mark.parametrize(
    ("mechanisms", "sent"),
    [
        ("PLAIN LOGIN XOAUTH2 OAUTHBEARER", b""),
        ("PLAIN LOGIN SCRAM-SHA-1", b"SCRAM-SHA-1"),
        ("PLAIN CRAM-MD5", b"CRAM-MD5"),
        ("PLAIN DIGEST-MD5", b"DIGEST-MD5"),
    ],
)
@pytest.mark.parametrize("tls", [True, False])
def test_over_an_unverified_link_only_mechanisms_that_keep_the_secret_are_used(
    mechanisms: str, sent: bytes, tls: bool
) -> None:
    peer = Offering(mechanisms, b"535 no\r\n")
    peer.tls_verified = False
    peer.tls_endpoint = "implicit" if tls else None
    options = {"sasl_mechs": tuple(MECHANISMS), "creds": [*PASSWORD, *TOKEN], "tls_required": tls}
    if sent:
        assert chosen(peer, **options)[1] == sent
    else:
        with pytest.raises(AuthenticationError, match="not verified"):
            log_in(peer, **options)
        assert len(peer.writes) == 1


def test_b24_required_tls_is_content_with_tls_from_the_first_octet() -> None:
    peer = Offering("PLAIN STARTTLS", b"235 ok\r\n")
    client = log_in(peer, tls_required=True)
    assert client.authenticated
    assert b"STARTTLS" not in peer.written


# --- parameters


@pytest.mark.parametrize(
    ("parameters", "mechanisms"),
    [
        ([(b"colour", b"blue", True)], None),
        ([(b"mutual", b"maybe", False)], None),
        ([(b"realm", b"x", True)], [b"PLAIN", b"SCRAM-SHA-1"]),
        ([(b"realm", b"x", True)], None),
        ([(b"nonce", b"x", True)], ()),
    ],
)
def test_critical_parameter_that_nobody_heeds_is_an_error_before_anything_is_sent(
    parameters: list[tuple[bytes, bytes, bool]], mechanisms: Any
) -> None:
    peer = Offering(EVERYTHING)
    with pytest.raises(UsageError):
        log_in(peer, sasl_params=parameters, sasl_mechs=mechanisms)
    assert not peer.writes


def test_critical_parameter_leaves_out_mechanisms_that_do_not_know_it() -> None:
    peer = Offering(EVERYTHING, b"535 no\r\n")
    options = {
        "sasl_params": [(b"digest-uri", b"smtp/mx", True)], "sasl_mechs": [b"PLAIN", b"DIGEST-MD5"],
    }  # fmt: skip
    assert chosen(peer, **options)[1] == b"DIGEST-MD5"


@pytest.mark.parametrize("wish", [b"mutual", b"secure"])
def test_wish_of_the_caller_leaves_out_what_does_not_fulfil_it(wish: bytes) -> None:
    peer = Offering("PLAIN LOGIN")
    with pytest.raises(AuthenticationError, match="PLAIN"):
        log_in(peer, sasl_params=[(wish, b"true", False)])
    assert len(peer.writes) == 1


DIGEST_CHALLENGE = b"334 " + base64.b64encode(b'nonce="n",algorithm=md5-sess,charset=utf-8')


@pytest.mark.parametrize(
    ("options", "uri"),
    [
        ({"tls_peer": "mx.example.com"}, b"smtp/mx.example.com"),
        ({}, b"smtp/me.example.com"),
        ({"sasl_params": [(b"digest-uri", b"smtp/other", False)]}, b"smtp/other"),
    ],
)
def test_name_of_the_service_is_made_of_the_host(options: dict[str, Any], uri: bytes) -> None:
    peer = Offering("DIGEST-MD5", DIGEST_CHALLENGE + b"\r\n", b"535 no\r\n")
    with pytest.raises(PermanentError):
        log_in(peer, sasl_mechs=[b"DIGEST-MD5"], **options)
    assert b'digest-uri="' + uri + b'"' in base64.b64decode(peer.writes[2])


@pytest.mark.parametrize(
    ("options", "acceptor"),
    [
        ({"tls_peer": "mx.example.com"}, "smtp@mx.example.com"),
        ({}, "smtp@me.example.com"),
        ({"sasl_params": [(b"gssapi-acceptor", b"imap@x", True)]}, "imap@x"),
    ],
)
def test_b21_acceptor_of_kerberos_has_the_host(
    kerberos: Package, options: dict[str, Any], acceptor: str
) -> None:
    peer = Offering(
        "GSSAPI", b"334 cHJvb2Y=\r\n", b"334 WwEAAABd\r\n", b"235 ok\r\n"
    )
    client = log_in(peer, user=b"", creds=(), sasl_mechs=[b"GSSAPI"], **options)
    assert client.authenticated
    assert client.gssapi_props.acceptor == acceptor


def test_login_without_kerberos_has_no_gssapi_properties() -> None:
    peer = Offering("PLAIN", b"235 ok\r\n")
    assert log_in(peer).gssapi_props is None


def test_missing_package_for_kerberos_is_told_and_not_replaced_by_a_weaker_mechanism(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "gssapi", None)
    peer = Offering(EVERYTHING)
    with pytest.raises(UsageError, match="needs the package gssapi"):
        log_in(peer, sasl_mechs=[b"GSSAPI", b"PLAIN"])
    assert len(peer.writes) == 1
