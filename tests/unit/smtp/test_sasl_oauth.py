"""OAUTHBEARER, XOAUTH2, and EXTERNAL, which needs no password either."""

from __future__ import annotations

import base64
import json

import pytest

from pysendmail.smtp import AuthenticationError, PermanentError, UsageError
from pysendmail.smtp.sasl import Credentials
from pysendmail.smtp.sasl.exchange import authenticate
from pysendmail.smtp.sasl.external import External
from pysendmail.smtp.sasl.oauth import Bearer, OAuthBearer, XOAuth2
from tests.helpers.script import drive

TOKEN = b"vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="
USER = Credentials(b"user@example.com", token=TOKEN)
FIRST = {
    OAuthBearer: b"n,a=user@example.com,\1auth=Bearer " + TOKEN + b"\1\1",
    XOAuth2: b"user=user@example.com\1auth=Bearer " + TOKEN + b"\1\1",
}
ACKNOWLEDGEMENT = {OAuthBearer: "C: AQ==", XOAuth2: "C: "}
BOTH = [OAuthBearer, XOAuth2]


def base64_of(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def auth(mechanism: type[Bearer]) -> str:
    return f"C: AUTH {mechanism.name.decode()} {base64_of(FIRST[mechanism])}"


@pytest.mark.parametrize("mechanism", BOTH)
def test_token_is_shown_at_once(mechanism: type[Bearer]) -> None:
    drive(authenticate(mechanism(USER)), auth(mechanism), "S: 235 welcome")


def test_long_token_waits_for_the_servers_prompt() -> None:
    token = b"x" * 2000
    first = b"user=u\1auth=Bearer " + token + b"\1\1"
    drive(
        authenticate(XOAuth2(Credentials(b"u", token=token))),
        "C: AUTH XOAUTH2", "S: 334 ", "C: " + base64_of(first), "S: 235 ok",
    )  # fmt: skip


@pytest.mark.parametrize("mechanism", BOTH)
@pytest.mark.parametrize(
    ("complaint", "told"),
    [
        (
            b'{"status":"invalid_token","scope":"mail","openid-configuration":"https://x/y"}',
            "status: invalid_token; scope: mail; openid-configuration: https://x/y",
        ),
        (
            b'{"status":"401","schemes":"Bearer","scope":"https://mail.google.com/"}',
            "status: 401; schemes: Bearer; scope: https://mail.google.com/",
        ),
        (b'{"status":"a\\nb\\u001b[2J"}', r"status: a b\x1b[2J"),
        (b'{"status":"\\ud800"}', r"status: \ud800"),
        (b"{}", "without a reason"),
        (b'{"status":7}', "without a reason"),
        (b"[]", "not readable"),
        (b"", "not readable"),
        (b"\xff", "not readable"),
        (b"[" * 9000, "not readable"),
        (json.dumps({"status": "x" * 9000}).encode(), "status: " + "x" * 200 + ")"),
        (json.dumps({"status": TOKEN.decode()}).encode(), "(status: ***)"),
        (b'{"status":"' + b"\\u0076" + TOKEN[1:] + b'"}', "(status: ***)"),
    ],
)
def test_refused_token_is_told_with_the_servers_reason_and_not_with_the_token(
    mechanism: type[Bearer], complaint: bytes, told: str
) -> None:
    script = [auth(mechanism), "S: 334 " + base64_of(complaint), ACKNOWLEDGEMENT[mechanism]]
    with pytest.raises(PermanentError) as caught:
        drive(authenticate(mechanism(USER)), *script, "S: 535 5.7.8 no")
    assert "AUTH was answered 535 5.7.8 no (" in str(caught.value)
    assert told in str(caught.value)
    assert TOKEN.decode() not in str(caught.value)


@pytest.mark.parametrize("mechanism", BOTH)
def test_success_after_a_complaint_is_not_believed(mechanism: type[Bearer]) -> None:
    script = [auth(mechanism), "S: 334 " + base64_of(b'{"status":"bad"}')]
    with pytest.raises(AuthenticationError, match="status: bad") as caught:
        drive(authenticate(mechanism(USER)), *script, ACKNOWLEDGEMENT[mechanism], "S: 235 ok")
    assert not caught.value.session_usable


def test_long_token_that_the_server_echoes_is_not_told_in_part() -> None:
    token = b"secret" * 60
    run = XOAuth2(Credentials(b"u", token=token))
    exchange = run.exchange()
    next(exchange)
    assert exchange.send(json.dumps({"status": "bad: " + token.decode()}).encode()) == b""
    assert run.complaint == "status: bad: ***"


@pytest.mark.parametrize(
    ("credentials", "head"),
    [
        (Credentials(token=TOKEN), b"n,,\1"),
        (Credentials(b"a,b=c", token=TOKEN), b"n,a=a=2Cb=3Dc,\1"),
        (Credentials(b"user", authz=b"boss", token=TOKEN), b"n,a=boss,\1"),
    ],
)
def test_oauthbearer_names_whom_we_act_as(credentials: Credentials, head: bytes) -> None:
    assert (next(OAuthBearer(credentials).exchange()) or b"").startswith(head + b"auth=Bearer ")


@pytest.mark.parametrize(
    ("mechanism", "credentials"),
    [
        (OAuthBearer, Credentials(b"u", b"password")),
        (OAuthBearer, Credentials(b"u", token=b"a b")),
        (OAuthBearer, Credentials(b"u", token=b"a\1")),
        (OAuthBearer, Credentials(b"u", token="ä".encode())),
        (OAuthBearer, Credentials(b"u\1", token=b"t")),
        (OAuthBearer, Credentials(b"u", authz=b"\1", token=b"t")),
        (XOAuth2, Credentials(b"u\1", token=b"t")),
        (XOAuth2, Credentials(token=b"t")),
        (XOAuth2, Credentials(b"u", authz=b"boss", token=b"t")),
    ],
)
def test_credentials_they_cannot_carry_are_refused(
    mechanism: type[Bearer], credentials: Credentials
) -> None:
    with pytest.raises(UsageError):
        mechanism(credentials)


@pytest.mark.parametrize(("authz", "initial"), [(b"", "="), (b"mailer", "bWFpbGVy")])
def test_external_names_whom_we_act_as(authz: bytes, initial: str) -> None:
    drive(
        authenticate(External(Credentials(authz=authz))), f"C: AUTH EXTERNAL {initial}", "S: 235 ok"
    )


def test_external_refuses_nul() -> None:
    with pytest.raises(UsageError):
        External(Credentials(authz=b"\0"))
