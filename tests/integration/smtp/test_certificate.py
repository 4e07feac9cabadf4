"""Postfix with bad certificates and old TLS: the right error, and no secret leaves the house."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from pysendmail.smtp import (
    AuthenticationError,
    MissingExtension,
    PermanentError,
    TlsConfig,
    TlsError,
    connect,
)
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


# --- the client's own certificate, which Postfix knows by its fingerprint

CertificateOf = Callable[[str], TlsConfig]


@pytest.fixture(scope="module")
def certificate_of(
    ca: trustme.CA, ca_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> CertificateOf:
    """Return a maker of configurations that show a certificate for an address."""

    def made(address: str) -> TlsConfig:
        path = tmp_path_factory.mktemp("client") / "client.pem"
        ca.issue_cert(address).private_key_and_cert_chain_pem.write_to_path(str(path))
        return TlsConfig(
            ca_file=str(ca_file), system_authorities=False, certificate_file=str(path)
        )

    return made


@pytest.fixture(scope="module")
def known(certificate_of: CertificateOf) -> TlsConfig:
    """The certificate that the server lets relay."""
    return certificate_of("mailer@example.com")


@pytest.fixture(scope="module")
def postfix_of_certificates(
    postfix_installed: None, certificates: Certificates, known: TlsConfig
) -> Iterator[PostfixSmarthost]:
    """A Postfix that relays for one certificate; it can be logged in to, though not by that."""
    settings = {
        "smtpd_tls_ask_ccert": "yes",
        "smtpd_tls_fingerprint_digest": "sha256",
        "relay_clientcerts": f"inline:{{{{{fingerprint(known)} = mailer}}}}",
        "smtpd_relay_restrictions": "permit_tls_clientcerts, reject",
        "smtpd_sasl_mechanism_filter": "static:rest",  # by default Postfix hides EXTERNAL
    }
    server = postfix_with_logins(
        certificates, mechanisms=("EXTERNAL", "PLAIN"), settings=settings
    )
    yield server
    server.close()


def fingerprint(config: TlsConfig) -> str:
    """Return SHA-256 of the certificate as Postfix writes it."""
    text = Path(str(config.certificate_file)).read_text()
    begin = text.index("-----BEGIN CERTIFICATE-----")
    end = "-----END CERTIFICATE-----"
    der = ssl.PEM_cert_to_DER_cert(text[begin : text.index(end, begin) + len(end)])
    return hashlib.sha256(der).digest().hex(":").upper()


def test_certificate_that_the_server_knows_lets_us_relay(
    postfix_of_certificates: PostfixSmarthost, known: TlsConfig, sender: bytes
) -> None:
    with log_in(postfix_of_certificates, known, user=b"", creds=()) as client:
        assert not client.authenticated
        assert client.transaction(sender, [b"a@example.com"], b"Subject: x\r\n\r\n").taken
    arrived(postfix_of_certificates, sender)


@pytest.mark.parametrize("shown", ["another certificate", "none"])
def test_without_the_certificate_that_the_server_knows_nothing_is_relayed(
    postfix_of_certificates: PostfixSmarthost,
    certificate_of: CertificateOf,
    tls_config: TlsConfig,
    sender: bytes,
    shown: str,
) -> None:
    config = tls_config if shown == "none" else certificate_of("stranger@example.com")
    with log_in(postfix_of_certificates, config, user=b"", creds=()) as client:
        client.mail(sender)
        with pytest.raises(PermanentError, match="Access denied"):
            client.rcpt(b"a@example.com")


def test_postfix_never_offers_external_and_no_weaker_login_is_tried(
    postfix_of_certificates: PostfixSmarthost, known: TlsConfig
) -> None:
    listener = Listener(postfix_of_certificates)
    with pytest.raises(AuthenticationError, match="PLAIN"):
        log_in(postfix_of_certificates, known, sasl_mechs=[b"EXTERNAL"])
    assert "auth=" not in listener.said()
