"""What a daemon costs that has nothing to do: processor time, and how often it wakes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from pathlib import Path

from tests.bench.measuring import Contest, Figure, Settings, Table, figures, take_turns
from tests.bench.peers import Peer, Pysendmail, installed
from tests.bench.smarthosts import Sink

SETTLING_S, LOOK_S = 3.0, 10.0


def measure(settings: Settings) -> Iterable[Table]:
    """Yield the processor time and the wakes."""
    with ExitStack() as stack:
        sink = stack.enter_context(closing(Sink()))
        wakes: dict[str, list[float]] = {}
        contests: list[Contest] = []
        kinds: list[type[Peer]] = [Pysendmail, *installed()]
        for kind in kinds:
            if kind.resident:
                peer = kind(sink)
                stack.callback(peer.close)
                peer.start()
                contests.append((peer.name, look(peer, wakes.setdefault(peer.name, []))))
        time.sleep(SETTLING_S)
        given = take_turns(settings.runs, contests)
        yield Table("Processor time when idle", "ms an hour", figures(given))
        woken = [Figure(name, values) for name, values in wakes.items()]
        yield Table("Wakes when idle", "context switches a minute, all processes", woken)


def look(peer: Peer, wakes: list[float]) -> Callable[[], float]:
    """Return the contest of a peer, which also adds to `wakes`."""

    def run() -> float:
        processes = peer.place.processes()
        used, woken = on_processor_ms(processes), switches(processes)
        time.sleep(LOOK_S)
        wakes.append((switches(processes) - woken) * 60 / LOOK_S)
        return (on_processor_ms(processes) - used) * 3600 / LOOK_S

    return run


def on_processor_ms(processes: list[int]) -> float:
    """Return the time that all threads were on a processor (/proc/PID/task/TID/schedstat)."""
    return sum(float(text.split()[0]) for text in of_threads(processes, "schedstat")) / 1e6


def switches(processes: list[int]) -> int:
    """Return how often all threads have given the processor back by themselves."""
    found = (
        re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.MULTILINE)
        for text in of_threads(processes, "status")
    )
    return sum(int(one[1]) for one in found if one)


def of_threads(processes: list[int], name: str) -> list[str]:
    """Return the text of a file of each thread."""
    texts = []
    for pid in processes:
        for path in Path(f"/proc/{pid}/task").glob(f"*/{name}"):
            try:
                texts.append(path.read_text())
            except OSError:
                continue  # ended meanwhile
    return texts
