"""GSSAPI with a context of our own in the place of Kerberos."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from pysendmail.smtp import AuthenticationError, PermanentError, UsageError
from pysendmail.smtp.sasl import Credentials, Parameters
from pysendmail.smtp.sasl.exchange import authenticate
from pysendmail.smtp.sasl.gssapi import Gssapi, GssapiProperties
from tests.helpers.script import drive
from tests.unit.smtp.kerberos import GssError, Package
from tests.unit.smtp.test_sasl_md5 import client, server

pytestmark = pytest.mark.usefixtures("kerberos")

ACCEPTOR = Parameters([(b"gssapi-acceptor", b"smtp@mx.example.com", True)])


def gssapi(authz: bytes = b"") -> Gssapi:
    return Gssapi(Credentials(authz=authz), ACCEPTOR)


BEGIN = ("C: AUTH GSSAPI dGlja2V0", server(b"proof"), "C: ")


@pytest.mark.parametrize("authz", [b"", b"mailer"])
@pytest.mark.parametrize("layers", [b"\1\0\0\0", b"\7\0\xff\xff", b"\3\1\2\3"])
def test_tickets_log_in_without_a_security_layer(authz: bytes, layers: bytes) -> None:
    mechanism = gssapi(authz)
    drive(
        authenticate(mechanism),
        *BEGIN, server(b"[" + layers + b"]"), client(b"[\1\0\0\0" + authz + b"]"), "S: 235 ok",
    )  # fmt: skip


def test_context_that_ends_with_a_token_of_ours_sends_it(kerberos: Package) -> None:
    kerberos.SecurityContext.last_token = b"last"
    drive(
        authenticate(gssapi()),
        *BEGIN[:2], client(b"last"), server(b"[\1\0\0\0]"), client(b"[\1\0\0\0]"), "S: 235 ok",
    )  # fmt: skip


def test_facts_of_the_context_are_kept() -> None:
    mechanism = gssapi()
    drive(
        authenticate(mechanism),
        *BEGIN, server(b"[\1\0\0\0]"), client(b"[\1\0\0\0]"), "S: 235 ok",
    )  # fmt: skip
    facts = mechanism.gssapi_props
    assert isinstance(facts, GssapiProperties)
    assert facts.mechanism == "1.2.840.113554.1.2.2"
    assert (facts.initiator, facts.acceptor) == ("me@EXAMPLE.COM", "smtp@mx.example.com")
    assert facts.flags == ("integrity", "mutual_authentication", "out_of_sequence_detection")
    assert facts.lifetime == 36000
    assert "me@EXAMPLE.COM -> smtp@mx.example.com" in repr(facts)


@pytest.mark.parametrize(
    ("offer", "reason"),
    [
        (b"[\6\0\0\0]", "demands a security layer"),
        (b"[\0\0\0\0]", "demands a security layer"),
        (b"[\1]", "demands a security layer"),
        (b"[]", "demands a security layer"),
        (b"\1\0\0\0", "tampered"),
    ],
)
def test_offer_without_the_choice_of_no_layer_is_cancelled(offer: bytes, reason: str) -> None:
    with pytest.raises(AuthenticationError, match=reason) as caught:
        drive(authenticate(gssapi()), *BEGIN, server(offer), "C: *", "S: 501 cancelled")
    assert caught.value.session_usable


def test_token_that_is_wrong_is_cancelled() -> None:
    with pytest.raises(AuthenticationError, match="tampered"):
        drive(authenticate(gssapi()), BEGIN[0], server(b"forged"), "C: *", "S: 501 cancelled")


def test_server_that_does_not_prove_itself_is_cancelled(kerberos: Package) -> None:
    kerberos.SecurityContext.proves = False
    with pytest.raises(AuthenticationError, match="not proved itself"):
        drive(authenticate(gssapi()), *BEGIN[:2], "C: *", "S: 501 cancelled")


@pytest.mark.parametrize("heard", [1, 3])
def test_success_before_the_end_is_not_believed(heard: int) -> None:
    with pytest.raises(AuthenticationError, match="before the end") as caught:
        drive(authenticate(gssapi()), *BEGIN[:heard], "S: 235 come in")
    assert not caught.value.session_usable


def test_refusal_is_the_servers_reply() -> None:
    with pytest.raises(PermanentError):
        drive(authenticate(gssapi()), BEGIN[0], "S: 535 who are you")


def test_without_tickets_nothing_is_sent(
    kerberos: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(self: Any, token: bytes | None = None) -> bytes:
        raise GssError("no Kerberos credentials available")

    monkeypatch.setattr(kerberos.SecurityContext, "step", step)
    with pytest.raises(AuthenticationError, match="no Kerberos credentials") as caught:
        drive(authenticate(gssapi()))
    assert caught.value.session_usable


def test_missing_package_is_told_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gssapi", None)
    with pytest.raises(UsageError, match="needs the package gssapi"):
        drive(authenticate(gssapi()))


def test_name_of_the_service_is_needed() -> None:
    with pytest.raises(UsageError, match="gssapi-acceptor"):
        Gssapi(Credentials())
