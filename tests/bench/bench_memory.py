"""What is resident: the proportional set size of all processes, smarthost away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing

from tests.bench.measuring import (
    OURS,
    Contest,
    Settings,
    Table,
    Target,
    figures,
    progress,
    take_turns,
)
from tests.bench.peers import Peer, Pysendmail, installed
from tests.bench.smarthosts import Sink

WAITING = 5000
SETTLING_S = 2.0


def measure(settings: Settings) -> Iterable[Table]:
    """Yield the table for an empty queue and the one for a full one."""
    count = settings.count(WAITING)
    with ExitStack() as stack:
        sink = stack.enter_context(closing(Sink()))
        kinds: list[type[Peer]] = [Pysendmail, *installed()]
        peers = [kind(sink) for kind in kinds if kind.resident]
        for peer in peers:
            stack.callback(peer.close)
        sink.stop()
        contests: list[Contest] = [(peer.name, resident(peer, peer.stop)) for peer in peers]
        idle = figures(take_turns(settings.runs, contests))
        ours = next(figure.median for figure in idle if figure.label == OURS)
        target = Target("MiB", ours, "at most", 20)
        yield Table("Memory, nothing waits", "MiB (PSS)", idle, targets=[target])
        for peer in peers:
            progress(f"fill the queue of {peer.name}")
            peer.fill(count)
        contests = [(peer.name, resident(peer, peer.refill)) for peer in peers]
        given = take_turns(settings.runs, contests)
        yield Table(f"Memory, {count} messages wait", "MiB (PSS)", figures(given))


def resident(peer: Peer, before: Callable[[], None]) -> Callable[[], float]:
    """Return the contest of a peer: what it has a while after its start."""

    def run() -> float:
        before()
        peer.start()
        time.sleep(SETTLING_S)
        return peer.place.memory_mib()

    return run
