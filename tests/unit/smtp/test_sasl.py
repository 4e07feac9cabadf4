from __future__ import annotations

import pytest

from pysendmail.smtp import (
    AuthenticationError,
    PermanentError,
    ProtocolError,
    SmtpError,
    TransientError,
    UsageError,
)
from pysendmail.smtp.sasl import MECHANISMS, Credentials, Login, Mechanism, Plain
from pysendmail.smtp.sasl.exchange import MAX_ROUNDS, authenticate
from pysendmail.smtp.steps import Body, Secret
from tests.helpers.script import drive

TEST = Credentials(b"test", b"1234", authz=b"test")
USER = Credentials(b"user", b"pass")


def test_plain_is_the_vector_of_rfc_4954() -> None:
    reply = drive(
        authenticate(Plain(TEST)), "C: AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ=", "S: 235 welcome"
    )
    assert reply.code == 235


def test_login_answers_whatever_prompts_come() -> None:
    drive(
        authenticate(Login(USER)),
        "C: AUTH LOGIN", "S: 334 VXNlcm5hbWU6", "C: dXNlcg==", "S: 334", "C: cGFzcw==", "S: 235 ok",
    )  # fmt: skip


@pytest.mark.parametrize("prompt", ["S: 334", "S: 334 ", "S: 334 not base64 at all"])
def test_initial_response_too_long_for_a_line_waits_for_the_prompt(prompt: str) -> None:
    script = ["C: AUTH PLAIN", prompt, "C: " + "AHVzZXIA" + "eHh4" * 200, "S: 235 ok"]
    drive(authenticate(Plain(Credentials(b"user", b"x" * 600))), *script)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("S: 535 wrong", PermanentError),
        ("S: 534 too weak", PermanentError),
        ("S: 454 later", TransientError),
        ("S: 432 change your password", TransientError),
        ("S: 250 what", ProtocolError),
        ("S: 354 what", ProtocolError),
    ],
)
def test_refused_login_is_the_servers_reply(answer: str, error: type[SmtpError]) -> None:
    with pytest.raises(error):
        drive(authenticate(Plain(TEST)), "C: AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ=", answer)


@pytest.mark.parametrize("challenge", ["334 !!!", "334 YQ", "334 YQ==YQ==", "334-YQ==\r\n334 YQ=="])
@pytest.mark.parametrize(("answer", "usable"), [("S: 501 cancelled", True), ("S: 235 ha", False)])
def test_b13_challenge_that_makes_no_sense_is_cancelled(
    challenge: str, answer: str, usable: bool
) -> None:
    said = ["S: " + line for line in challenge.split("\r\n")]
    with pytest.raises(AuthenticationError) as caught:
        drive(authenticate(Login(USER)), "C: AUTH LOGIN", *said, "C: *", answer)
    assert caught.value.session_usable is usable


@pytest.mark.parametrize("end", ["S: <lost>", "S: <slow>"])
def test_reason_of_a_cancellation_is_told_also_when_the_server_hangs_up(end: str) -> None:
    with pytest.raises(AuthenticationError, match="not base64") as caught:
        drive(authenticate(Login(USER)), "C: AUTH LOGIN", "S: 334 !!!", "C: *", end)
    assert not caught.value.session_usable


def test_challenge_after_the_end_is_cancelled() -> None:
    with pytest.raises(AuthenticationError, match="after the end"):
        drive(
            authenticate(Plain(TEST)),
            "C: AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ=", "S: 334 YQ==", "C: *", "S: 501 ok",
        )  # fmt: skip


def test_success_before_the_end_is_not_believed() -> None:
    with pytest.raises(AuthenticationError, match="before the end") as caught:
        drive(authenticate(Login(USER)), "C: AUTH LOGIN", "S: 235 come in")
    assert not caught.value.session_usable


class Signing(Mechanism):
    """Wants a signature before it is content, as SCRAM does."""

    name = b"X-SIGNED"
    reveals_secret = False

    def exchange(self):
        signature = yield b""
        if signature != b"signed":
            raise AuthenticationError("no signature")
        yield b""


def test_mechanism_with_a_signature_acknowledges_it() -> None:
    drive(
        authenticate(Signing(USER)), "C: AUTH X-SIGNED =", "S: 334 c2lnbmVk", "C: ", "S: 235 ok"
    )


def test_success_without_the_signature_is_not_believed() -> None:
    with pytest.raises(AuthenticationError, match="no signature") as caught:
        drive(authenticate(Signing(USER)), "C: AUTH X-SIGNED =", "S: 235 come in")
    assert not caught.value.session_usable


def test_wrong_signature_is_cancelled() -> None:
    with pytest.raises(AuthenticationError, match="no signature"):
        drive(
            authenticate(Signing(USER)),
            "C: AUTH X-SIGNED =", "S: 334 Zm9yZ2Vk", "C: *", "S: 501 ok",
        )  # fmt: skip


class Endless(Mechanism):
    name = b"X-ENDLESS"

    def exchange(self):
        yield None
        while True:
            yield None


def test_rounds_are_bounded() -> None:
    with pytest.raises(ProtocolError, match="end"):
        drive(authenticate(Endless(USER)), "C: AUTH X-ENDLESS", *["S: 334 ", "C: "] * MAX_ROUNDS)


@pytest.mark.parametrize(
    ("mechanism", "credentials"),
    [
        (Plain, Credentials(b"", b"x")),
        (Plain, Credentials(b"x", b"")),
        (Plain, Credentials(b"a\0b", b"x")),
        (Plain, Credentials(b"a", b"x\0")),
        (Plain, Credentials(b"a", b"x", authz=b"\0")),
        (Login, Credentials(b"", b"x")),
        (Login, Credentials(b"a", b"x", authz=b"b")),
    ],
)
def test_credentials_a_mechanism_cannot_carry_are_refused(
    mechanism: type[Mechanism], credentials: Credentials
) -> None:
    with pytest.raises(UsageError):
        mechanism(credentials)


def test_table_names_each_mechanism_as_it_calls_itself() -> None:
    assert [MECHANISMS[name].name for name in MECHANISMS] == list(MECHANISMS)


def test_no_repr_shows_a_secret() -> None:
    assert "1234" not in repr(TEST)
    assert repr(Secret(b"AUTH PLAIN c2VjcmV0\r\n", shown=10)) == "Secret(b'AUTH PLAIN'...)"
    assert repr(Body(b"private")) == "Body(7 octets)"
