"""CRAM-MD5 and DIGEST-MD5."""

from __future__ import annotations

import base64
import hashlib

import pytest

from pysendmail.smtp import AuthenticationError, PermanentError, UsageError
from pysendmail.smtp.sasl import Credentials, Parameters
from pysendmail.smtp.sasl.cram_md5 import CramMd5
from pysendmail.smtp.sasl.digest_md5 import DigestMd5, parse_directives
from pysendmail.smtp.sasl.exchange import authenticate
from tests.helpers.script import drive

CHRIS = Credentials(b"chris", b"secret")
NONCE = b'nonce="OA6MG9tEQGm2hh"'
CHALLENGE = (
    b'realm="elwood.innosoft.com",' + NONCE + b',qop="auth",algorithm=md5-sess,charset=utf-8'
)
RESPONSE = (
    b'charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",'
    b'nc=00000001,cnonce="OA6MHXh6VqTrRk",digest-uri="imap/elwood.innosoft.com",'
    b"response=d388dad90d4bbd760a152321f2143af7,qop=auth"
)
PROOF = b"rspauth=ea40f60335c427b5527b84dbabcdfffd"


def line(mark: str, octets: bytes) -> str:
    return mark + base64.b64encode(octets).decode()


def server(octets: bytes) -> str:
    return line("S: 334 ", octets)


def client(octets: bytes) -> str:
    return line("C: ", octets)


def digest(
    credentials: Credentials = CHRIS, uri: bytes = b"imap/elwood.innosoft.com", **more: bytes
) -> DigestMd5:
    given = {"digest_uri": uri, "cnonce": b"OA6MHXh6VqTrRk", **more}
    parameters = [(name.replace("_", "-").encode(), value, True) for name, value in given.items()]
    return DigestMd5(credentials, Parameters(parameters))


def response_to(challenge: bytes, mechanism: DigestMd5) -> dict[bytes, list[bytes]]:
    """Return the directives of the first response to `challenge`."""
    run = mechanism.exchange()
    assert next(run) is None
    response = run.send(challenge)
    assert response is not None
    return parse_directives(response)


def reference(
    user: bytes, realm: bytes, password: bytes, uri: bytes, authz: bytes = b""
) -> bytes:
    """Return the response value by the formulas of RFC 2831 section 2.1.2.1, written once more."""

    def hexed(octets: bytes) -> bytes:
        return hashlib.md5(octets).hexdigest().encode()

    first = hashlib.md5(user + b":" + realm + b":" + password).digest()
    first += b":OA6MG9tEQGm2hh:OA6MHXh6VqTrRk" + (b":" + authz if authz else b"")
    second = b"AUTHENTICATE:" + uri
    middle = b":OA6MG9tEQGm2hh:00000001:OA6MHXh6VqTrRk:auth:"
    return hexed(hexed(first) + middle + hexed(second))


# --- CRAM-MD5

POSTOFFICE = b"<1896.697170952@postoffice.reston.mci.net>"


def test_cram_md5_is_the_vector_of_rfc_2195() -> None:
    drive(
        authenticate(CramMd5(Credentials(b"tim", b"tanstaaftanstaaf"))),
        "C: AUTH CRAM-MD5",
        server(POSTOFFICE),
        client(b"tim b913a602c7eda7a495b4e6e7334d3890"),
        "S: 235 ok",
    )


def test_b16_cram_md5_takes_a_password_of_exactly_one_block_as_it_is() -> None:
    password = bytes(range(1, 65))
    inner = hashlib.md5(bytes(octet ^ 0x36 for octet in password) + b"<c>").digest()
    outer = hashlib.md5(bytes(octet ^ 0x5C for octet in password) + inner).hexdigest()
    drive(
        authenticate(CramMd5(Credentials(b"u", password))),
        "C: AUTH CRAM-MD5", server(b"<c>"), client(b"u " + outer.encode()), "S: 235 ok",
    )  # fmt: skip


def test_cram_md5_cannot_act_for_another() -> None:
    with pytest.raises(UsageError, match="authorization identity"):
        CramMd5(Credentials(b"u", b"p", authz=b"other"))


def test_cram_md5_does_not_believe_in_success_before_the_challenge() -> None:
    with pytest.raises(AuthenticationError, match="before the end") as caught:
        drive(authenticate(CramMd5(CHRIS)), "C: AUTH CRAM-MD5", "S: 235 come in")
    assert not caught.value.session_usable


# --- DIGEST-MD5


def test_digest_md5_is_the_vector_of_rfc_2831() -> None:
    drive(
        authenticate(digest()),
        "C: AUTH DIGEST-MD5", server(CHALLENGE), client(RESPONSE), server(PROOF), "C: ",
        "S: 235 ok",
    )  # fmt: skip


@pytest.mark.parametrize(
    "proof", [b"rspauth=" + b"0" * 32, b"rspauth=", b"", b"nonsense", PROOF + b"," + PROOF]
)
def test_digest_md5_cancels_where_the_server_cannot_prove_itself(proof: bytes) -> None:
    with pytest.raises(AuthenticationError) as caught:
        drive(
            authenticate(digest()),
            "C: AUTH DIGEST-MD5", server(CHALLENGE), client(RESPONSE), server(proof), "C: *",
            "S: 501 cancelled",
        )  # fmt: skip
    assert caught.value.session_usable


def test_digest_md5_does_not_believe_in_success_without_the_proof() -> None:
    with pytest.raises(AuthenticationError, match="before the end") as caught:
        drive(
            authenticate(digest()),
            "C: AUTH DIGEST-MD5", server(CHALLENGE), client(RESPONSE), "S: 235 come in",
        )  # fmt: skip
    assert not caught.value.session_usable


def test_digest_md5_refused_is_the_servers_reply() -> None:
    with pytest.raises(PermanentError):
        drive(
            authenticate(digest()),
            "C: AUTH DIGEST-MD5", server(CHALLENGE), client(RESPONSE), "S: 535 no",
        )  # fmt: skip


@pytest.mark.parametrize(
    "qop",
    [b'qop="auth,auth-int"', b'qop="auth-int , auth,auth-conf"', b"qop=auth", b"", b'QOP="AUTH"'],
)
def test_b15_digest_md5_reads_the_list_of_qualities_by_its_commas(qop: bytes) -> None:
    challenge = b",".join((NONCE, b"algorithm=md5-sess", b"charset=utf-8", qop))
    assert response_to(challenge, digest())[b"qop"] == [b"auth"]


@pytest.mark.parametrize(
    "challenge",
    [
        b"",
        b"algorithm=md5-sess",
        b'nonce="",algorithm=md5-sess',
        NONCE,
        NONCE + b",algorithm=md5",
        NONCE + b',algorithm=md5-sess,qop="auth-int,auth-conf"',
        NONCE + b',algorithm=md5-sess,qop=""',
        NONCE + b",algorithm=md5-sess,charset=latin-1",
        NONCE + b"," + NONCE + b",algorithm=md5-sess",
        NONCE + b",algorithm=md5-sess,algorithm=md5-sess",
        NONCE + b",algorithm=md5-sess,charset=utf-8,charset=utf-8",
        NONCE + b",algorithm",
        b'nonce="open,algorithm=md5-sess',
        b"\0" + NONCE,
        b"<1896.697170952@postoffice>",
    ],
)
def test_digest_md5_cancels_a_challenge_it_cannot_answer(challenge: bytes) -> None:
    with pytest.raises(AuthenticationError):
        drive(
            authenticate(digest()),
            "C: AUTH DIGEST-MD5", server(challenge), "C: *", "S: 501 cancelled",
        )  # fmt: skip


def test_digest_md5_undoes_and_makes_quotes() -> None:
    parsed = parse_directives(b' , Realm = "a \\"b\\" \\\\ , c" ,, nonce=abc\r\n , ')
    assert parsed == {b"realm": [b'a "b" \\ , c'], b"nonce": [b"abc"]}
    user = b'q"\\u'
    answer = response_to(CHALLENGE, digest(Credentials(user, b"p"), uri=b"smtp/mx"))
    assert answer[b"username"] == [user]
    assert answer[b"response"] == [reference(user, b"elwood.innosoft.com", b"p", b"smtp/mx")]


def test_digest_md5_mixes_the_identity_to_act_as_into_the_key() -> None:
    credentials = Credentials(b"chris", b"secret", authz=b"boss")
    answer = response_to(CHALLENGE, digest(credentials, uri=b"smtp/mx"))
    assert answer[b"authzid"] == [b"boss"]
    assert answer[b"response"] == [
        reference(b"chris", b"elwood.innosoft.com", b"secret", b"smtp/mx", b"boss")
    ]


@pytest.mark.parametrize(
    ("offered", "wanted", "user", "chosen"),
    [
        ([], b"", b"u", None),
        ([], b"mine", b"u", b"mine"),
        ([b"a"], b"", b"u", b"a"),
        ([b""], b"", b"u", b""),
        ([b"a", b"b", b"c"], b"", b"u", b"a"),
        ([b"a", b"b", b"c"], b"b", b"u@c", b"b"),
        ([b"a", b"b", b"c"], b"", b"u@c", b"c"),
        ([b"a", b"b", b"c"], b"", b"u@d", b"a"),
    ],
)
def test_digest_md5_chooses_a_realm(
    offered: list[bytes], wanted: bytes, user: bytes, chosen: bytes | None
) -> None:
    realms = b"".join(b'realm="%b",' % realm for realm in offered)
    challenge = realms + NONCE + b",algorithm=md5-sess,charset=utf-8"
    answer = response_to(challenge, digest(Credentials(user, b"p"), uri=b"smtp/mx", realm=wanted))
    assert answer.get(b"realm") == ([chosen] if chosen is not None else None)
    assert answer[b"response"] == [reference(user, chosen or b"", b"p", b"smtp/mx")]


def test_digest_md5_cancels_where_the_wanted_realm_is_missing() -> None:
    with pytest.raises(AuthenticationError, match="realm"):
        response_to(CHALLENGE, digest(realm=b"mine"))


NO_CHARSET = NONCE + b",algorithm=md5-sess"


@pytest.mark.parametrize(
    ("challenge", "user", "sent", "digested"),
    [
        (NO_CHARSET + b",charset=utf-8", "jörg", "jörg".encode(), "jörg".encode("latin-1")),
        (NO_CHARSET + b",charset=utf-8", "łukasz", "łukasz".encode(), "łukasz".encode()),
        (NO_CHARSET, "jörg", "jörg".encode("latin-1"), "jörg".encode("latin-1")),
    ],
)
def test_digest_md5_digests_latin_1_where_that_can_say_it(
    challenge: bytes, user: str, sent: bytes, digested: bytes
) -> None:
    mechanism = digest(Credentials(user.encode(), user.encode()), uri=b"smtp/mx")
    answer = response_to(challenge, mechanism)
    assert answer[b"username"] == [sent]
    assert answer.get(b"charset") == ([b"utf-8"] if b"charset" in challenge else None)
    assert answer[b"response"] == [reference(digested, b"", digested, b"smtp/mx")]


def test_digest_md5_cancels_where_the_server_cannot_read_the_name() -> None:
    with pytest.raises(AuthenticationError, match="UTF-8"):
        response_to(NO_CHARSET, digest(Credentials("łukasz".encode(), b"p")))


def test_digest_md5_takes_a_password_that_is_no_utf_8_as_it_is() -> None:
    answer = response_to(NO_CHARSET, digest(Credentials(b"u", b"\xff"), uri=b"smtp/mx"))
    assert answer[b"response"] == [reference(b"u", b"", b"\xff", b"smtp/mx")]


def test_digest_md5_makes_a_nonce_of_random_octets() -> None:
    parameters = Parameters([(b"digest-uri", b"smtp/mx", False)])
    run = DigestMd5(CHRIS, parameters, random=lambda octets: b"\xab" * octets).exchange()
    next(run)
    assert parse_directives(run.send(CHALLENGE) or b"")[b"cnonce"] == [b"ab" * 16]
    one, other = (response_to(CHALLENGE, DigestMd5(CHRIS, parameters)) for _ in range(2))
    assert one[b"cnonce"] != other[b"cnonce"]


def test_digest_md5_needs_the_name_of_the_service() -> None:
    with pytest.raises(UsageError, match="digest-uri"):
        DigestMd5(CHRIS)


@pytest.mark.parametrize(
    "credentials",
    [Credentials(b"", b"p"), Credentials(b"u\r\n", b"p"), Credentials(b"u", b"p", authz=b"\0")],
)
def test_digest_md5_refuses_what_it_cannot_carry(credentials: Credentials) -> None:
    with pytest.raises(UsageError):
        digest(credentials)
