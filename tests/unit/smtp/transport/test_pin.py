"""Pins, beside what openssl prints."""

from __future__ import annotations

import base64
import hashlib
import shutil
import ssl
import subprocess

import pytest
import trustme

from pysendmail.smtp import UsageError
from pysendmail.smtp.transport.pin import parse_pin, pins_of

DIGEST = hashlib.sha256(b"x").digest()


def pem_of(ca: trustme.CA) -> bytes:
    return ca.issue_cert("mx.example").cert_chain_pems[0].bytes()


def openssl(*arguments: str, octets: bytes) -> bytes:
    return subprocess.run(
        ["openssl", *arguments], input=octets, capture_output=True, check=True
    ).stdout


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_pins_are_those_that_openssl_prints(ca: trustme.CA) -> None:
    pem = pem_of(ca)
    of_certificate, of_key = pins_of(ssl.PEM_cert_to_DER_cert(pem.decode()))
    printed = openssl("x509", "-noout", "-fingerprint", "-sha256", octets=pem).decode()
    assert parse_pin("sha256:" + printed.partition("=")[2].strip()) == of_certificate
    key = openssl("x509", "-noout", "-pubkey", octets=pem)
    key_der = openssl("pkey", "-pubin", "-outform", "der", octets=key)
    digest = openssl("dgst", "-sha256", "-binary", octets=key_der)
    assert parse_pin("spki-sha256:" + base64.b64encode(digest).decode()) == of_key


@pytest.mark.parametrize(
    "text",
    [f"sha256:{DIGEST.hex()}", f"sha256:{DIGEST.hex().upper()}", f"sha256:{DIGEST.hex(':')}"],
)
def test_hexadecimal_is_read_in_any_spelling(text: str) -> None:
    assert parse_pin(text) == f"sha256:{DIGEST.hex()}"


@pytest.mark.parametrize(
    "text",
    [
        "", "sha256:", DIGEST.hex(), f"sha1:{DIGEST.hex()}", f"sha256:{DIGEST.hex()[:-2]}",
        "sha256:" + "xy" * 32, f"SHA256:{DIGEST.hex()}", "spki-sha256:AAAA",
        f"spki-sha256:{DIGEST.hex()}", "spki-sha256:" + base64.b64encode(DIGEST).decode()[:-1],
        "spki-sha256:é" + base64.b64encode(DIGEST).decode()[1:],
        f"sha256:{base64.b64encode(DIGEST).decode()}",
    ],
)  # fmt: skip
def test_what_is_no_pin_is_told_with_what_one_is(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected sha256: and 64 hex.* or spki-sha256: and 44"):
        parse_pin(text)
