"""Every mechanism against a server that is honest, careless or hostile, step by step at its whim.

Whatever the server says: the login ends, in success or in an `SmtpError`; success needs 235 and, of
a mechanism in which the server proves itself, the proof; no trace shows what we answered.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from scramp import ScramException, ScramMechanism

from pysendmail.smtp import Client, SmtpError
from pysendmail.smtp.sasl import MECHANISMS, Credentials, Mechanism, Parameters
from pysendmail.smtp.sasl.digest_md5 import parse_directives
from tests.unit.smtp.kerberos import Package
from tests.unit.smtp.streams import Peer

CREDENTIALS = Credentials(b"mailer", b"correct horse", token=b"vF9dft4qmTc2Nvb3RlckBh")
BINDING = b"certificate"


class Honest:
    """A server of mechanisms without a proof: asks for whatever there is to be asked.

    `proof` is what it has to say to prove itself, once it knows that.
    """

    proof = b""

    def challenge(self, response: bytes) -> bytes:
        return b"<1896.697170952@postoffice>"


class HonestScram(Honest):
    """scramp; the proof is its signature."""

    def __init__(self, name: bytes, known: Any) -> None:
        binding = ("tls-server-end-point", BINDING) if name.endswith(b"-PLUS") else None
        self._server = ScramMechanism(name.decode()).make_server(lambda user: known, binding)
        self._messages = 0

    def challenge(self, response: bytes) -> bytes:
        self._messages += 1
        try:
            if self._messages == 1:
                self._server.set_client_first(response.decode())
                return bytes(self._server.get_server_first().encode())
            self._server.set_client_final(response.decode())
            self.proof = bytes(self._server.get_server_final().encode())
        except (ScramException, UnicodeDecodeError):
            return b"e=other-error"
        return self.proof


class HonestDigest(Honest):
    """RFC 2831 once more: the proof is a digest of what we have said, and the password."""

    def challenge(self, response: bytes) -> bytes:
        try:
            said = {name: values[0] for name, values in parse_directives(response).items()}
            nonces = [said[name] for name in (b"nonce", b"nc", b"cnonce", b"qop")]
            uri = said[b"digest-uri"]
        except (SmtpError, KeyError):
            return b'nonce="abc",qop="auth",algorithm=md5-sess,charset=utf-8'
        secret = b":".join((CREDENTIALS.user, said.get(b"realm", b""), CREDENTIALS.password))
        key = hexed(hashlib.md5(secret).digest() + b":" + nonces[0] + b":" + nonces[2])
        self.proof = hexed(b":".join((key, *nonces, hexed(b":" + uri))))
        return b"rspauth=" + self.proof


class HonestKerberos(Honest):
    """The fake of Kerberos: the proof is its first token, the offer comes after it."""

    def challenge(self, response: bytes) -> bytes:
        if self.proof:
            return b"[\1\0\0\0]"
        self.proof = b"proof"
        return self.proof


def hexed(octets: bytes) -> bytes:
    return hashlib.md5(octets).hexdigest().encode()


KNOWN = {
    name: ScramMechanism(name.decode()).make_auth_info("correct horse", salt=b"salt and pepper!")
    for name in MECHANISMS
    if name.startswith(b"SCRAM")
}


def honest_server(name: bytes) -> Honest:
    if name in KNOWN:
        return HonestScram(name, KNOWN[name])
    return {b"DIGEST-MD5": HonestDigest, b"GSSAPI": HonestKerberos}.get(name, Honest)()


REFUSALS = [b"535 no", b"534 weak", b"504 what", b"501 ok", b"454 later", b"432 change", b"421 bye"]
NONSENSE = [
    b"334", b"334 ", b"334 not base64", b"334 YQ", b"334-YQ==\r\n334 YQ==", b"250 ok", b"354 go",
    b"rubbish", b"999 x", b"",
]  # fmt: skip

Move = Callable[[Honest, bytes], bytes | Exception]


def honestly(server: Honest, response: bytes) -> bytes:
    return b"334 " + base64.b64encode(server.challenge(response))


def spoiled(position: int, octet: int) -> Move:
    def move(server: Honest, response: bytes) -> bytes:
        challenge = bytearray(server.challenge(response))
        challenge[position % len(challenge)] = octet
        return b"334 " + base64.b64encode(challenge)

    return move


def saying(line: bytes | Exception) -> Move:
    return lambda server, response: line


noise = st.binary(max_size=60).map(base64.b64encode).map(lambda text: saying(b"334 " + text))
lines = st.sampled_from([*REFUSALS, *NONSENSE, b"235 welcome"]).map(saying)
breaks = st.sampled_from([TimeoutError(), OSError("reset")]).map(saying)
forgeries = st.builds(spoiled, st.integers(0, 99), st.integers(0, 255)) | noise
welcome = saying(b"235 welcome")
moves = st.just(honestly) | st.just(welcome) | forgeries | lines | breaks
# Anything at all, or one false step in the middle of an honest conversation.
scripts = st.lists(moves, max_size=6) | st.builds(
    lambda honest, false: [*[honestly] * honest, false, welcome], st.integers(0, 3), forgeries
)


class Whimsical(Peer):
    """A peer that greets, and makes the next of `moves` on what we have said; then it hangs up."""

    def __init__(self, server: Honest, script: list[Move]) -> None:
        super().__init__()
        self.script = script
        self.server = server
        self.said: list[bytes] = []

    def read(self, size: int) -> bytes:
        if not self.writes:
            return b"220 mx\r\n"
        if not self.script:
            return b""
        words = self.writes[-1].split()
        # Behind AUTH and its mechanism, or alone on the line, is what we have to say.
        response = words[-1] if len(words) != 2 and words else b"="
        try:
            decoded = base64.b64decode(response)
        except ValueError:
            decoded = b""  # the star of a cancellation
        line = self.script.pop(0)(self.server, decoded)
        if isinstance(line, Exception):
            raise line
        self.said.append(line)
        return line + b"\r\n"


def made(name: bytes) -> Mechanism:
    parameters = Parameters(
        [(b"digest-uri", b"smtp/mx", False), (b"gssapi-acceptor", b"smtp@mx", False)]
    )
    return MECHANISMS[name](CREDENTIALS, parameters, binding=BINDING)


def heard(peer: Whimsical) -> bytes:
    """Return all challenges that could be read, one behind the other."""
    texts = [line[4:] for line in peer.said if line.startswith(b"334 ")]
    return b"".join(base64.b64decode(text) for text in texts if len(text) % 4 == 0)


def hidden(peer: Peer) -> set[bytes]:
    """Return what no trace may hold: the secrets, and each answer that has some length."""
    answers = {words[-1] for words in map(bytes.split, peer.writes) if len(words) != 2 and words}
    return {CREDENTIALS.password, CREDENTIALS.token} | {text for text in answers if len(text) > 3}


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("name", list(MECHANISMS))
@given(script=scripts)
@example(script=[honestly] * 20)
@example(script=[honestly, welcome])
@example(script=[honestly, honestly, welcome])
@example(script=[honestly, honestly, honestly, welcome])
def test_login_ends_in_success_or_in_an_error_of_ours(
    kerberos: Package, name: bytes, script: list[Move]
) -> None:
    mechanism = made(name)
    server = honest_server(name)
    peer = Whimsical(server, list(script))
    trace: list[bytes] = []
    client = Client(peer, peer, trace=lambda who, line: trace.append(line))
    try:
        client.auth(mechanism)
    except SmtpError as error:
        assert not client.authenticated
        assert client.broken is not error.session_usable
    else:
        assert client.authenticated
        assert peer.said[-1].startswith(b"235")
        assert not mechanism.mutual or (server.proof and server.proof in heard(peer))
    shown = b"\n".join(trace)
    assert not [secret for secret in hidden(peer) if secret in shown]


@pytest.mark.parametrize("name", list(MECHANISMS))
def test_honest_server_logs_us_in(kerberos: Package, name: bytes) -> None:
    waits = {
        b"PLAIN": 0, b"EXTERNAL": 0, b"OAUTHBEARER": 0, b"XOAUTH2": 0, b"CRAM-MD5": 1,
    }.get(name, 2)  # fmt: skip
    peer = Whimsical(honest_server(name), [*[honestly] * waits, welcome])
    client = Client(peer, peer)
    client.auth(made(name))
    assert client.authenticated


def test_cram_md5_digest_is_the_one_of_the_password() -> None:
    peer = Whimsical(Honest(), [honestly, welcome])
    Client(peer, peer).auth(made(b"CRAM-MD5"))
    digest = hmac.new(CREDENTIALS.password, Honest().challenge(b""), "md5").hexdigest()
    assert base64.b64decode(peer.writes[-1]) == b"mailer " + digest.encode()
