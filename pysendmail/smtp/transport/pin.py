"""Pins: a server known by its certificate or by its key, written as the digest of either.

    sha256:4f0e…          SHA-256 of the certificate in hexadecimal, with or without colons, as
                          `openssl x509 -noout -fingerprint -sha256` prints it
    spki-sha256:r/mIk…=   SHA-256 of its public key (subjectPublicKeyInfo) in base64, as RFC 7469
                          section 2.4 writes it; stays when a certificate is renewed for its key

Pure. A pin that cannot be read raises `UsageError`.
"""

from __future__ import annotations

import binascii

from ..errors import UsageError
from .certificate import public_key_of

_CERTIFICATE, _PUBLIC_KEY = "sha256", "spki-sha256"
_DIGEST_OCTETS = 32


def parse_pin(text: str) -> str:
    """Return the one spelling of a pin that `pins_of` uses."""
    kind, _, digest = text.partition(":")
    try:
        if kind == _CERTIFICATE:
            octets = bytes.fromhex(digest.replace(":", ""))
        elif kind == _PUBLIC_KEY:
            octets = binascii.a2b_base64(digest.encode("ascii"), strict_mode=True)
        else:
            octets = b""
    except ValueError:
        octets = b""
    if len(octets) != _DIGEST_OCTETS:
        raise UsageError(
            f"pin {text!r}: expected {_CERTIFICATE}: and 64 hexadecimal digits, or {_PUBLIC_KEY}: "
            "and 44 characters of base64"
        )
    return _format_pin(kind, octets)


def pins_of(certificate: bytes) -> tuple[str, str]:
    """Return the pins of a certificate in DER and of its key."""
    import hashlib

    return (
        _format_pin(_CERTIFICATE, hashlib.sha256(certificate).digest()),
        _format_pin(_PUBLIC_KEY, hashlib.sha256(public_key_of(certificate)).digest()),
    )


def _format_pin(kind: str, digest: bytes) -> str:
    if kind == _CERTIFICATE:
        return f"{kind}:{digest.hex()}"
    return f"{kind}:{binascii.b2a_base64(digest, newline=False).decode()}"
