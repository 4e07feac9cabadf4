"""What TLS is told to be: contradictions, files that are no good, and what comes of the rest."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from pysendmail.smtp import TlsConfig, TlsError, UsageError
from pysendmail.smtp.transport.fault import describe, describe_handshake
from pysendmail.smtp.transport.tls import encode_name

PIN = "sha256:" + "ab" * 32


def test_context_is_made_once() -> None:
    config = TlsConfig()
    assert config.context() is config.context()


@pytest.mark.parametrize(
    "fact",
    [
        "check_hostname", "verify_mode", "verify_flags", "security_level", "maximum_version",
        "_host_flags", "get_ciphers",
    ],
)  # fmt: skip
def test_context_is_what_ssl_would_make(fact: str) -> None:
    ours, theirs = TlsConfig().context(), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    found, wanted = getattr(ours, fact), getattr(theirs, fact)
    assert (found() == wanted()) if callable(found) else (found == wanted)
    assert ours.options == theirs.options & ~ssl.OP_IGNORE_UNEXPECTED_EOF


def test_empty_names_of_files_are_none() -> None:
    config = TlsConfig(ca_file="", certificate_file="", key_file="")
    assert (config.ca_file, config.certificate_file, config.key_file) == (None, None, None)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"minimum_version": "1.1"}, "expected 1.2, 1.3 or insecure-1.0"),
        ({"minimum_version": ""}, "minimum_version"),
        ({"key_file": "key.pem"}, "certificate_file"),
        ({"system_authorities": False}, "ca_file"),
        ({"pins": ["sha256:12"]}, "pin 'sha256:12'"),
    ],
)
def test_contradiction_is_told_at_once(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        TlsConfig(**options)


@pytest.mark.parametrize(
    ("options", "verifies"),
    [
        ({}, True),
        ({"verify": False}, False),
        ({"verify": False, "pins": [PIN]}, True),
        ({"pins": [PIN]}, True),
        ({"verify": False, "system_authorities": False}, False),
    ],
)
def test_server_is_known_by_authority_or_by_pin(options: dict[str, Any], verifies: bool) -> None:
    config = TlsConfig(**options)
    assert config.verifies is verifies
    verify = options.get("verify", True)
    assert config.context().check_hostname is verify
    assert (config.context().verify_mode == ssl.CERT_REQUIRED) is verify


def test_no_certificate_matches_no_pin() -> None:
    with pytest.raises(TlsError, match="no certificate"):
        TlsConfig(pins=[PIN]).check(None)
    TlsConfig().check(None)


def test_private_authority_stands_beside_the_systems_or_alone(ca_file: Path) -> None:
    alone = TlsConfig(ca_file=str(ca_file), system_authorities=False).context()
    assert len(alone.get_ca_certs()) == 1


def test_bundle_is_read_where_the_system_has_no_hashed_directory(
    ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    assert len(TlsConfig().context().get_ca_certs()) == 1


def test_missing_directory_of_authorities_is_not_hashed(
    tmp_path: Path, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pysendmail.smtp.transport.tls.CA_DIRECTORY", str(tmp_path / "none"))
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    assert len(TlsConfig().context().get_ca_certs()) == 1


@pytest.mark.parametrize("content", [None, b"", b"no certificate\n"])
def test_ca_file_that_is_no_good_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    reason = "No such file" if content is None else "no certificate in PEM"
    with pytest.raises(TlsError, match=rf"ca_file .*ca\.pem: .*{reason}"):
        TlsConfig(ca_file=str(path)).context()


def test_own_certificate_that_is_no_good_is_named(tmp_path: Path, ca: trustme.CA) -> None:
    mine, other = ca.issue_cert("me.example"), ca.issue_cert("other.example")
    certificate, key = tmp_path / "me.pem", tmp_path / "key.pem"
    mine.cert_chain_pems[0].write_to_path(str(certificate))

    with pytest.raises(TlsError, match=r"certificate_file .*me\.pem, key_file .*key\.pem: No such"):
        TlsConfig(certificate_file=str(certificate), key_file=str(key)).context()
    with pytest.raises(TlsError, match=r"certificate_file .*me\.pem: .*PEM"):
        TlsConfig(certificate_file=str(certificate)).context()

    other.private_key_pem.write_to_path(str(key))
    with pytest.raises(TlsError, match="the key does not belong to the certificate"):
        TlsConfig(certificate_file=str(certificate), key_file=str(key)).context()

    loaded = serialization.load_pem_private_key(mine.private_key_pem.bytes(), None)
    key.write_bytes(
        loaded.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(TlsError, match=r"key_file .*key\.pem: has a passphrase"):
        TlsConfig(certificate_file=str(certificate), key_file=str(key)).context()


class Endpoint:
    """The end of a connection, as far as its session is asked for."""

    def __init__(self, session: object) -> None:
        self._session = session

    @property
    def session(self) -> object:
        if isinstance(self._session, Exception):
            raise self._session
        return self._session


def test_session_is_kept_only_for_its_own_name_and_only_if_wanted() -> None:
    session = object()
    config = TlsConfig(resume=True)
    config.keep_session("mx.example", Endpoint(None))
    assert config.session_for("mx.example") is None
    config.keep_session("mx.example", Endpoint(session))
    assert config.session_for("mx.example") is session
    assert config.session_for("other.example") is None
    unwilling = TlsConfig()
    unwilling.keep_session("mx.example", Endpoint(session))
    assert unwilling.session_for("mx.example") is None


def test_session_that_cannot_be_had_is_not_kept() -> None:
    config = TlsConfig(resume=True)
    config.keep_session("mx.example", Endpoint(ValueError("i2d() failed.")))
    assert config.session_for("mx.example") is None


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("mx.example", "mx.example"),
        ("mx.example.", "mx.example"),
        ("b\xfccher.example", "xn--bcher-kva.example"),
        ("b\xfccher.example\u3002", "xn--bcher-kva.example"),
        ("::1", "::1"),
        (".".join(["x" * 49] * 5), ".".join(["x" * 49] * 5)),
    ],
)
def test_name_is_encoded_as_certificates_have_it(name: str, encoded: str) -> None:
    assert encode_name(name) == encoded


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".mx", "mx..example", "x" * 64, ".".join(["x" * 50] * 5), "a\0b", "\xe9\0"],
)
def test_name_that_no_certificate_has_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"name of the server|label"):
        encode_name(name)


def test_representation_shows_what_decides() -> None:
    shown = repr(TlsConfig(verify=False, pins=[PIN], minimum_version="1.3"))
    assert shown == f"TlsConfig(verify=False, pins=['{PIN}'], minimum_version='1.3')"


class Fault(OSError):
    """As OpenSSL's errors come."""

    def __init__(self, reason: str | None = None, code: int | None = None) -> None:
        super().__init__(1, f"[SSL: {reason}] (_ssl.c:1)")
        self.reason = reason
        if code is not None:
            self.verify_code, self.verify_message = code, "a message"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("CERTIFICATE_VERIFY_FAILED", 9), "the certificate of mx is not valid yet, by the"),
        (Fault("CERTIFICATE_VERIFY_FAILED", 66), "the certificate of mx is not good: a message"),
        (Fault("TLSV1_ALERT_PROTOCOL_VERSION"), "the server does not speak TLS 1.3 or newer"),
        (Fault("DH_KEY_TOO_SMALL"), "TLS failed: dh key too small"),
        (ValueError("odd"), "odd"),
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
    ],
)
def test_faults_are_told_in_words(fault: Exception, words: str) -> None:
    assert describe_handshake(fault, "mx", "1.3").startswith(words)


def test_place_in_the_source_of_python_is_not_told() -> None:
    cut = OSError(8, "EOF occurred in violation of protocol (_ssl.c:2546)")
    assert describe(cut) == "EOF occurred in violation of protocol"
