"""What a transaction costs the SMTP core: in memory, and over loopback beside Python's libraries.

In memory nothing but the core (and the few lines of `answering`) runs: the peer is a function. Over
loopback the server is a process of its own that takes everything and keeps nothing.
"""

from __future__ import annotations

import asyncio
import smtplib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import aiosmtplib

from pysendmail.smtp import Client, Transaction, connect
from tests.bench.answering import CHUNKING, GREETING, PIPELINING, Answering, AnsweringServer
from tests.bench.measuring import OURS, Figure, Settings, Table, message, take_turns

SENDER, RECIPIENT = "a@example.com", "b@example.org"
BODY = message().replace(b"\n", b"\r\n")
MEMORY, LOOPBACK = 20_000, 4_000


class Memory:
    """The streams of a client to a peer that is a function in this process."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.peer = Answering(lines)
        self._answers = GREETING

    def read(self, _size: int) -> bytes:
        answers, self._answers = self._answers, b""
        return answers

    def write(self, octets: memoryview) -> int:
        self._answers += self.peer.feed(bytes(octets))
        return len(octets)

    def close(self) -> None:
        """Nothing is open."""


def transactions(count: int) -> Iterator[Transaction]:
    """Yield the same small message again and again."""
    for _ in range(count):
        yield Transaction(SENDER.encode(), [RECIPIENT.encode()], BODY, size=len(BODY))


def stream(client: Client, count: int) -> None:
    """Hand over `count` messages."""
    for verdict in client.stream(transactions(count)):
        assert verdict.trouble is None, verdict.trouble


def in_memory(lines: Sequence[str], count: int) -> float:
    """Return the transactions a second of processor time."""
    streams = Memory(lines)
    client = Client(streams, streams)
    client.helo(b"client.example.com")
    began = time.process_time()
    stream(client, count)
    assert streams.peer.taken == count
    return count / (time.process_time() - began)


def by_ours(port: int, count: int) -> None:
    with connect(("127.0.0.1", port)) as client:
        client.helo(b"client.example.com")
        stream(client, count)


def by_smtplib(port: int, count: int) -> None:
    with smtplib.SMTP("127.0.0.1", port, local_hostname="client.example.com") as client:
        for _ in range(count):
            client.sendmail(SENDER, [RECIPIENT], BODY)


def by_aiosmtplib(port: int, count: int) -> None:
    async def send() -> None:
        client = aiosmtplib.SMTP(
            hostname="127.0.0.1", port=port, start_tls=False, local_hostname="client.example.com"
        )
        async with client:
            for _ in range(count):
                await client.sendmail(SENDER, [RECIPIENT], BODY)

    asyncio.run(send())


def measure(settings: Settings) -> Iterable[Table]:
    """Yield both tables."""
    memory, loopback = settings.count(MEMORY), settings.count(LOOPBACK)
    kinds = ((f"{OURS}, PIPELINING", PIPELINING), (f"{OURS}, CHUNKING", CHUNKING))
    given = take_turns(
        settings.runs,
        [(label, partial(in_memory, lines, memory)) for label, lines in kinds],
    )
    yield Table(
        "SMTP core in memory",
        "transactions of 2 KB a second of processor time",
        [Figure(label, values) for label, values in given.items()],
        target="at least 6,000 on one core",
    )
    servers = {lines: AnsweringServer(lines) for lines in (PIPELINING, CHUNKING)}
    processor: dict[str, list[float]] = {}

    def rate(label: str, port: int, send: Callable[[int, int], None]) -> float:
        began, used = time.perf_counter(), time.process_time()
        send(port, loopback)
        processor.setdefault(label, []).append((time.process_time() - used) / loopback * 1e6)
        return loopback / (time.perf_counter() - began)

    contestants: list[tuple[str, int, Callable[[int, int], None]]] = [
        *((label, servers[lines].port, by_ours) for label, lines in kinds),
        ("smtplib", servers[PIPELINING].port, by_smtplib),
        ("aiosmtplib", servers[PIPELINING].port, by_aiosmtplib),
    ]
    try:
        given = take_turns(
            settings.runs,
            [(label, partial(rate, label, port, send)) for label, port, send in contestants],
        )
    finally:
        for server in servers.values():
            server.close()
    yield Table(
        "SMTP over loopback, one connection",
        "transactions of 2 KB a second",
        [
            Figure(label, values, f"{Figure('', processor[label]).median:.0f} µs of CPU each")
            for label, values in given.items()
        ],
        base="smtplib",
        target="at least 6,000",
    )
