"""Ways by proxy: real ones, and such as misbehave by recipe."""

from __future__ import annotations

import _socket
import base64
import contextlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from pysendmail.smtp import (
    ConnectError,
    TimedOut,
    Timeouts,
    TlsConfig,
    authenticate,
    connect,
)
from tests.helpers.listeners import refusing, silent
from tests.helpers.lying_server import (
    Conversation,
    LyingServer,
    Step,
    drip,
    hang_up,
    hear,
    say,
    send,
    stall,
    turn_to_tls,
)
from tests.helpers.proxies import microsocks, tinyproxy

USER, PASSWORD = "proxy-user", "pa%3Ass-S3cret"  # in the URL; the colon means something there
PLAIN_PASSWORD = "pa:ss-S3cret"


@pytest.fixture(params=["socks5", "socks5 password", "http", "http password"])
def proxy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of each kind of proxy."""
    scheme, _, password = request.param.partition(" ")
    user, secret = (USER, PLAIN_PASSWORD.replace(":", "")) if password else ("", "")
    if scheme == "socks5":
        running: AbstractContextManager[str] = microsocks(user, secret)
    else:
        running = tinyproxy(tmp_path, user, secret)
    with running as address:
        yield f"{scheme}://{user}:{secret}@{address}" if password else f"{scheme}://{address}"


def test_session_goes_through_the_proxy_with_tls_for_the_server(
    proxy: str, server_tls_context: Callable[[str], ssl.SSLContext], ca_file: Path
) -> None:
    with LyingServer(
        say("220 mx"), hear(), say("250-mx", "250 STARTTLS"), hear(), say("220 go"),
        turn_to_tls(server_tls_context("127.0.0.1")), hear(), say("250 mx"), hear(),
        say("221 bye"),
    ) as server, connect(server.address, proxy=proxy) as client:  # fmt: skip
        authenticate(
            client, host=b"me", tls_config=TlsConfig(ca_file=str(ca_file)), tls_peer="127.0.0.1"
        )
        assert client.tls_verified
    assert server.heard == [b"EHLO me", b"STARTTLS", b"EHLO me", b"QUIT"]


@contextlib.contextmanager
def greeting_anywhere() -> Iterator[int]:
    """The port of a server on every address of this machine, whichever `localhost` means."""
    six = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if six else socket.AF_INET
    with socket.create_server(("", 0), family=family, dualstack_ipv6=six) as listener:
        listener.settimeout(20)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"220 found\r\n")
                connection.settimeout(20)
                with contextlib.suppress(ConnectionError):
                    connection.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(20)


def test_name_of_the_server_is_looked_up_by_the_proxy(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up = _socket.getaddrinfo

    def only_literal(host: bytes, *arguments: Any, **options: Any) -> Any:
        assert host == b"127.0.0.1", "looked up here"
        return look_up(host, *arguments, **options)

    with greeting_anywhere() as port:
        monkeypatch.setattr(_socket, "getaddrinfo", only_literal)
        client = connect(("localhost", port), proxy=proxy)
        assert client.greeting().lines == (b"found",)
        client.close()


def test_server_that_refuses_the_proxy_is_told_as_such(proxy: str) -> None:
    with refusing() as address, pytest.raises(ConnectError) as caught:
        connect(address, proxy=proxy)
    assert caught.value.host == "127.0.0.1"
    [(by, _reason)] = caught.value.reasons
    assert by == f"by the proxy {proxy.replace(f'{USER}:pass-S3cret@', '')}"


@pytest.mark.parametrize("scheme", ["socks5", "http"])
def test_wrong_password_of_the_proxy_is_told_and_not_shown(scheme: str, tmp_path: Path) -> None:
    proxy = microsocks(USER, "right") if scheme == "socks5" else tinyproxy(tmp_path, USER, "right")
    with proxy as address, pytest.raises(ConnectError) as caught:
        connect(("127.0.0.1", 25), proxy=f"{scheme}://{USER}:{PASSWORD}@{address}")
    told = f"{caught.value} {caught.value!r} {caught.value.__cause__}"
    assert re.search("authentication failure|Unauthorized|Proxy Authentication Required", told)
    assert "S3cret" not in told


def test_proxy_that_is_away_is_named() -> None:
    with refusing() as (host, port), pytest.raises(ConnectError) as caught:
        connect(("mx.example", 25), proxy=f"socks5://u:S3cret@{host}:{port}")
    assert str(caught.value) == (
        f"cannot connect to the proxy socks5://{host}:{port} ({host}:{port}: Connection refused)"
    )


def test_proxy_that_does_not_accept_is_bounded() -> None:
    with silent() as (host, port), pytest.raises(TimedOut):
        connect(("mx.example", 25), proxy=f"http://{host}:{port}", deadline=time.monotonic() + 0.05)


# --- Proxies that misbehave


def by_way_of(server: LyingServer, scheme: str, timeouts: Timeouts | None = None) -> bytes:
    """Go by this server as a proxy; return the name in the greeting behind it."""
    host, port = server.address
    url = f"{scheme}://u:{PASSWORD}@{host}:{port}"
    client = connect(("mx.example", 25), timeouts, proxy=url)
    try:
        return client.greeting().lines[0]
    finally:
        client.close()


def hear_request(conversation: Conversation) -> None:
    """Read an HTTP request up to its empty line."""
    while conversation.line():
        pass


def hear_offer(conversation: Conversation) -> None:
    """Read the four octets with which SOCKS5 begins when a password can be given."""
    conversation.socket.recv(4, socket.MSG_WAITALL)


def hear_octets(*counts: int, then: bytes) -> Step:
    """Read requests of SOCKS5 by their length, and answer each with one of two octets."""

    def step(conversation: Conversation) -> None:
        for count, answer in zip(counts, (then[:2], then[2:4], then[4:]), strict=True):
            conversation.server.heard.append(conversation.socket.recv(count, socket.MSG_WAITALL))
            conversation.socket.sendall(answer)

    return step


HTTP_200 = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n"


def test_greeting_in_the_packet_of_the_proxys_answer_is_not_lost() -> None:
    with LyingServer(hear_request, send(HTTP_200 + b"220 mx\r\n"), stall()) as server:
        assert by_way_of(server, "http") == b"mx"
    assert server.heard[:2] == [b"CONNECT mx.example:25 HTTP/1.1", b"Host: mx.example:25"]
    secret = base64.b64encode(f"u:{PLAIN_PASSWORD}".encode())
    assert b"Proxy-Authorization: Basic " + secret in server.heard


def test_answer_that_comes_in_pieces_is_read_to_its_end() -> None:
    with LyingServer(hear_request, drip(HTTP_200 + b"220 mx\r\n"), stall()) as server:
        assert by_way_of(server, "http") == b"mx"


def test_socks_proxy_is_told_password_and_name_and_may_answer_with_a_name() -> None:
    # the answer names the proxy's own end as a name, which Netsmtp could not read
    bound = b"\x05\0\0\x03\x05proxy\0\x50"
    exchange = hear_octets(4, 3 + 1 + len(PLAIN_PASSWORD), 17, then=b"\x05\x02\x01\0" + bound)
    with LyingServer(exchange, say("220 mx"), stall()) as server:
        assert by_way_of(server, "socks5h") == b"mx"
    assert server.heard == [
        b"\x05\x02\0\x02",
        b"\x01\x01u\x0c" + PLAIN_PASSWORD.encode(),
        b"\x05\x01\0\x03\x0amx.example\0\x19",
    ]


@pytest.mark.parametrize(
    ("scheme", "recipe", "reason"),
    [
        ("http", [hear_request, hang_up()], "hung up"),
        ("http", [hear_request, send(b"HTTP/1.1 200 OK\r\nVia"), hang_up()], "hung up"),
        ("http", [hear_request, send(b"HTTP/1.1 407 \x1b[2JNo\r\n\r\n"), hang_up()], "407 .x1b"),
        ("http", [hear_request, send(b"220 mx ESMTP\r\n\r\n"), hang_up()], "status code: mx"),
        ("http", [hear_request, send(b"x: y\r\n" * 4000), stall()], "no end"),
        ("socks5", [hear_offer, hang_up()], "closed"),
        ("socks5", [hear_offer, send(b"HTTP/1.1 400 no\r\n\r\n"), hang_up()], "version"),
        ("socks5", [hear_offer, send(b"\x05\xff"), hang_up()], "authentication method"),
    ],
)
def test_proxy_that_makes_no_sense_is_a_connect_error(
    scheme: str, recipe: list[Step], reason: str
) -> None:
    with (
        LyingServer(*recipe) as server,
        pytest.raises(ConnectError, match=f"by the proxy .*{reason}") as caught,
    ):
        by_way_of(server, scheme)
    assert "S3cret" not in repr(caught.value)


@pytest.mark.parametrize("scheme", ["socks5", "http"])
def test_proxy_that_stalls_is_bounded(scheme: str) -> None:
    with (
        LyingServer(stall()) as server,
        pytest.raises(TimedOut, match=f"waiting for the proxy {scheme}://127"),
    ):
        by_way_of(server, scheme, Timeouts(connect=0.1))


def test_proxy_that_drips_is_bounded_as_a_whole() -> None:
    began = time.monotonic()
    with (
        LyingServer(hear_request, drip(b"x" * 2000, 0.02)) as server,
        pytest.raises(TimedOut, match="waiting for the proxy"),
    ):
        by_way_of(server, "http", Timeouts(connect=0.3))
    assert time.monotonic() - began < 10
