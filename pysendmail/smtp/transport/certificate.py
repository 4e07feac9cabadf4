"""What a server's certificate says of itself: its key, and how it was signed.

A walk over the DER (RFC 5280 section 4.1, ITU-T X.690) that knows the way to these two places and
no more; nothing is verified here, that is OpenSSL's. Pure. Any octets are taken, at a cost that
grows with the number of fields on the way; what is not a certificate raises `MalformedCertificate`.
"""

from __future__ import annotations

from ..errors import TlsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_SEQUENCE = 0x30
_OBJECT_IDENTIFIER = 0x06
_VERSION = _HASH_ALGORITHM = 0xA0  # [0] EXPLICIT, in a certificate and in RSASSA-PSS-params

# Object identifiers as they are encoded -> the name of the hash function in `hashlib`.
_HASHES = {
    bytes.fromhex("2b0e03021a"): "sha1",  # 1.3.14.3.2.26
    bytes.fromhex("608648016503040204"): "sha224",  # 2.16.840.1.101.3.4.2.4
    bytes.fromhex("608648016503040201"): "sha256",  # 2.16.840.1.101.3.4.2.1
    bytes.fromhex("608648016503040202"): "sha384",  # 2.16.840.1.101.3.4.2.2
    bytes.fromhex("608648016503040203"): "sha512",  # 2.16.840.1.101.3.4.2.3
}
_SIGNATURE_HASHES = {
    bytes.fromhex("2a864886f70d010104"): "md5",  # 1.2.840.113549.1.1.4, RSA
    bytes.fromhex("2a864886f70d010105"): "sha1",  # 1.2.840.113549.1.1.5
    bytes.fromhex("2a864886f70d01010e"): "sha224",  # 1.2.840.113549.1.1.14
    bytes.fromhex("2a864886f70d01010b"): "sha256",  # 1.2.840.113549.1.1.11
    bytes.fromhex("2a864886f70d01010c"): "sha384",  # 1.2.840.113549.1.1.12
    bytes.fromhex("2a864886f70d01010d"): "sha512",  # 1.2.840.113549.1.1.13
    bytes.fromhex("2a8648ce3d0401"): "sha1",  # 1.2.840.10045.4.1, ECDSA
    bytes.fromhex("2a8648ce3d040301"): "sha224",  # 1.2.840.10045.4.3.1
    bytes.fromhex("2a8648ce3d040302"): "sha256",  # 1.2.840.10045.4.3.2
    bytes.fromhex("2a8648ce3d040303"): "sha384",  # 1.2.840.10045.4.3.3
    bytes.fromhex("2a8648ce3d040304"): "sha512",  # 1.2.840.10045.4.3.4
}
_RSASSA_PSS = bytes.fromhex("2a864886f70d01010a")  # 1.2.840.113549.1.1.10, RFC 4055 section 3.1


class MalformedCertificate(TlsError):
    """The octets are not a certificate in DER."""

    def __init__(self) -> None:
        super().__init__("the certificate of the server cannot be read")


def public_key_of(certificate: bytes) -> bytes:
    """Return the subjectPublicKeyInfo of a certificate, both in DER."""
    [to_be_signed] = _whole(certificate).first(1)
    [version] = to_be_signed.first(1)
    # version (left out by version 1), serialNumber, signature, issuer, validity, subject, and it
    key = to_be_signed.first(7 if version.tag == _VERSION else 6)[-1]
    key.expect(_SEQUENCE)
    return key.octets[key.start : key.end]


def server_end_point(certificate: bytes) -> bytes | None:
    """Return the channel binding `tls-server-end-point` of a certificate (RFC 5929 section 4.1).

    None where it is undefined: for signatures that use no hash function of their own, as Ed25519,
    and for those that are not known here. MD5 and SHA-1 are replaced by SHA-256.
    """
    name = _signature_hash_of(certificate)
    if name is None:
        return None
    import hashlib

    return hashlib.new("sha256" if name in ("md5", "sha1") else name, certificate).digest()


def _signature_hash_of(certificate: bytes) -> str | None:
    _to_be_signed, algorithm = _whole(certificate).first(2)
    identifier = _identifier_of(algorithm)
    if identifier != _RSASSA_PSS:
        return _SIGNATURE_HASHES.get(identifier)
    _identifier, parameters = algorithm.first(2)
    for field in parameters.elements():
        if field.tag == _HASH_ALGORITHM:
            return _HASHES.get(_identifier_of(field.inner()))
    return "sha1"  # the default of the parameters


def _identifier_of(algorithm: _Element) -> bytes:
    """Return the encoded object identifier of an AlgorithmIdentifier."""
    [identifier] = algorithm.first(1)
    identifier.expect(_OBJECT_IDENTIFIER)
    return identifier.content


def _whole(certificate: bytes) -> _Element:
    element = _Element(certificate, 0, len(certificate))
    if element.end != len(certificate):
        raise MalformedCertificate
    return element


class _Element:
    """One element of DER (X.690 section 8.1): its tag, and where in `octets` it and its content
    lie.
    """

    __slots__ = ("content_start", "end", "octets", "start", "tag")

    def __init__(self, octets: bytes, start: int, limit: int) -> None:
        """Read the element at `start`; none of it may lie beyond `limit`."""
        if limit - start < 2 or octets[start] & 0x1F == 0x1F:  # a tag of several octets
            raise MalformedCertificate
        self.octets = octets
        self.start = start
        self.tag = octets[start]
        length = octets[start + 1]
        self.content_start = start + 2
        if length >= 0x80:  # the length follows in so many octets; 0 of them is not DER
            following = length & 0x7F
            if not 1 <= following <= min(4, limit - self.content_start):
                raise MalformedCertificate
            length = int.from_bytes(octets[start + 2 : start + 2 + following], "big")
            self.content_start += following
        self.end = self.content_start + length
        if self.end > limit:
            raise MalformedCertificate

    @property
    def content(self) -> bytes:
        return self.octets[self.content_start : self.end]

    def expect(self, tag: int) -> None:
        if self.tag != tag:
            raise MalformedCertificate

    def inner(self) -> _Element:
        """Return the element that an explicit tag is wrapped around."""
        return _Element(self.octets, self.content_start, self.end)

    def first(self, count: int) -> list[_Element]:
        """Return the first `count` elements of this SEQUENCE."""
        elements = []
        for element in self.elements():
            elements.append(element)
            if len(elements) == count:
                return elements
        raise MalformedCertificate

    def elements(self) -> Iterator[_Element]:
        """Yield the elements of this SEQUENCE."""
        self.expect(_SEQUENCE)
        at = self.content_start
        while at < self.end:
            element = _Element(self.octets, at, self.end)
            yield element
            at = element.end
