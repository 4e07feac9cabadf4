from __future__ import annotations

import pytest

from pysendmail.smtp import AuthenticationError, Client, MissingExtension, TlsError, authenticate
from pysendmail.smtp.sasl import DEFAULT_MECHANISMS
from tests.unit.smtp.streams import Peer

GREETING = b"220 mx\r\n"
IN_CLEAR = b"250-mx\r\n250-STARTTLS\r\n250 AUTH LOGIN\r\n"
UNDER_TLS = b"250-mx\r\n250 AUTH LOGIN PLAIN\r\n"


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
        client, host=b"me", tls_config="context", tls_peer="mx", user=b"u", password=b"p"
    )
    assert client.authenticated
    assert peer.writes == [
        b"EHLO me\r\n", b"STARTTLS\r\n", b"EHLO me\r\n", b"AUTH PLAIN AHUAcA==\r\n",
    ]  # fmt: skip


def test_client_prefers_not_the_server() -> None:
    peer = TlsPeer(GREETING, UNDER_TLS, b"334 \r\n", b"334 \r\n", b"235 ok\r\n")
    peer.tls_endpoint, peer.tls_verified = "implicit", True
    authenticate(
        Client(peer, peer), host=b"me", tls_config="context", user=b"u", password=b"p",
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
def test_required_tls_that_is_not_to_be_had_sends_no_secret(
    context: object, error: type[Exception]
) -> None:
    peer = TlsPeer(GREETING, UNDER_TLS)
    with pytest.raises(error):
        authenticate(
            Client(peer, peer), host=b"me", tls_config=context, tls_peer="mx", user=b"u",
            password=b"p",
        )  # fmt: skip
    assert peer.writes == [b"EHLO me\r\n"]


def test_opportunistic_tls_goes_on_in_clear_without_a_password() -> None:
    peer = TlsPeer(GREETING, UNDER_TLS)
    with pytest.raises(AuthenticationError, match="not verified"):
        authenticate(
            Client(peer, peer), host=b"me", tls_config="context", tls_required=False, user=b"u",
            password=b"p",
        )  # fmt: skip
    assert peer.writes == [b"EHLO me\r\n"]


@pytest.mark.parametrize("allowed", [False, True])
def test_password_over_unverified_tls_needs_the_administrators_word(allowed: bool) -> None:
    peer = TlsPeer(GREETING, IN_CLEAR, b"220 go\r\n", UNDER_TLS, b"235 ok\r\n")
    peer.will_verify = False
    client = Client(peer, peer)
    try:
        authenticate(
            client, host=b"me", tls_config="context", tls_peer="mx", user=b"u", password=b"p",
            cleartext_allowed=allowed,
        )  # fmt: skip
    except AuthenticationError:
        assert not allowed
    assert client.authenticated is allowed
    assert (b"AUTH" in peer.written) is allowed


def test_login_that_is_not_offered_is_an_error() -> None:
    peer = Peer(GREETING, b"250 mx\r\n")
    with pytest.raises(MissingExtension) as caught:
        authenticate(Client(peer, peer), host=b"me", tls_required=False, user=b"u", password=b"p")
    assert caught.value.name == b"AUTH"


@pytest.mark.parametrize("mechanisms", [(b"X-UNKNOWN",), DEFAULT_MECHANISMS])
def test_no_common_mechanism_is_an_error(mechanisms: tuple[bytes, ...]) -> None:
    peer = Peer(GREETING, b"250-mx\r\n250 AUTH X-UNKNOWN\r\n")
    with pytest.raises(AuthenticationError, match="X-UNKNOWN"):
        authenticate(
            Client(peer, peer), host=b"me", tls_required=False, user=b"u", password=b"p",
            sasl_mechs=mechanisms,
        )  # fmt: skip
