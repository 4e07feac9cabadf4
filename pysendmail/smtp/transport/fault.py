"""What was wrong with TLS, in words that an administrator can act on.

OpenSSL speaks of `SSLV3_ALERT_HANDSHAKE_FAILURE (_ssl.c:992)`; its numbers and names for the faults
that happen are turned into sentences here. Pure, and needs no `ssl`.
"""

from __future__ import annotations

# X509_V_ERR_..., OpenSSL's x509_vfy.h
_EXPIRED, _NOT_YET_VALID = 10, 9
_SELF_SIGNED = 18
_UNKNOWN_AUTHORITY = (2, 19, 20, 21)
_OTHER_NAME, _OTHER_ADDRESS = 62, 64

_REASONS = {
    "WRONG_VERSION_NUMBER": "what the server sent is not TLS",
    "RECORD_LAYER_FAILURE": "what the server sent is not TLS",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": (
        "the server accepts none of our ciphers, or wants a client certificate"
    ),
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server wants a client certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "the server does not know the authority of our client certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the server refused our client certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the server says that our client certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the server refused our client certificate",
    "UNEXPECTED_EOF_WHILE_READING": "the connection was cut without the end that TLS prescribes",
    "KEY_VALUES_MISMATCH": "the key does not belong to the certificate",
    "NO_CERTIFICATE_OR_CRL_FOUND": "there is no certificate in PEM in it",
    "NO_START_LINE": "what is needed is not there in PEM",
}
_TOO_OLD = (
    "UNSUPPORTED_PROTOCOL",
    "TLSV1_ALERT_PROTOCOL_VERSION",
    "NO_PROTOCOLS_AVAILABLE",
)


def describe_handshake(error: Exception, server_hostname: str, minimum_version: str) -> str:
    """Return what a failed handshake with `server_hostname` failed for."""
    if getattr(error, "reason", None) in _TOO_OLD:
        return f"the server does not speak TLS {minimum_version} or newer"
    code = getattr(error, "verify_code", None)
    if code is None:
        return describe(error)
    if code in (_OTHER_NAME, _OTHER_ADDRESS):
        return f"the certificate of the server is not for {server_hostname}"
    subject = f"the certificate of {server_hostname}"
    if code == _EXPIRED:
        return f"{subject} has expired"
    if code == _NOT_YET_VALID:
        return f"{subject} is not valid yet, by the clock of this machine"
    if code == _SELF_SIGNED:
        return f"{subject} is signed by itself, and no authority known here vouches for it"
    if code in _UNKNOWN_AUTHORITY:
        return f"{subject} comes from an authority that is not known here"
    return f"{subject} is not good: {getattr(error, 'verify_message', '')}"


def describe(error: Exception) -> str:
    """Return what an error of OpenSSL or of the system says, without their decorations."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, str):  # OpenSSL's
        return _REASONS.get(reason) or f"TLS failed: {reason.lower().replace('_', ' ')}"
    words = getattr(error, "strerror", None) or str(error)
    return words.partition(" (_ssl.c:")[0]
