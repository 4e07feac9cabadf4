"""SCRAM: both sides prove that they know the password, and neither sends it (RFC 5802, RFC 7677).

Guarantees: the server's signature is compared in constant time, and without it no success is
believed. The header tells the server what we know of channel binding: `p` with a -PLUS mechanism,
`y` where we could bind and the server lists none, so that it notices a list that was cut short on
the way, and `n` otherwise; never `y` to a server that does list one (RFC 5802 section 6).

SASLprep: a user name that it prohibits is refused, as section 5.1 asks for. A password that it
prohibits is used as it is: it never travels, and servers that prepare nothing have it like that.
"""

from __future__ import annotations

from binascii import Error as Undecodable
from binascii import a2b_base64, b2a_base64

from ..errors import AuthenticationError, UsageError, shown
from .mechanism import Mechanism, expected
from .names import escaped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .mechanism import Exchange

# RFC 7677 section 4 has this minimum; fewer make the password cheap to guess for who plays server.
MIN_ITERATIONS = 4096
# About 1.5 seconds of one processor, and four times what is recommended for SHA-1 today. Without a
# bound a hostile server would have us count for hours, deaf to the deadline.
MAX_ITERATIONS = 5_000_000

NONCE_OCTETS = 18


class Scram(Mechanism):
    """What the four mechanisms have in common."""

    hash_name = ""
    plus = False
    reveals_secret = False
    mutual = True
    binds = True
    obeyed = Mechanism.obeyed | {b"nonce"}

    def check(self) -> None:
        """Refuse to bind to nothing, and names and nonces that would break the messages."""
        super().check()
        if self.plus and not self.binding:
            raise UsageError("channel binding needs TLS, and a certificate of the server")
        if b"\0" in self.credentials.user + self.credentials.authz:
            raise UsageError("NUL in a user name")
        nonce = self.parameters.get(b"nonce")
        if not all(0x21 <= octet <= 0x7E and octet != 0x2C for octet in nonce):
            raise UsageError("a nonce is printable ASCII without a comma")

    def exchange(self) -> Exchange:
        """Name the user, prove the password, check the server's proof."""
        header = self._gs2_header()
        nonce = self.parameters.get(b"nonce") or _base64(self.random(NONCE_OCTETS))
        first = b"n=" + escaped(_prepared_name(self.credentials.user)) + b",r=" + nonce
        server_first = expected((yield header + first))
        if server_first.startswith(b"e="):
            yield from self.answer_complaint(shown(server_first[2:102]), b"")
        whole_nonce, salt, iterations = parse_server_first(server_first, nonce)
        bound = _base64(header + (self.binding if self.plus else b""))
        final = b"c=" + bound + b",r=" + whole_nonce
        conversation = b",".join((first, server_first, final))
        proof, signature = self._prove(salt, iterations, conversation)
        server_final = expected((yield final + b",p=" + _base64(proof)))
        if server_final.startswith(b"e="):
            yield from self.answer_complaint(shown(server_final[2:102]), b"")
        _check_signature(server_final, signature)
        yield b""

    def _gs2_header(self) -> bytes:
        if self.plus:
            flag = b"p=tls-server-end-point"
        else:
            flag = b"y" if self.binding and not self.plus_offered else b"n"
        authz = self.credentials.authz
        return flag + (b",a=" + escaped(_prepared_name(authz)) if authz else b",") + b","

    def _prove(self, salt: bytes, iterations: int, conversation: bytes) -> tuple[bytes, bytes]:
        """Return our proof and the signature that the server has to show (RFC 5802 section 3)."""
        import hashlib
        import hmac

        password = _prepared_password(self.credentials.password)
        salted = hashlib.pbkdf2_hmac(self.hash_name, password, salt, iterations)
        client_key = hmac.digest(salted, b"Client Key", self.hash_name)
        stored_key = hashlib.new(self.hash_name, client_key).digest()
        client_signature = hmac.digest(stored_key, conversation, self.hash_name)
        proof = bytes(a ^ b for a, b in zip(client_key, client_signature, strict=True))
        server_key = hmac.digest(salted, b"Server Key", self.hash_name)
        return proof, hmac.digest(server_key, conversation, self.hash_name)


class ScramSha1(Scram):
    """The mechanism SCRAM-SHA-1."""

    name = b"SCRAM-SHA-1"
    hash_name = "sha1"


class ScramSha256(Scram):
    """The mechanism SCRAM-SHA-256."""

    name = b"SCRAM-SHA-256"
    hash_name = "sha256"


class ScramSha1Plus(ScramSha1):
    """The mechanism SCRAM-SHA-1-PLUS, bound to the certificate of the TLS session."""

    name = b"SCRAM-SHA-1-PLUS"
    plus = True


class ScramSha256Plus(ScramSha256):
    """The mechanism SCRAM-SHA-256-PLUS, bound to the certificate of the TLS session."""

    name = b"SCRAM-SHA-256-PLUS"
    plus = True


def parse_server_first(message: bytes, nonce: bytes) -> tuple[bytes, bytes, int]:
    """Return nonce, salt and iterations of the server's first message.

    Raises `AuthenticationError` for one that is malformed, or that asks for too much or too little.
    """
    parts = message.split(b",")  # what follows the third is optional and unknown to us
    names = [part[:2] for part in parts[:3]]
    if names[0] == b"m=":
        raise AuthenticationError("the server demands an extension of SCRAM")
    if names != [b"r=", b"s=", b"i="]:
        raise AuthenticationError("a first message that is not SCRAM's")
    whole_nonce, encoded_salt, count = (part[2:] for part in parts[:3])
    if not whole_nonce.startswith(nonce) or len(whole_nonce) == len(nonce):
        raise AuthenticationError("the server's nonce does not extend ours")
    salt = _decoded(encoded_salt)
    if not salt:
        raise AuthenticationError("the server gives no salt")
    iterations = int(count) if count.isdigit() and len(count) < 10 else 0
    if not MIN_ITERATIONS <= iterations <= MAX_ITERATIONS:
        raise AuthenticationError(
            f"{shown(count[:20])} iterations, where {MIN_ITERATIONS} to {MAX_ITERATIONS} are fit"
        )
    return whole_nonce, salt, iterations


def _check_signature(message: bytes, signature: bytes) -> None:
    import hmac

    verifier = message.split(b",", 1)[0]  # extensions may follow
    if not verifier.startswith(b"v="):
        raise AuthenticationError("a final message that is not SCRAM's")
    if not hmac.compare_digest(_decoded(verifier[2:]), signature):
        raise AuthenticationError("the server does not know the password: its signature is wrong")


def _prepared_name(name: bytes) -> bytes:
    if name.isascii():
        return name
    from .saslprep import saslprep

    try:
        return saslprep(name)
    except UsageError as error:
        raise UsageError(f"the user name {shown(name)} cannot be used: {error}") from None


def _prepared_password(password: bytes) -> bytes:
    if password.isascii():
        return password
    from .saslprep import saslprep

    try:
        return saslprep(password)
    except UsageError:
        return password


def _base64(octets: bytes) -> bytes:
    return b2a_base64(octets, newline=False)


def _decoded(text: bytes) -> bytes:
    try:
        return a2b_base64(text, strict_mode=True)
    except Undecodable:
        raise AuthenticationError("a value that is not base64") from None
