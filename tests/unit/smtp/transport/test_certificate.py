"""The walk over a certificate, beside `cryptography`'s reading of the same certificates."""

from __future__ import annotations

import datetime
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.smtp.transport.certificate import (
    MalformedCertificate,
    public_key_of,
    server_end_point,
)

RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED25519_KEY = ed25519.Ed25519PrivateKey.generate()
RSA_WITH = bytes.fromhex("2a864886f70d0101")

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def certificate(
    key: Key,
    algorithm: hashes.SHA224 | hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None,
    pss: padding.PSS | None = None,
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mx.example")])
    now = datetime.datetime(2026, 1, 1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("mx.example")] * 40), False)
    )
    return builder.sign(key, algorithm, rsa_padding=pss)


def der(made: x509.Certificate) -> bytes:
    return made.public_bytes(serialization.Encoding.DER)


def pss_with(algorithm: hashes.HashAlgorithm) -> padding.PSS:
    return padding.PSS(padding.MGF1(algorithm), padding.PSS.DIGEST_LENGTH)


CERTIFICATES = {
    "rsa sha256": certificate(RSA_KEY, hashes.SHA256()),
    "rsa sha384": certificate(RSA_KEY, hashes.SHA384()),
    "rsa sha512": certificate(RSA_KEY, hashes.SHA512()),
    "rsa sha224": certificate(RSA_KEY, hashes.SHA224()),
    "ecdsa sha256": certificate(EC_KEY, hashes.SHA256()),
    "ecdsa sha384": certificate(EC_KEY, hashes.SHA384()),
    "ecdsa sha512": certificate(EC_KEY, hashes.SHA512()),
    "ecdsa sha224": certificate(EC_KEY, hashes.SHA224()),
    "pss sha256": certificate(RSA_KEY, hashes.SHA256(), pss_with(hashes.SHA256())),
    "pss sha512": certificate(RSA_KEY, hashes.SHA512(), pss_with(hashes.SHA512())),
}
SAMPLE = der(CERTIFICATES["rsa sha256"])
PSS_SAMPLE = der(CERTIFICATES["pss sha256"])


@pytest.mark.parametrize("made", CERTIFICATES.values(), ids=CERTIFICATES)
def test_binding_is_the_digest_by_the_hash_of_the_signature(made: x509.Certificate) -> None:
    algorithm = made.signature_hash_algorithm
    assert algorithm is not None
    assert server_end_point(der(made)) == made.fingerprint(algorithm)


@pytest.mark.parametrize("made", CERTIFICATES.values(), ids=CERTIFICATES)
def test_public_key_is_the_one_that_cryptography_finds(made: x509.Certificate) -> None:
    expected = made.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert public_key_of(der(made)) == expected


def test_binding_of_a_signature_without_a_hash_function_is_undefined() -> None:
    made = certificate(ED25519_KEY, None)
    assert server_end_point(der(made)) is None
    assert len(public_key_of(der(made))) == 44


@pytest.mark.parametrize("weak", [b"\x04", b"\x05"], ids=["md5", "sha1"])
def test_weak_hash_functions_are_replaced_by_sha256(weak: bytes) -> None:
    octets = SAMPLE.replace(RSA_WITH + b"\x0b", RSA_WITH + weak)
    assert octets != SAMPLE
    assert server_end_point(octets) == hashlib.sha256(octets).digest()


@pytest.mark.parametrize("parameters", ["3000", "3005a203020120"], ids=["none", "salt length"])
def test_pss_that_names_no_hash_function_has_sha1_and_so_sha256(parameters: str) -> None:
    algorithm = bytes.fromhex("0609 2a864886f70d01010a" + parameters)
    fields = b"\x30\0" + b"\x30" + bytes([len(algorithm)]) + algorithm
    octets = b"\x30" + bytes([len(fields)]) + fields
    assert server_end_point(octets) == hashlib.sha256(octets).digest()


def test_certificate_of_version_1_has_no_version_field() -> None:
    fields = "0201 2a" + "3000" * 4 + "3003 020107"
    octets = bytes.fromhex("3012 3010" + fields)
    assert public_key_of(octets) == bytes.fromhex("3003020107")


def test_unknown_algorithm_has_no_binding() -> None:
    assert server_end_point(SAMPLE.replace(RSA_WITH + b"\x0b", RSA_WITH + b"\x7f")) is None


def only_its_own_error(octets: bytes) -> None:
    for read in (public_key_of, server_end_point):
        try:
            read(octets)
        except MalformedCertificate as error:
            assert "cannot be read" in str(error)


@pytest.mark.parametrize(
    "octets",
    [
        b"", b"\x30", b"\x30\x80", b"\x30\x85\0\0\0\0\0", b"\x30\x84\xff\xff\xff\xff",
        b"\x3f\x81\x01\0", b"\x04\0", b"\x30\x03\x02\x01", SAMPLE + b"\0", SAMPLE[:-1],
        b"\x30\x04\x30\x02\x04\0",
    ],
)  # fmt: skip
def test_what_is_no_certificate_is_refused(octets: bytes) -> None:
    with pytest.raises(MalformedCertificate):
        public_key_of(octets)
    with pytest.raises(MalformedCertificate):
        server_end_point(octets)


@given(st.binary(max_size=300))
def test_garbage_raises_nothing_but_its_own_error(octets: bytes) -> None:
    only_its_own_error(octets)


@given(st.sampled_from([SAMPLE, PSS_SAMPLE]), st.data())
def test_damaged_certificate_raises_nothing_but_its_own_error(
    sample: bytes, data: st.DataObject
) -> None:
    octets = bytearray(sample)
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    only_its_own_error(bytes(octets))
    only_its_own_error(bytes(octets[: data.draw(st.integers(0, len(octets)))]))
