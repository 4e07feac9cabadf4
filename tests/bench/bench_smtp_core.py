"""What a transaction costs the SMTP core: in memory, and over loopback beside Python's libraries.

In memory nothing but the core (and the few lines of `answering`) runs: the peer is a function. Over
loopback the server is a process of its own that takes everything and keeps nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from pysendmail.smtp import Client
from tests.bench.answering import CHUNKING, GREETING, PIPELINING, Answering, AnsweringServer
from tests.bench.measuring import OURS, Figure, Settings, Table, Target, figures, take_turns
from tests.bench.sender import by_aiosmtplib, by_ours, by_smtplib, transactions

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


def in_memory(lines: Sequence[str], count: int) -> float:
    """Return the transactions a second of processor time."""
    streams = Memory(lines)
    client = Client(streams, streams)
    client.helo(b"client.example.com")
    began = time.process_time()
    for verdict in client.stream(transactions(count)):
        assert verdict.trouble is None, verdict.trouble
    assert streams.peer.taken == count
    return count / (time.process_time() - began)


def measure(settings: Settings) -> Iterable[Table]:
    """Yield both tables."""
    memory, loopback = settings.count(MEMORY), settings.count(LOOPBACK)
    kinds = ((f"{OURS}, PIPELINING", PIPELINING), (f"{OURS}, CHUNKING", CHUNKING))
    given = take_turns(
        settings.runs,
        [(label, partial(in_memory, lines, memory)) for label, lines in kinds],
    )
    slower = min(Figure("", values).median for values in given.values())
    yield Table(
        "SMTP core in memory",
        "transactions of 2 KB a second of processor time",
        figures(given),
        targets=[Target("on one core, with or without CHUNKING", slower, "at least", 6000)],
    )
    servers = {lines: AnsweringServer(lines) for lines in (PIPELINING, CHUNKING)}
    processor: dict[str, list[float]] = {}

    def rate(label: str, port: int, send: Callable[[str, int, int], float]) -> float:
        used = time.process_time()
        seconds = send("127.0.0.1", port, loopback)
        processor.setdefault(label, []).append((time.process_time() - used) / loopback * 1e6)
        return loopback / seconds

    contestants: list[tuple[str, int, Callable[[str, int, int], float]]] = [
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
    )
