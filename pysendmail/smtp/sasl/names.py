"""User names as GS2 and SCRAM write them (RFC 5801 section 4, RFC 5802 section 5.1)."""

from __future__ import annotations


def escaped(name: bytes) -> bytes:
    """Return a saslname: the two octets that end or begin an attribute are written as hex."""
    return name.replace(b"=", b"=3D").replace(b",", b"=2C")
