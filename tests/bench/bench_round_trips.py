"""How many round trips a message costs: one connection, 50 ms there and back.

All send the same messages of 2 KB to the same Postfix, 200 but for the libraries. Ours, smtplib and
aiosmtplib are timed from the first message's transaction to the verdict on the last, in a process
at the client's end; Postfix relays its queue by one connection that it keeps, and is timed between
the first message and the last at the smarthost.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from tests.bench import link
from tests.bench.measuring import (
    OURS,
    Contest,
    Figure,
    Settings,
    Table,
    Target,
    progress,
    take_turns,
)
from tests.bench.peers import Postfix
from tests.bench.smarthosts import Smarthost

ROUND_TRIP_S = 0.05
MESSAGES = 200
LIBRARIES = ("smtplib", "aiosmtplib")
FEWER = 10  # they take the same four round trips for each message: a tenth of them tells
REPOSITORY = Path(__file__).parents[2]


class ByOneConnection(Postfix):
    """Postfix that sends all by the same connection."""

    settings = {
        "default_destination_concurrency_limit": "1",
        "initial_destination_concurrency": "1",
        "smtp_connection_cache_destinations": "static:all",
        "smtp_connection_reuse_count_limit": "0",
        "smtp_connection_reuse_time_limit": "3600s",
    }


def send(client: str, within: Sequence[str], port: int, count: int) -> float:
    """Return the seconds that `client` (see `sender`) takes for `count` messages."""
    sender = [sys.executable, "-m", "tests.bench.sender", client, link.SERVER, str(port)]
    done = subprocess.run(
        [*within, *sender, str(count)],
        cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return float(done.stdout)


def relay(peer: Postfix, smarthost: Smarthost, count: int) -> float:
    """Return the seconds for `count` messages of Postfix's queue, counted from the first one's end
    on.
    """
    peer.refill()
    smarthost.stop()
    smarthost.start()  # it counts anew
    peer.start()
    for process in peer.flush():
        process.wait()
    seconds = smarthost.wait(count) - smarthost.wait(1)
    return seconds * count / (count - 1)


def measure(settings: Settings) -> Iterable[Table]:
    """Yield a table for PIPELINING alone and one for CHUNKING."""
    if reason := link.why_not():
        progress(f"skipped: {reason}")
        return
    count = settings.count(MESSAGES, least=MESSAGES // 2)
    road = link.Link(ROUND_TRIP_S)
    try:
        for chunking in (False, True):
            yield measure_against(chunking, road, count, settings.runs)
    finally:
        road.close()


def measure_against(chunking: bool, road: link.Link, count: int, runs: int) -> Table:
    """Return the round trips a message where the smarthost offers CHUNKING, or does not."""
    smarthost = Smarthost(link.SERVER, road.server, chunking=chunking)
    peer = ByOneConnection(smarthost, road.client)
    peer.fill(count)
    smarthost.start()
    contests: list[Contest] = [
        (OURS, partial(send, "ours", road.client, smarthost.port, count)),
        ("Postfix", partial(relay, peer, smarthost, count)),
        *(
            (library, partial(send, library, road.client, smarthost.port, count // FEWER))
            for library in LIBRARIES
        ),
    ]
    try:
        given = take_turns(runs, contests)
    finally:
        peer.close()
        smarthost.close()
    figures = []
    for label, values in given.items():
        sent = count // FEWER if label in LIBRARIES else count
        trips = [seconds / ROUND_TRIP_S / sent for seconds in values]
        note = f"{1 / Figure('', trips).median:.1f} messages a round trip"
        figures.append(Figure(label, trips, note))
    ours = figures[0].median
    return Table(
        f"Round trips a message, {'CHUNKING' if chunking else 'PIPELINING alone'}",
        f"round trips a message ({count} of 2 KB, one connection, {ROUND_TRIP_S * 1000:.0f} ms)",
        figures,
        targets=[
            Target("messages a round trip", 1 / ours, "at least", 20)
            if chunking
            else Target("round trips a message", ours, "at most", 1.15)
        ],
    )
