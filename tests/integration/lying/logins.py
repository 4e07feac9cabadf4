"""Rows 4, 5 and 12: TLS, logins by the vectors of their RFCs and by none, what a trace shows."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from pysendmail.smtp import (
    AuthenticationError,
    Client,
    Credentials,
    MissingExtension,
    PermanentError,
    ProtocolError,
    TimedOut,
    TlsError,
    TransientError,
)
from tests.helpers.lying_server import Step, drip, hear, say, send, stall, turn_to_tls
from tests.integration.lying.case import PASSWORD, USER, Case, Seen, hello, login, secured

STARTTLS = [*hello("STARTTLS", "AUTH PLAIN"), hear()]
SECRETS = [PASSWORD, base64.b64encode(PASSWORD), base64.b64encode(b"\0" + USER + b"\0" + PASSWORD)]


def untold(seen: Seen) -> bool:
    """No secret has left us."""
    return not any(secret in seen.octets for secret in SECRETS)


LOGGED_IN: dict[str, Any] = {"user": USER, "creds": [(b"password", PASSWORD)]}

TLS = [
    Case(
        4, "AUTH changes",
        [*STARTTLS, say("220 go"), turn_to_tls(), hear(), say("250-mx", "250 AUTH LOGIN"), hear()],
        secured(), holds=lambda seen: seen.result.auth_mechanisms == (b"LOGIN",),
    ),
    Case(
        4, "454", [*STARTTLS, say("454 no key"), hear()], secured(**LOGGED_IN), TransientError,
        untold,
    ),
    Case(
        4, "injected behind 220", [*STARTTLS, say("220 go", "250-mx", "250 AUTH PLAIN"), stall()],
        secured(**LOGGED_IN), ProtocolError, untold,
    ),
    Case(
        4, "injected late", [*STARTTLS, send(b"220 go\r\n"), drip(b"250 mx\r\n" * 4), stall()],
        secured(**LOGGED_IN), (ProtocolError, TlsError), untold,
    ),
    Case(
        4, "no handshake", [*STARTTLS, say("220 go"), hear(), say("500 what?"), stall()],
        secured(**LOGGED_IN), TlsError, untold,
    ),
    Case(
        4, "silence in the handshake", [*STARTTLS, say("220 go"), stall()],
        secured(**LOGGED_IN), TimedOut, untold, tls=0.3,
    ),
    Case(
        4, "not offered", [*hello("AUTH PLAIN"), hear()], secured(**LOGGED_IN), MissingExtension,
        lambda seen: untold(seen) and seen.heard == [b"EHLO me"],
    ),
    Case(
        4, "HELO only", [say("220 mx"), hear(), say("502 what?"), hear(), say("250 mx"), hear()],
        secured(**LOGGED_IN), MissingExtension, untold,
    ),
]  # fmt: skip


def challenge(text: bytes) -> Step:
    return say(b"334 " + base64.b64encode(text))


def answered(*answers: bytes) -> Callable[[Seen], bool]:
    """What we have said behind EHLO was this, encoded."""

    def holds(seen: Seen) -> bool:
        first, *rest = seen.heard[1 : 1 + len(answers)]
        texts = [first.split(b" ", 1)[1], *(base64.b64decode(line) for line in rest)]
        mechanism, _, initial = texts[0].partition(b" ")
        said = mechanism + (b" " + base64.b64decode(initial) if initial else b"")
        return [said, *texts[1:]] == list(answers)

    return holds


START = [*hello(), hear()]
ACCEPTED = say("235 welcome")
SCRAM_1 = b"fyko+d2lbbFgONRv9qkxdawL"
SCRAM_1_WHOLE = SCRAM_1 + b"3rfcNHYJY1ZVvWVs7j"
SCRAM_1_FIRST = b"r=" + SCRAM_1_WHOLE + b",s=QSXCR+Q6sek8bf92,i=4096"
SCRAM_256 = b"rOprNGfwEbeRWgbNEkqO"
SCRAM_256_WHOLE = SCRAM_256 + b"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
PENCIL = Credentials(b"user", b"pencil")
BEARER = Credentials(b"user@example.com", token=b"vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==")

VECTORS = [
    Case(  # RFC 4954 section 4.1
        5, "PLAIN", [*START, ACCEPTED], login("PLAIN", Credentials(b"test", b"1234", b"test")),
        holds=lambda seen: seen.heard[1] == b"AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ=",
    ),
    Case(
        5, "LOGIN",
        [*START, challenge(b"Username:"), hear(), challenge(b"Password:"), hear(), ACCEPTED],
        login("LOGIN"), holds=answered(b"LOGIN", USER, PASSWORD),
    ),
    Case(  # RFC 2195
        5, "CRAM-MD5",
        [*START, challenge(b"<1896.697170952@postoffice.reston.mci.net>"), hear(), ACCEPTED],
        login("CRAM-MD5", Credentials(b"tim", b"tanstaaftanstaaf")),
        holds=answered(b"CRAM-MD5", b"tim b913a602c7eda7a495b4e6e7334d3890"),
    ),
    Case(  # RFC 2831 section 4
        5, "DIGEST-MD5",
        [*START,
         challenge(b'realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",'
                   b"algorithm=md5-sess,charset=utf-8"),
         hear(), challenge(b"rspauth=ea40f60335c427b5527b84dbabcdfffd"), hear(), ACCEPTED],
        login("DIGEST-MD5", Credentials(b"chris", b"secret"),
              digest_uri=b"imap/elwood.innosoft.com", cnonce=b"OA6MHXh6VqTrRk"),
        holds=lambda seen: (
            b"response=d388dad90d4bbd760a152321f2143af7" in base64.b64decode(seen.heard[2])
        ),
    ),
    Case(  # RFC 5802 section 5
        5, "SCRAM-SHA-1",
        [*START, challenge(SCRAM_1_FIRST), hear(), challenge(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ="),
         hear(), ACCEPTED],
        login("SCRAM-SHA-1", PENCIL, nonce=SCRAM_1),
        holds=answered(
            b"SCRAM-SHA-1 n,,n=user,r=" + SCRAM_1,
            b"c=biws,r=" + SCRAM_1_WHOLE + b",p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", b"",
        ),
    ),
    Case(  # RFC 7677 section 3
        5, "SCRAM-SHA-256",
        [*START, challenge(b"r=" + SCRAM_256_WHOLE + b",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"), hear(),
         challenge(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), hear(), ACCEPTED],
        login("SCRAM-SHA-256", PENCIL, nonce=SCRAM_256),
        holds=answered(
            b"SCRAM-SHA-256 n,,n=user,r=" + SCRAM_256,
            b"c=biws,r=" + SCRAM_256_WHOLE + b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            b"",
        ),
    ),
    Case(
        5, "EXTERNAL", [*START, ACCEPTED], login("EXTERNAL", Credentials()),
        holds=lambda seen: seen.heard[1] == b"AUTH EXTERNAL =",
    ),
    Case(  # RFC 7628 section 4.1
        5, "OAUTHBEARER", [*START, ACCEPTED], login("OAUTHBEARER", BEARER),
        holds=answered(
            b"OAUTHBEARER n,a=user@example.com,\1auth=Bearer " + BEARER.token + b"\1\1"
        ),
    ),
    Case(
        5, "XOAUTH2", [*START, ACCEPTED], login("XOAUTH2", BEARER),
        holds=answered(b"XOAUTH2 user=user@example.com\1auth=Bearer " + BEARER.token + b"\1\1"),
    ),
]  # fmt: skip

LONG = Credentials(USER, b"x" * 600)


def cancelled(seen: Seen) -> bool:
    """We have given the login up by a star, and the session went on."""
    return seen.heard[-2:] == [b"*", b"NOOP"] and not seen.broken


def noop(client: Client) -> None:
    client.noop()


CANCEL = [hear(), say("501 as you wish"), hear(), say("250 ok")]

TROUBLES = [
    *(
        Case(
            5, f"first response too long, {what}", [*START, say(prompt), hear(), ACCEPTED],
            login("PLAIN", LONG), holds=answered(b"PLAIN", b"\0" + USER + b"\0" + b"x" * 600),
        )
        for what, prompt in (("334", "334 "), ("334 with text", "334 go ahead, please"))
    ),
    Case(
        5, "challenge that is not base64", [*START, say("334 what?"), *CANCEL],
        login("CRAM-MD5", None, noop), AuthenticationError, cancelled,
    ),
    Case(
        5, "235 too early", [*START, say("235 come in"), hear()], login("LOGIN"),
        AuthenticationError, lambda seen: seen.broken,
    ),
    Case(
        5, "235 without the proof", [*START, challenge(SCRAM_1_FIRST), hear(), ACCEPTED, hear()],
        login("SCRAM-SHA-1", PENCIL, nonce=SCRAM_1), AuthenticationError, lambda seen: seen.broken,
    ),
    Case(
        5, "wrong signature of SCRAM",
        [*START, challenge(SCRAM_1_FIRST), hear(), challenge(b"v=" + b"A" * 27 + b"="), *CANCEL],
        login("SCRAM-SHA-1", PENCIL, noop, nonce=SCRAM_1), AuthenticationError, cancelled,
    ),
    Case(
        5, "complaint of OAUTHBEARER",
        [*START, challenge(b'{"status":"invalid_token"}'), hear(), say("535 5.7.8 no")],
        login("OAUTHBEARER", BEARER), PermanentError,
        lambda seen: seen.heard[2] == b"AQ==" and "invalid_token" in seen.error.detail,
    ),
    Case(5, "535", [*START, say("535 wrong")], login("PLAIN"), PermanentError),
    Case(5, "534", [*START, say("534 too weak")], login("PLAIN"), PermanentError),
    Case(5, "454", [*START, say("454 later")], login("PLAIN"), TransientError),
    Case(5, "250", [*START, say("250 what?")], login("PLAIN"), ProtocolError),
    Case(
        5, "challenges without end",
        [*START, *[challenge(b"more"), hear()] * 2, challenge(b"more"), *CANCEL],
        login("LOGIN", None, noop), AuthenticationError, cancelled,
    ),
    Case(
        5, "not offered", [*hello("PIPELINING"), hear()],
        secured(tls_required=False, cleartext_allowed=True, **LOGGED_IN), MissingExtension, untold,
    ),
]  # fmt: skip


def masked(seen: Seen) -> bool:
    """The trace shows that there was a login, and nothing by which anybody else could make one."""
    trace = b"\n".join(seen.trace)
    told = [PASSWORD, *(base64.b64encode(text) for text in (USER, PASSWORD, b"Password:"))]
    return b"AUTH" in trace and not any(text in trace for text in [*told, *SECRETS])


TRACES = [
    Case(12, "PLAIN", [*START, say("535 no")], login("PLAIN"), PermanentError, masked),
    Case(
        12, "LOGIN",
        [*START, challenge(b"Username:"), hear(), challenge(b"Password:"), hear(), ACCEPTED],
        login("LOGIN"), holds=masked,
    ),
]  # fmt: skip

CASES = [*TLS, *VECTORS, *TROUBLES, *TRACES]
