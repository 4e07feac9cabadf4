"""A server that says the login back tells it to nobody."""

from __future__ import annotations

from base64 import b64encode

import pytest

from pysendmail.smtp import Client, PermanentError, ProtocolError, SmtpError
from pysendmail.smtp.sasl import Credentials, Login, Mechanism, Plain
from pysendmail.smtp.sasl.oauth import OAuthBearer, XOAuth2
from pysendmail.smtp.secrecy import HIDDEN, Secrecy
from tests.unit.smtp.streams import Peer

PASSWORD = b"correct horse"
TOKEN = b"ya29.token"
CREDENTIALS = Credentials(b"bob", PASSWORD)
BEARER = Credentials(b"bob", token=TOKEN)
PROMPTS = b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n"


def log_in(mechanism: Mechanism, *chunks: bytes) -> tuple[Client, SmtpError, str]:
    """Return the client, the error of the login, and all that was traced."""
    lines: list[bytes] = []
    peer = Peer(b"220 mx\r\n", *chunks)
    client = Client(peer, peer, trace=lambda _, line: lines.append(line))
    with pytest.raises(SmtpError) as caught:
        client.auth(mechanism)
    return client, caught.value, repr(lines)


def told(error: SmtpError) -> str:
    return f"{error} {error!r} {error.args!r} {getattr(error, 'text', b'')!r}"


def encoded(*secrets: bytes) -> list[bytes]:
    return [b64encode(secret) for secret in secrets]


@pytest.mark.parametrize(
    "form", [b'535 5.7.8 no: "%b"\r\n', b"535-5.7.8 no\r\n535-<%b>\r\n535 .\r\n"]
)
@pytest.mark.parametrize(
    ("mechanism", "prompts", "sent", "secrets"),
    [
        (Plain(CREDENTIALS), (), b"AUTH PLAIN %b" % b64encode(b"\0bob\0" + PASSWORD), [PASSWORD]),
        (Plain(CREDENTIALS), (), b"\0bob\0" + PASSWORD, [PASSWORD]),
        (Plain(CREDENTIALS), (), b"auth plain agjvygbj", []),
        (Login(CREDENTIALS), PROMPTS, b64encode(PASSWORD), [PASSWORD]),
        (Login(CREDENTIALS), PROMPTS, PASSWORD, [PASSWORD]),
        (Login(CREDENTIALS), PROMPTS, b64encode(PASSWORD)[:10], []),
        (XOAuth2(BEARER), (), b64encode(b"user=bob\1auth=Bearer " + TOKEN + b"\1\1"), [TOKEN]),
        (XOAuth2(BEARER), (), b"user=bob auth=Bearer " + TOKEN, [TOKEN]),
        (OAuthBearer(BEARER), (), b64encode(TOKEN).rstrip(b"="), [TOKEN]),
    ],
)  # fmt: skip
def test_server_that_quotes_the_login_shows_it_in_no_error_and_no_trace(
    mechanism: Mechanism, prompts: tuple[bytes, ...], sent: bytes, secrets: list[bytes], form: bytes
) -> None:
    _, error, trace = log_in(mechanism, *prompts, form % sent)
    assert isinstance(error, PermanentError)
    word = sent.split(b" ")[-1]
    for shown in (told(error), trace):
        assert HIDDEN.decode() in shown
        for secret in (word, *secrets, *encoded(*secrets)):
            assert secret.rstrip(b"=").decode() not in shown
    assert error.reply.enhanced == b"5.7.8"


def test_login_that_is_wrapped_or_cut_is_shown_in_no_piece() -> None:
    sent = b64encode(b"user=bob\1auth=Bearer " + TOKEN + b"\1\1")
    lines = [b"AUTH XOAUTH2", sent[:12], b'"' + sent[12:24] + b'"', sent[24:-3] + b"..."]
    answer = b"".join(b"535-%b\r\n" % line for line in lines)
    _, error, trace = log_in(XOAuth2(BEARER), answer + b"535 not welcome at all\r\n")
    assert told(error).startswith(
        "AUTH was answered 535 AUTH XOAUTH2 (not shown) (not shown) (not shown) not welcome at all"
    )
    assert sent[12:24].decode() not in trace


def test_login_said_back_later_in_the_session_is_not_shown() -> None:
    client, _, _ = log_in(
        Plain(CREDENTIALS), b"535 no\r\n", b"502 AUTH PLAIN AGJvYgBjb3JyZWN0IGhvcnNl?\r\n",
        b"correct horse!\r\n",
    )  # fmt: skip
    with pytest.raises(PermanentError) as caught:
        client.noop()
    assert caught.value.text == b"AUTH PLAIN (not shown)"
    with pytest.raises(ProtocolError) as nonsense:
        client.noop()
    assert nonsense.value.line == HIDDEN


def test_challenge_is_left_to_the_mechanism_as_it_came() -> None:
    peer = Peer(b"220 mx\r\n", *PROMPTS, b"334 AGJvYgBj\r\n")
    client = Client(peer, peer)
    with pytest.raises(SmtpError, match="after the end"):
        client.auth(Login(CREDENTIALS))


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        (b"nothing of it", b"nothing of it"),
        (b"hunter2", HIDDEN),
        (b'a "HUNTER2". b', b"a (not shown) b"),
        (b"hunter2 hunter2hunter2 x", b"(not shown) (not shown) x"),
        (b"aHVudGVyMg", HIDDEN),
        (b"hunter", b"hunter"),
    ],
)
def test_words_with_a_secret_are_hidden(text: bytes, hidden: bytes) -> None:
    secrecy = Secrecy()
    secrecy.add_secret(b"Hunter2")
    secrecy.add_secret(b"hunter2")
    assert secrecy.hide(text) == hidden


def test_secret_of_a_few_octets_hides_no_words() -> None:
    secrecy = Secrecy()
    secrecy.add_secret(b"p")
    secrecy.add_line(b"=\r\n")
    assert secrecy.hide(b"5.7.8 password=p") == b"5.7.8 password=p"
