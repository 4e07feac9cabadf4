"""How fast a full queue gets out once the smarthost is back, and what that costs the processor.

The messages came in while the smarthost was away; then it comes back, the queue is flushed as its
manual tells, and the clock runs until the smarthost has the last. Who is slower than PATIENCE_S is
stopped then: the rate is of what came.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing

from tests.bench import link
from tests.bench.certificate import Certificate
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
from tests.bench.peers import PEERS, AllDue, Peer, Postfix, Pysendmail, TunedPostfix, installed
from tests.bench.smarthosts import Sink, Smarthost

NEAR, FAR = 5000, 1000
ROUND_TRIP_S = 0.05
PATIENCE_S = 10.0
MOST_CONNECTIONS = 20


class Drain:
    """One contestant's runs. `processor`: milliseconds of processor time a message, of each run;
    `connections`: the most that were open at once, by the link where there is one.
    """

    def __init__(self, peer: Peer, count: int, road: link.Link | None) -> None:
        self.peer = peer
        self.count = count
        self.road = road
        self.processor: list[float] = []
        self.fewest = count
        self.connections = 0
        peer.fill(count)

    def run(self) -> float:
        """Return the messages a second."""
        peer, smarthost = self.peer, self.peer.smarthost
        smarthost.stop()
        peer.refill()
        peer.start_waiting()
        smarthost.start()
        if self.road:
            self.road.connections()  # that were before
        before = peer.place.processor_seconds() + children_seconds()
        already = smarthost.taken
        began = time.perf_counter()
        commands = peer.flush()
        taken, moment = smarthost.see(self.count, PATIENCE_S)
        for command in commands:
            command.poll()  # one that has ended counts as our child, others as what runs there
        used = peer.place.processor_seconds() + children_seconds() - before
        if self.road:
            self.connections = max(self.connections, self.road.connections())
        peer.stop()
        for command in commands:
            command.wait()
        self.processor.append(used / max(taken, 1) * 1000)
        self.fewest = min(self.fewest, taken)
        return (taken - already) / (moment - began) if taken > already else 0.0

    @property
    def note(self) -> str:
        """What is to be said of the runs."""
        used = f"{Figure('', self.processor).median:.2f} ms of CPU a message"
        if self.fewest == self.count:
            return used
        return f"{used}; {self.fewest} came in {PATIENCE_S:g} s"


def children_seconds() -> float:
    """Return the processor time of all our children that have ended and been waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(settings: Settings) -> Iterable[Table]:
    """Yield a table near the smarthost, and two far from it."""
    near, far = settings.count(NEAR), settings.count(FAR, least=50)
    with closing(Sink()) as sink:
        yield from near_tables(drain_all(sink, None, near, settings.runs, PEERS), near)
    if reason := link.why_not():
        progress(f"left out: {reason}")
        return
    with ExitStack() as stack:
        road = stack.enter_context(closing(link.Link(ROUND_TRIP_S)))
        for chunking in (False, True):
            smarthost = stack.enter_context(
                closing(Smarthost(link.SERVER, road.server, tls=Certificate(), chunking=chunking))
            )
            kinds = (*PEERS, TunedPostfix)
            given = drain_all(smarthost, road, far, settings.runs, kinds)
            yield far_table(given, chunking, far)


Given = list[tuple[Drain, list[float]]]


def drain_all(
    smarthost: Sink | Smarthost,
    road: link.Link | None,
    count: int,
    runs: int,
    kinds: Sequence[type[Peer]],
) -> Given:
    """Return each contestant with its rates."""
    with ExitStack() as stack:
        drains = []
        contestants: list[type[Peer]] = [Pysendmail, AllDue, *installed(*kinds)]
        for kind in contestants:
            if kind.flushes:
                progress(f"fill the queue of {kind.name}")
                peer = stack.enter_context(closing(kind(smarthost, road.client if road else ())))
                drains.append(Drain(peer, count, road))
        contests: list[Contest] = [(drain.peer.name, drain.run) for drain in drains]
        given = take_turns(runs, contests)
        return [(drain, given[drain.peer.name]) for drain in drains]


def near_tables(given: Given, count: int) -> Iterable[Table]:
    """Yield the rates and the processor time at no latency."""
    rates = [Figure(drain.peer.name, values, drain.note) for drain, values in given]
    yield Table(
        "Drain, plain, no latency",
        f"messages a second ({count} of 2 KB)",
        rates,
        targets=targets(rates, 4, 3),
    )
    used = [Figure(drain.peer.name, drain.processor) for drain, _ in given]
    medians = {figure.label: figure.median for figure in used}
    yield Table(
        "Processor time of a drain",
        "ms a message, user and system, all processes",
        used,
        targets=[Target("÷ Postfix", medians[OURS] / medians[Postfix.name], "at most", 0.5)]
        if Postfix.name in medians
        else [],
    )


def far_table(given: Given, chunking: bool, count: int) -> Table:
    """Return the rates over the link."""
    connections = max(drain.connections for drain, _ in given if OURS in drain.peer.name)
    rates = [Figure(drain.peer.name, values, drain.note) for drain, values in given]
    return Table(
        f"Drain, STARTTLS and AUTH, 50 ms, {'CHUNKING' if chunking else 'PIPELINING alone'}",
        f"messages a second ({count} of 2 KB)",
        rates,
        targets=[
            *targets(rates, 20 if chunking else 10, 6 if chunking else 3),
            Target("connections at the same time", connections, "at most", MOST_CONNECTIONS),
        ],
    )


def targets(rates: list[Figure], postfix: float, best: float) -> list[Target]:
    """Return the targets of ours against Postfix, and against the best of the others."""
    medians = {figure.label: figure.median for figure in rates}
    ours = medians.pop(OURS)
    del medians[AllDue.name]
    found = []
    if Postfix.name in medians:
        found.append(Target("÷ Postfix", ours / medians[Postfix.name], "at least", postfix))
    if medians:
        name = max(medians, key=lambda label: medians[label])
        found.append(Target(f"÷ the best peer ({name})", ours / medians[name], "at least", best))
    return found
