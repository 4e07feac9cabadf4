"""DIGEST-MD5: a digest of password and both sides' nonces (RFC 2831).

Historic since RFC 6331, and used only where it is asked for by name. Only the quality of protection
`auth` is spoken. The server's proof, `rspauth`, is compared in constant time, and without it no
success is believed.
"""

from __future__ import annotations

import re

from ..errors import AuthenticationError, UsageError
from .mechanism import Mechanism, expected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .mechanism import Exchange

NONCE_OCTETS = 16

# One directive of a challenge and the comma behind it, or the end; RFC 2831 section 7.1 allows
# blanks and empty elements between them.
_DIRECTIVE = re.compile(
    rb'[ \t\r\n,]*(?:([^\x00- \x7f",=]+)[ \t\r\n]*=[ \t\r\n]*'
    rb'(?:"((?:[^"\\]|\\.)*)"|([^\x00- \x7f",=]+))[ \t\r\n]*(?:,|\Z)|\Z)',
    re.DOTALL,
)
_ONCE = (b"nonce", b"stale", b"maxbuf", b"charset", b"algorithm", b"rspauth")


class DigestMd5(Mechanism):
    """The mechanism DIGEST-MD5."""

    name = b"DIGEST-MD5"
    reveals_secret = False
    mutual = True
    obeyed = Mechanism.obeyed | {b"digest-uri", b"realm", b"cnonce"}

    def check(self) -> None:
        """Refuse to go without the service's name, and control characters."""
        super().check()
        if not self.parameters.get(b"digest-uri"):
            raise UsageError("the parameter digest-uri is needed")
        texts = (
            self.credentials.user,
            self.credentials.authz,
            *map(self.parameters.get, (b"digest-uri", b"realm", b"cnonce")),
        )
        if any(octet < 0x20 for octet in b"".join(texts)):
            raise UsageError("a control character in a user name or parameter")

    def exchange(self) -> Exchange:
        """Answer the challenge, check the server's proof."""
        challenge = parse_directives(expected((yield None)))
        nonce = _nonce_of(challenge)
        utf8 = b"charset" in challenge
        realm = self._choose_realm(challenge.get(b"realm", []))
        cnonce = self.parameters.get(b"cnonce") or self.random(NONCE_OCTETS).hex().encode()
        uri = self.parameters.get(b"digest-uri")
        authz = self.credentials.authz
        session_key = self._session_key(realm or b"", nonce, cnonce, utf8)
        nonces = b":".join((nonce, b"00000001", cnonce, b"auth"))
        response = [
            b"charset=utf-8" if utf8 else b"",
            b"username=" + _quoted(_on_the_wire(self.credentials.user, utf8)),
            b"realm=" + _quoted(realm) if realm is not None else b"",
            b"nonce=" + _quoted(nonce),
            b"nc=00000001",
            b"cnonce=" + _quoted(cnonce),
            b"digest-uri=" + _quoted(uri),
            b"response=" + _digest(session_key, nonces, b"AUTHENTICATE:" + uri),
            b"qop=auth",
            b"authzid=" + _quoted(authz) if authz else b"",
        ]
        answer = expected((yield b",".join(filter(None, response))))
        _check_proof(answer, _digest(session_key, nonces, b":" + uri))
        yield b""

    def _choose_realm(self, offered: list[bytes]) -> bytes | None:
        """Return the realm to log in to, None for a server that knows none and a caller too.

        Of several realms it is the caller's, else the one that is the domain of the user's name,
        else the first.
        """
        wanted = self.parameters.get(b"realm")
        if not offered:
            return wanted or None
        if wanted and wanted not in offered:
            raise AuthenticationError("the server has no such realm as was asked for")
        domain = self.credentials.user.rpartition(b"@")[2]
        return wanted or (domain if domain in offered else offered[0])

    def _session_key(self, realm: bytes, nonce: bytes, cnonce: bytes, utf8: bool) -> bytes:
        """Return H(A1) in hex (RFC 2831 section 2.1.2.1): over the raw digest, not its hex."""
        secret = b":".join(
            _for_digest(text, utf8)
            for text in (self.credentials.user, realm, self.credentials.password)
        )
        authz = self.credentials.authz
        parts = (_md5(secret), nonce, cnonce, *((authz,) if authz else ()))
        return _hex_md5(b":".join(parts))


def parse_directives(text: bytes) -> dict[bytes, list[bytes]]:
    """Return the values of each directive, names in lower case, quotes and escapes undone.

    Raises `AuthenticationError` for a text that is none, or one that says a thing twice.
    """
    directives: dict[bytes, list[bytes]] = {}
    position = 0
    while position < len(text):
        match = _DIRECTIVE.match(text, position)
        if match is None:
            raise AuthenticationError("a challenge that is not DIGEST-MD5's")
        position = match.end()
        name, quoted, token = match.groups()
        if name is not None:
            value = token if quoted is None else re.sub(rb"\\(.)", rb"\1", quoted, flags=re.DOTALL)
            directives.setdefault(name.lower(), []).append(value)
    for name in _ONCE:
        if len(directives.get(name, ())) > 1:
            raise AuthenticationError(f"a challenge with several values for {name.decode()}")
    return directives


def _nonce_of(challenge: dict[bytes, list[bytes]]) -> bytes:
    """Return the nonce of a challenge that we can answer."""
    nonce = challenge.get(b"nonce", [b""])[0]
    if not nonce or challenge.get(b"algorithm", [b""])[0].lower() != b"md5-sess":
        raise AuthenticationError("a challenge without nonce or algorithm")
    if challenge.get(b"charset", [b"utf-8"])[0].lower() != b"utf-8":
        raise AuthenticationError("a challenge in a character set that is not UTF-8")
    # A list in quotes, separated by commas (section 2.1.1); without one `auth` is meant.
    qualities = b",".join(challenge.get(b"qop", [b"auth"])).split(b",")
    if b"auth" not in (quality.strip().lower() for quality in qualities):
        raise AuthenticationError("the server demands a security layer")
    return nonce


def _check_proof(answer: bytes, proof: bytes) -> None:
    import hmac

    shown_proof = parse_directives(answer).get(b"rspauth", [b""])[0]
    if not hmac.compare_digest(shown_proof, proof):
        raise AuthenticationError("the server does not know the password: its proof is wrong")


def _digest(session_key: bytes, nonces: bytes, second: bytes) -> bytes:
    return _hex_md5(b":".join((session_key, nonces, _hex_md5(second))))


def _on_the_wire(text: bytes, utf8: bool) -> bytes:
    """Return `text` as the server reads it: ISO 8859-1 where it does not offer UTF-8."""
    return text if utf8 else _for_digest(text, utf8)


def _for_digest(text: bytes, utf8: bool) -> bytes:
    """Return `text` as it is digested: ISO 8859-1 where that can say it (section 2.1.2.1)."""
    try:
        return text.decode("utf-8").encode("latin-1")
    except UnicodeDecodeError:
        return text
    except UnicodeEncodeError:
        if utf8:
            return text
    raise AuthenticationError("the server does not take UTF-8, which user or password need")


def _quoted(text: bytes) -> bytes:
    return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _hex_md5(octets: bytes) -> bytes:
    return _md5(octets).hex().encode("ascii")


def _md5(octets: bytes) -> bytes:
    """Return MD5 also where a policy of the machine forbids it for security."""
    import hashlib

    return hashlib.md5(octets, usedforsecurity=False).digest()
