from __future__ import annotations

import base64
import hmac
from typing import Any

import pytest
from scramp import ScramException, ScramMechanism

from pysendmail.smtp import AuthenticationError, PermanentError, UsageError
from pysendmail.smtp.sasl import MECHANISMS, Credentials, Parameters
from pysendmail.smtp.sasl.exchange import authenticate
from pysendmail.smtp.sasl.scram import MAX_ITERATIONS, Scram
from tests.helpers.script import drive

PENCIL = Credentials(b"user", b"pencil")
NAMES = [b"SCRAM-SHA-1", b"SCRAM-SHA-256"]
ALL_NAMES = [*NAMES, b"SCRAM-SHA-1-PLUS", b"SCRAM-SHA-256-PLUS"]
BINDING = bytes(range(32))

# name -> our nonce, the server's first message, our proof, the server's signature
VECTORS = {
    b"SCRAM-SHA-1": (  # RFC 5802 section 5
        b"fyko+d2lbbFgONRv9qkxdawL",
        b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        b"v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ),
    b"SCRAM-SHA-256": (  # RFC 7677 section 3
        b"rOprNGfwEbeRWgbNEkqO",
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ),
}


def base64_of(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def made(
    name: bytes, credentials: Credentials = PENCIL, nonce: bytes = b"", **more: Any
) -> Scram:
    mechanism = MECHANISMS[name](credentials, Parameters([(b"nonce", nonce, True)]), **more)
    assert isinstance(mechanism, Scram)
    return mechanism


def vector_script(name: bytes, *after_proof: str) -> list[str]:
    """Return the conversation of a vector up to our proof, and then what is given."""
    nonce, server_first, proof, _ = VECTORS[name]
    whole_nonce = server_first.split(b",")[0]
    return [
        f"C: AUTH {name.decode()} " + base64_of(b"n,,n=user,r=" + nonce),
        "S: 334 " + base64_of(server_first),
        "C: " + base64_of(b"c=biws," + whole_nonce + b",p=" + proof),
        *after_proof,
    ]


@pytest.mark.parametrize("name", NAMES)
def test_vector_of_the_rfc(name: bytes) -> None:
    nonce, _, _, signature = VECTORS[name]
    end = ("S: 334 " + base64_of(signature), "C: ", "S: 235 welcome")
    drive(authenticate(made(name, nonce=nonce)), *vector_script(name, *end))


def test_extensions_of_the_servers_messages_are_passed_over() -> None:
    nonce, server_first, _, _ = VECTORS[b"SCRAM-SHA-1"]
    run = made(b"SCRAM-SHA-1", nonce=nonce).exchange()
    next(run)
    assert (run.send(server_first + b",x=unheard") or b"").startswith(b"c=biws,r=")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", ["welcome", "rmF9pqV8S7suAoZWja4dJRkFsKQ="])
def test_success_without_the_signature_is_not_believed(name: bytes, text: str) -> None:
    with pytest.raises(AuthenticationError, match="before the end") as caught:
        drive(
            authenticate(made(name, nonce=VECTORS[name][0])), *vector_script(name, f"S: 235 {text}")
        )
    assert not caught.value.session_usable


def test_success_before_the_first_message_is_not_believed() -> None:
    with pytest.raises(AuthenticationError, match="before the end") as caught:
        drive(
            authenticate(made(b"SCRAM-SHA-1", nonce=b"abc")),
            "C: AUTH SCRAM-SHA-1 " + base64_of(b"n,,n=user,r=abc"), "S: 235 come in",
        )  # fmt: skip
    assert not caught.value.session_usable


@pytest.mark.parametrize(
    "final",
    [
        VECTORS[b"SCRAM-SHA-256"][3],
        b"v=",
        b"v=AAAA",
        b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ",
        b"v=!!!",
        b"",
        b"x=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        b"rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ],
)
def test_wrong_signature_is_cancelled(final: bytes) -> None:
    script = vector_script(
        b"SCRAM-SHA-1", "S: 334 " + base64_of(final), "C: *", "S: 501 cancelled"
    )
    with pytest.raises(AuthenticationError) as caught:
        drive(authenticate(made(b"SCRAM-SHA-1", nonce=VECTORS[b"SCRAM-SHA-1"][0])), *script)
    assert caught.value.session_usable


def test_b23_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def compare(shown: bytes, right: bytes) -> bool:
        compared.append((shown, right))
        return shown == right

    monkeypatch.setattr(hmac, "compare_digest", compare)
    nonce, _, _, signature = VECTORS[b"SCRAM-SHA-1"]
    end = ("S: 334 " + base64_of(signature), "C: ", "S: 235 welcome")
    drive(authenticate(made(b"SCRAM-SHA-1", nonce=nonce)), *vector_script(b"SCRAM-SHA-1", *end))
    assert compared == [(base64.b64decode(signature[2:]),) * 2]


def test_wrong_password_is_the_servers_refusal_with_its_reason() -> None:
    script = vector_script(
        b"SCRAM-SHA-1",
        "S: 334 " + base64_of(b"e=invalid-proof"), "C: ", "S: 535 5.7.8 no",
    )  # fmt: skip
    with pytest.raises(PermanentError, match=r"535 5.7.8 no \(invalid-proof\)"):
        drive(authenticate(made(b"SCRAM-SHA-1", nonce=VECTORS[b"SCRAM-SHA-1"][0])), *script)


@pytest.mark.parametrize("answer", ["S: 235 come in", "S: 334 "])
def test_only_a_refusal_may_follow_the_servers_complaint(answer: str) -> None:
    cancel = ["C: *", "S: 501 ok"] if answer == "S: 334 " else []
    with pytest.raises(AuthenticationError, match="went on after its complaint: unknown-user"):
        drive(
            authenticate(made(b"SCRAM-SHA-1", nonce=b"abc")),
            "C: AUTH SCRAM-SHA-1 " + base64_of(b"n,,n=user,r=abc"),
            "S: 334 " + base64_of(b"e=unknown-user"), "C: ", answer, *cancel,
        )  # fmt: skip


def test_complaint_of_an_earlier_run_is_forgotten() -> None:
    mechanism = made(b"SCRAM-SHA-1", nonce=b"abc")
    first = "C: AUTH SCRAM-SHA-1 " + base64_of(b"n,,n=user,r=abc")
    complaint = "S: 334 " + base64_of(b"e=unknown-user")
    with pytest.raises(PermanentError, match="unknown-user"):
        drive(authenticate(mechanism), first, complaint, "C: ", "S: 535 no")
    with pytest.raises(PermanentError) as caught:
        drive(authenticate(mechanism), first, "S: 535 no")
    assert caught.value.detail == ""


# --- what the server's first message may ask for


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"r=abcX,s=AAAA,i=4095", "4095 iterations"),
        (b"r=abcX,s=AAAA,i=1", "1 iterations"),
        (b"r=abcX,s=AAAA,i=0", "0 iterations"),
        (b"r=abcX,s=AAAA,i=-4096", "-4096 iterations"),
        (b"r=abcX,s=AAAA,i=", "iterations"),
        (b"r=abcX,s=AAAA,i=4096x", "4096x iterations"),
        (b"r=abcX,s=AAAA,i=%d" % (MAX_ITERATIONS + 1), f"{MAX_ITERATIONS + 1} iterations"),
        (b"r=abcX,s=AAAA,i=" + b"9" * 5000, "iterations"),
    ],
)
def test_b23_iterations_are_bounded_below_and_above(message: bytes, reason: str) -> None:
    check_cancelled(message, reason)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"r=abc,s=AAAA,i=4096", "does not extend"),
        (b"r=ab,s=AAAA,i=4096", "does not extend"),
        (b"r=xyzabc,s=AAAA,i=4096", "does not extend"),
        (b"r=,s=AAAA,i=4096", "does not extend"),
        (b"r=abcX,s=,i=4096", "no salt"),
        (b"r=abcX,s=AAA,i=4096", "not base64"),
        (b"r=abcX,s=A AAA,i=4096", "not base64"),
        (b"m=unheard,r=abcX,s=AAAA,i=4096", "demands an extension"),
        (b"s=AAAA,r=abcX,i=4096", "not SCRAM's"),
        (b"r=abcX,s=AAAA", "not SCRAM's"),
        (b"", "not SCRAM's"),
        (b"\xff" * 100, "not SCRAM's"),
    ],
)
def test_first_message_that_is_not_as_it_must_be_is_cancelled(message: bytes, reason: str) -> None:
    check_cancelled(message, reason)


def check_cancelled(message: bytes, reason: str) -> None:
    with pytest.raises(AuthenticationError, match=reason) as caught:
        drive(
            authenticate(made(b"SCRAM-SHA-256", nonce=b"abc")),
            "C: AUTH SCRAM-SHA-256 " + base64_of(b"n,,n=user,r=abc"),
            "S: 334 " + base64_of(message), "C: *", "S: 501 cancelled",
        )  # fmt: skip
    assert caught.value.session_usable


# --- names, nonces, channel binding


def first_of(mechanism: Scram) -> bytes:
    return next(mechanism.exchange()) or b""


@pytest.mark.parametrize(
    ("name", "binding", "plus_offered", "header"),
    [
        (b"SCRAM-SHA-1", b"", True, b"n,,"),
        (b"SCRAM-SHA-1", b"", False, b"n,,"),
        (b"SCRAM-SHA-1", BINDING, True, b"n,,"),
        (b"SCRAM-SHA-1", BINDING, False, b"y,,"),
        (b"SCRAM-SHA-256", BINDING, True, b"n,,"),
        (b"SCRAM-SHA-256", BINDING, False, b"y,,"),
        (b"SCRAM-SHA-1-PLUS", BINDING, True, b"p=tls-server-end-point,,"),
        (b"SCRAM-SHA-256-PLUS", BINDING, True, b"p=tls-server-end-point,,"),
    ],
)
def test_header_tells_what_we_know_of_channel_binding(
    name: bytes, binding: bytes, plus_offered: bool, header: bytes
) -> None:
    mechanism = made(name, nonce=b"abc", binding=binding, plus_offered=plus_offered)
    assert first_of(mechanism) == header + b"n=user,r=abc"


@pytest.mark.parametrize("name", [b"SCRAM-SHA-1-PLUS", b"SCRAM-SHA-256-PLUS"])
def test_b22_plus_without_binding_data_is_refused(name: bytes) -> None:
    with pytest.raises(UsageError, match="channel binding needs TLS"):
        made(name)


def test_names_are_escaped() -> None:
    mechanism = made(b"SCRAM-SHA-1", Credentials(b"a,b=c", b"p", authz=b"=,"), nonce=b"abc")
    assert first_of(mechanism) == b"n,a==3D=2C,n=a=2Cb=3Dc,r=abc"


def test_nonce_is_made_of_random_octets() -> None:
    mechanism = made(b"SCRAM-SHA-1", random=lambda octets: b"\0" * octets)
    assert first_of(mechanism) == b"n,,n=user,r=" + b"A" * 24
    nonces = {first_of(made(b"SCRAM-SHA-1")) for _ in range(20)}
    assert len(nonces) == 20


@pytest.mark.parametrize("nonce", [b"a,b", b"a b", b"\x7f", b"\xe4"])
def test_nonce_that_would_break_the_message_is_refused(nonce: bytes) -> None:
    with pytest.raises(UsageError, match="nonce"):
        made(b"SCRAM-SHA-1", nonce=nonce)


@pytest.mark.parametrize(
    "credentials",
    [
        Credentials(b"", b"p"),
        Credentials(b"u", b""),
        Credentials(b"u\0", b"p"),
        Credentials(b"u", b"p", authz=b"\0"),
        Credentials(token=b"token"),
    ],
)
def test_credentials_it_cannot_carry_are_refused(credentials: Credentials) -> None:
    with pytest.raises(UsageError):
        made(b"SCRAM-SHA-1", credentials)


def test_user_name_is_prepared() -> None:
    credentials = Credentials("I\u00adX\u00aa".encode(), b"p", authz="\u2168".encode())
    mechanism = made(b"SCRAM-SHA-1", credentials, nonce=b"abc")
    assert first_of(mechanism) == b"n,a=IX,n=IXa,r=abc"


@pytest.mark.parametrize("user", [b"\xff", "\u0627\u0031".encode(), "x\u200e".encode()])
def test_user_name_that_saslprep_prohibits_is_refused_before_anything_is_sent(user: bytes) -> None:
    with pytest.raises(UsageError, match="cannot be used"):
        drive(authenticate(made(b"SCRAM-SHA-1", Credentials(user, b"p"))))


# --- against an independent implementation


class Server:
    """scramp as the server: knows one user, and its own channel binding."""

    def __init__(self, name: bytes, password: str, binding: bytes = b"") -> None:
        mechanism = ScramMechanism(name.decode())
        known = mechanism.make_auth_info(password)
        self._server = mechanism.make_server(
            lambda user: known, ("tls-server-end-point", binding) if binding else None
        )

    def talk(self, mechanism: Scram) -> bool:
        """Run the mechanism to its end; return True when both sides are content."""
        run = mechanism.exchange()
        try:
            self._server.set_client_first((next(run) or b"").decode())
            answer = run.send(self._server.get_server_first().encode())
            self._server.set_client_final((answer or b"").decode())
        except ScramException:
            return False
        assert run.send(self._server.get_server_final().encode()) == b""
        with pytest.raises(StopIteration):
            run.send(None)
        return True


@pytest.mark.parametrize("name", ALL_NAMES)
def test_scramp_believes_us_and_we_believe_scramp(name: bytes) -> None:
    server = Server(name, "pencil", BINDING if name.endswith(b"PLUS") else b"")
    assert server.talk(made(name, binding=BINDING))


@pytest.mark.parametrize("name", ALL_NAMES)
def test_scramp_refuses_a_wrong_password(name: bytes) -> None:
    server = Server(name, "pen", BINDING if name.endswith(b"PLUS") else b"")
    assert not server.talk(made(name, binding=BINDING))


@pytest.mark.parametrize("name", [b"SCRAM-SHA-1-PLUS", b"SCRAM-SHA-256-PLUS"])
def test_scramp_refuses_another_channel(name: bytes) -> None:
    assert not Server(name, "pencil", BINDING[::-1]).talk(made(name, binding=BINDING))


def test_scramp_notices_a_list_of_mechanisms_that_was_cut_short() -> None:
    server = Server(b"SCRAM-SHA-256", "pencil", BINDING)
    assert not server.talk(made(b"SCRAM-SHA-256", binding=BINDING, plus_offered=False))


@pytest.mark.parametrize("password", ["pass\u00adword", "\u2168\u00e4", "\u0639\u0631\u0628"])
def test_scramp_prepares_passwords_as_we_do(password: str) -> None:
    credentials = Credentials(b"user", password.encode())
    assert Server(b"SCRAM-SHA-256", password).talk(made(b"SCRAM-SHA-256", credentials))


def test_password_that_saslprep_prohibits_is_used_as_it_is() -> None:
    # The octets of a password in Latin-1: a server that prepares nothing has it like that.
    mechanism = made(b"SCRAM-SHA-256", Credentials(b"user", b"p\xe4ss"), nonce=b"abc")
    run = mechanism.exchange()
    next(run)
    assert run.send(b"r=abcX,s=QSXCR+Q6sek8bf92,i=4096")
