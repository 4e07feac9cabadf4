"""From a name to a socket: what the resolver says, how long it may take, the source address."""

from __future__ import annotations

import _socket
import _thread
import socket
import threading
import time
from contextlib import closing
from typing import Any

import pytest

from pysendmail.smtp import ConnectError, TimedOut, UsageError
from pysendmail.smtp.transport.resolve import resolve
from pysendmail.smtp.transport.tcp import open_tcp
from tests.helpers.listeners import answering, refusing, silent

NUMERIC = socket.AI_NUMERICHOST


class Resolver:
    """Stands in for getaddrinfo: a name has these addresses, or this fault."""

    def __init__(self, *found: tuple[int, Any], fault: Exception | None = None) -> None:
        self.found = found
        self.fault = fault
        self.asked: list[str] = []
        self.may_answer = threading.Event()
        self.may_answer.set()

    def __call__(self, host: str, port: int, type: int = 0, flags: int = 0) -> list[Any]:
        if flags & NUMERIC:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        self.asked.append(host)
        self.may_answer.wait(30)
        if self.fault is not None:
            raise self.fault
        return [(family, type, 6, "", address) for family, address in self.found]


def install(monkeypatch: pytest.MonkeyPatch, resolver: Resolver) -> Resolver:
    monkeypatch.setattr(_socket, "getaddrinfo", resolver)
    return resolver


def test_literal_address_needs_no_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: Any) -> None:
        raise AssertionError("a thread for a literal address")

    monkeypatch.setattr(_thread, "start_new_thread", start)
    assert resolve("192.0.2.1", 25, 0.0) == [(socket.AF_INET, ("192.0.2.1", 25))]
    assert resolve("2001:db8::1", 25, 0.0) == [(socket.AF_INET6, ("2001:db8::1", 25, 0, 0))]


def test_every_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing() as first, answering() as second:
        install(monkeypatch, Resolver((socket.AF_INET, first), (socket.AF_INET, second)))
        with closing(open_tcp("mx.example", 25, seconds=10)) as sock:
            assert sock.getpeername() == second
            assert not sock.getblocking()
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_error_tells_the_reason_of_each_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing() as first, refusing() as second:
        install(monkeypatch, Resolver((socket.AF_INET, first), (socket.AF_INET, second)))
        with pytest.raises(ConnectError) as caught:
            open_tcp("mx.example", 25, seconds=10)
    assert caught.value.host == "mx.example"
    assert caught.value.reasons == tuple(
        (f"127.0.0.1:{port}", "Connection refused") for _, port in (first, second)
    )


def test_silent_address_is_told_of_when_the_deadline_comes() -> None:
    with silent() as (host, port), pytest.raises(TimedOut, match="no answer") as caught:
        open_tcp(host, port, seconds=30, deadline=time.monotonic() + 0.3)
    assert f"{host}:{port}" in str(caught.value)


def test_resolver_that_does_not_answer_is_left_alone_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolver = install(monkeypatch, Resolver())
    resolver.may_answer.clear()
    began = time.monotonic()
    try:
        with pytest.raises(TimedOut, match=r"no address of mx\.example"):
            open_tcp("mx.example", 25, seconds=30, deadline=began + 0.05)
        with pytest.raises(TimedOut):
            open_tcp("mx.example", 25, seconds=0.05)
    finally:
        resolver.may_answer.set()
    assert time.monotonic() - began < 10
    assert resolver.asked == [b"mx.example"] * 2


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "Temporary failure"),
        (UnicodeError("label too long"), "not a name: label too long"),
    ],
)
def test_fault_of_the_resolver_is_the_reason(
    monkeypatch: pytest.MonkeyPatch, fault: Exception, reason: str
) -> None:
    install(monkeypatch, Resolver(fault=fault))
    with pytest.raises(ConnectError) as caught:
        open_tcp("mx.example", 25, seconds=5)
    assert caught.value.reasons == (("mx.example", reason),)


@pytest.mark.parametrize("host", ["x" * 64 + ".example", "", "."])
def test_impossible_name_is_a_connect_error(host: str) -> None:
    with pytest.raises(ConnectError):
        open_tcp(host, 25, seconds=30)


def test_system_without_a_thread_to_spare_is_a_connect_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    install(monkeypatch, Resolver())
    monkeypatch.setattr(_thread, "start_new_thread", start)
    with pytest.raises(ConnectError, match="new thread"):
        open_tcp("mx.example", 25, seconds=5)


def test_other_faults_of_a_literal_address_are_not_taken_for_a_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_arguments: Any, **_options: Any) -> None:
        raise socket.gaierror(socket.EAI_MEMORY, "Memory allocation failure")

    monkeypatch.setattr(_socket, "getaddrinfo", refuse)
    with pytest.raises(ConnectError, match="Memory"):
        open_tcp("192.0.2.1", 25, seconds=5)


def test_source_address_is_used_for_its_own_family_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering() as address:
        other = (socket.AF_INET6, ("::1", address[1], 0, 0))
        install(monkeypatch, Resolver(other, (socket.AF_INET, address)))
        with closing(open_tcp("mx.example", 25, seconds=10, source_address="127.0.0.3")) as sock:
            assert sock.getsockname()[0] == "127.0.0.3"
        install(monkeypatch, Resolver(other))
        with pytest.raises(ConnectError, match=r"family of source_address 127\.0\.0\.3"):
            open_tcp("mx.example", 25, seconds=10, source_address="127.0.0.3")


def test_source_address_that_is_not_ours_is_named() -> None:
    with answering() as (host, port), pytest.raises(ConnectError, match=r"source_address 192\."):
        open_tcp(host, port, seconds=10, source_address="192.0.2.1")


@pytest.mark.parametrize("source", ["", "localhost", "1.2.3", "::g", "1.2.3.4\0"])
def test_source_address_that_is_none_is_told(source: str) -> None:
    with pytest.raises(UsageError, match="expected an IP address"):
        open_tcp("127.0.0.1", 25, seconds=1, source_address=source)
