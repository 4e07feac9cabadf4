"""Opening a session, over a real socket: the policy for TLS, login, and what is closed."""

from __future__ import annotations

import base64
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pysendmail.config.errors import ConfigError
from pysendmail.relay.offer import Away
from pysendmail.relay.policy import POLICY, opening_trouble
from pysendmail.relay.session import open_session
from pysendmail.relay.smarthost import IMPLICIT, NONE, OPPORTUNISTIC, REQUIRED, Login, Smarthost
from pysendmail.smtp import (
    AuthenticationError,
    MissingExtension,
    PermanentError,
    SmtpError,
    TimedOut,
    TlsError,
)
from tests.helpers.lying_server import LyingServer, Step, hear, say, stall, turn_to_tls

HELLO = (hear(), say("250-mx", "250-STARTTLS", "250 AUTH PLAIN"))
BYE = (hear(), say("221 bye"))
TlsContext = Callable[[str], ssl.SSLContext]


def smarthost(server: LyingServer, **options: object) -> Smarthost:
    host, port = server.address
    return Smarthost(host, port, **options)  # type: ignore[arg-type]


def starttls(context: ssl.SSLContext) -> tuple[Step, ...]:
    return (say("220 hi"), *HELLO, hear(), say("220 go"), turn_to_tls(context), *HELLO)


def test_session_may_be_ended_when_it_is_secure_and_before_the_password_is_sent(
    server_tls_context: TlsContext, ca_file: Path
) -> None:
    def stop() -> None:
        raise Away(b"not now")

    heard_before: list[int] = []
    with LyingServer(*starttls(server_tls_context("127.0.0.1"))) as server:
        options = {"login": Login(b"u", b"p"), "ca_file": str(ca_file)}
        with pytest.raises(Away):
            open_session(
                smarthost(server, tls=REQUIRED, **options),
                hostname=b"me",
                deadline=None,
                greeted=lambda: heard_before.append(len(server.heard)),
                before_login=stop,
            )
    assert heard_before == [0]
    assert server.heard == [b"EHLO me", b"STARTTLS", b"EHLO me"]


def test_session_in_clear_is_ready_and_has_no_deadline() -> None:
    with LyingServer(say("220 hi"), *HELLO, *BYE) as server:
        client = open_session(smarthost(server, tls=NONE), hostname=b"me", deadline=None)
        assert client.deadline is None
        assert not client.authenticated
        client.quit()
    assert server.heard == [b"EHLO me", b"QUIT"]


def test_required_tls_is_verified_before_the_password_is_sent(
    server_tls_context: TlsContext, ca_file: Path
) -> None:
    recipe = (*starttls(server_tls_context("127.0.0.1")), hear(), say("235 welcome"), *BYE)
    with LyingServer(*recipe) as server:
        options = {"login": Login(b"u", b"p"), "ca_file": str(ca_file)}
        client = open_session(
            smarthost(server, tls=REQUIRED, **options), hostname=b"me", deadline=None
        )
        assert client.authenticated
        assert client.tls_verified
        client.quit()
    assert server.heard[3] == b"AUTH PLAIN " + base64.b64encode(b"\0u\0p")


def test_implicit_tls_comes_before_the_greeting(
    server_tls_context: TlsContext, ca_file: Path
) -> None:
    context = server_tls_context("127.0.0.1")
    with LyingServer(turn_to_tls(context), say("220 hi"), *HELLO, *BYE) as server:
        client = open_session(
            smarthost(server, tls=IMPLICIT, ca_file=str(ca_file)), hostname=b"me", deadline=None
        )
        assert client.tls_verified
        client.quit()


def test_required_tls_that_is_not_offered_ends_the_session() -> None:
    with (
        LyingServer(say("220 hi"), hear(), say("250 mx"), stall()) as server,
        pytest.raises(MissingExtension),
    ):
        open_session(smarthost(server, tls=REQUIRED), hostname=b"me", deadline=None)


def test_opportunistic_tls_goes_on_without() -> None:
    with LyingServer(say("220 hi"), hear(), say("250 mx"), *BYE) as server:
        client = open_session(smarthost(server, tls=OPPORTUNISTIC), hostname=b"me", deadline=None)
        assert client.tls_session_props is None
        client.quit()


def test_refused_login_closes_the_session(server_tls_context: TlsContext, ca_file: Path) -> None:
    recipe = (*starttls(server_tls_context("127.0.0.1")), hear(), say("535 no"), stall())
    with LyingServer(*recipe) as server, pytest.raises(PermanentError):
        open_session(
            smarthost(server, tls=REQUIRED, login=Login(b"u", b"p"), ca_file=str(ca_file)),
            hostname=b"me",
            deadline=None,
        )


def test_token_is_read_at_each_login_and_its_trouble_is_one_of_the_login() -> None:
    tokens = iter([b"first", b"second"])

    def read() -> bytes:
        for token in tokens:
            return token
        raise ConfigError(["key 'token_file': '/run/token': No such file or directory"])

    login = Login(mechanisms=(b"OAUTHBEARER",), read_token=read)
    heard = []
    for _ in range(2):
        hello = (say("220 hi"), hear(), say("250-mx", "250 AUTH OAUTHBEARER"))
        with LyingServer(*hello, hear(), say("235 ok"), *BYE) as server:
            there = smarthost(server, tls=NONE, login=login, cleartext_allowed=True)
            open_session(there, hostname=b"me", deadline=None).quit()
        heard.append(base64.b64decode(server.heard[1].split()[-1]))
    assert [b"first" in heard[0], b"second" in heard[1]] == [True, True]
    with pytest.raises(AuthenticationError, match=r"/run/token") as caught:
        open_session(there, hostname=b"me", deadline=None)
    assert opening_trouble(caught.value) is POLICY["access"]


def test_deadline_bounds_the_opening() -> None:
    with LyingServer(stall()) as server, pytest.raises(TimedOut):
        open_session(smarthost(server, tls=NONE), hostname=b"me", deadline=time.monotonic() + 0.05)


def test_missing_ca_file_is_trouble_of_tls(tmp_path: Path) -> None:
    missing = Smarthost("127.0.0.1", 1, tls=REQUIRED, ca_file=str(tmp_path / "none.pem"))
    with pytest.raises(TlsError, match=r"none\.pem"):
        open_session(missing, hostname=b"me", deadline=None)


def test_trouble_is_always_one_of_the_smtp_core() -> None:
    with pytest.raises(SmtpError):
        open_session(Smarthost("", 25, tls=NONE), hostname=b"me", deadline=time.monotonic() + 1)
