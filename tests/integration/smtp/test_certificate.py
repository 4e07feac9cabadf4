"""Postfix with bad certificates and old TLS: the right error, and no secret leaves the house."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pysendmail.smtp import AuthenticationError, MissingExtension, TlsConfig, TlsError, connect
from tests.helpers.postfix import PostfixSmarthost
from tests.helpers.waiting import wait_until
from tests.integration.conftest import Certificates
from tests.integration.smtp.conftest import NAME, arrived, introduce, log_in, postfix_with_logins

# The ciphers of that time; OpenSSL 3 has to be told that it may.
OLD_TLS = {
    "smtpd_tls_protocols": "<=TLSv1",
    "smtpd_tls_ciphers": "low",
    "tls_low_cipherlist": "ALL:@SECLEVEL=0",
}


@pytest.fixture(scope="module")
def postfix(postfix_installed: None, certificates: Certificates) -> Iterator[PostfixSmarthost]:
    """A Postfix whose certificate the tests change."""
    server = postfix_with_logins(certificates)
    yield server
    server.close()


class Listener:
    """Counts, as Postfix does, what the next client to say EHLO has said when it is gone."""

    def __init__(self, server: PostfixSmarthost) -> None:
        self._server = server
        self._before = len(server.log())

    def said(self) -> str:
        """Return Postfix's count, like `ehlo=1 starttls=1 auth=0/1 commands=2/3`."""

        def counted() -> list[str]:
            news = self._server.log()[self._before :].splitlines()
            return [line for line in news if " disconnect from " in line and " ehlo=" in line]

        wait_until(counted, what="the client's leave in the log", evidence=self._server.log)
        return counted()[0].partition("127.0.0.1] ")[2]


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("expired", "expired"),
        ("wrong_name", "localhost"),
        ("stranger", "issuer|authority"),
    ],
)
def test_bad_certificate_ends_the_session_before_a_login(
    postfix: PostfixSmarthost,
    certificates: Certificates,
    tls_config: TlsConfig,
    kind: str,
    reason: str,
    mechanism: str,
) -> None:
    postfix.certify(getattr(certificates, kind))
    listener = Listener(postfix)
    with pytest.raises(TlsError, match=reason):
        log_in(postfix, tls_config, sasl_mechs=[mechanism.encode()])
    said = listener.said()
    assert said.startswith("ehlo=1 starttls=")
    assert "auth=" not in said


def test_right_certificate_lets_the_login_be_seen(
    postfix: PostfixSmarthost, certificates: Certificates, tls_config: TlsConfig
) -> None:
    postfix.certify(certificates.good)
    listener = Listener(postfix)
    log_in(postfix, tls_config).quit()
    assert "auth=1" in listener.said()  # what the other tests look for in vain


@pytest.mark.parametrize("required", [True, False])
def test_without_starttls_no_password_is_sent(
    postfix: PostfixSmarthost, tls_config: TlsConfig, required: bool
) -> None:
    postfix.certify(None)
    listener = Listener(postfix)
    error = MissingExtension if required else AuthenticationError
    with pytest.raises(error, match="STARTTLS" if required else "not verified"):
        log_in(
            postfix, tls_config, sasl_mechs=[b"PLAIN", b"LOGIN"], tls_required=required
        )
    assert "auth=" not in listener.said()


@pytest.fixture(scope="module")
def postfix_of_old(
    postfix_installed: None, certificates: Certificates
) -> Iterator[PostfixSmarthost]:
    """A Postfix that speaks TLS 1.0 and nothing newer."""
    server = postfix_with_logins(certificates, settings=OLD_TLS)
    yield server
    server.close()


def test_tls_1_0_only_is_refused_and_no_secret_sent(
    postfix_of_old: PostfixSmarthost, tls_config: TlsConfig
) -> None:
    listener = Listener(postfix_of_old)
    with pytest.raises(TlsError, match=r"TLS 1\.2"):
        log_in(postfix_of_old, tls_config)
    said = listener.said()
    assert said.startswith("ehlo=1 starttls=")
    assert "auth=" not in said


def test_tls_1_0_is_spoken_where_it_is_asked_for(
    postfix_of_old: PostfixSmarthost, ca_file: Path
) -> None:
    config = TlsConfig(
        ca_file=str(ca_file), system_authorities=False, minimum_version="insecure-1.0"
    )
    with log_in(postfix_of_old, config) as client:
        assert client.tls_session_props.version == "TLSv1"
        assert client.authenticated


@pytest.fixture(scope="module")
def postfix_of_submissions(
    postfix_installed: None, certificates: Certificates
) -> Iterator[PostfixSmarthost]:
    """A Postfix that speaks TLS from the first octet."""
    server = postfix_with_logins(certificates, settings={"smtpd_tls_wrappermode": "yes"})
    yield server
    server.close()


def test_tls_from_the_first_octet_carries_login_and_message(
    postfix_of_submissions: PostfixSmarthost, tls_config: TlsConfig, sender: bytes
) -> None:
    with connect(postfix_of_submissions.address, tls=tls_config, server_hostname=NAME) as client:
        introduce(client, tls_config)
        assert client.tls_verified
        assert b"STARTTLS" not in client.extensions
        assert client.transaction(sender, [b"a@example.com"], b"Subject: x\r\n\r\n").taken
    arrived(postfix_of_submissions, sender)


def test_tls_from_the_first_octet_with_the_wrong_name_ends_before_the_greeting(
    postfix_of_submissions: PostfixSmarthost, tls_config: TlsConfig
) -> None:
    with pytest.raises(TlsError, match=r"other\.example\.com"):
        connect(
            postfix_of_submissions.address, tls=tls_config, server_hostname="other.example.com"
        )
