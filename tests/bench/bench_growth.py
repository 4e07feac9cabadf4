"""What 100,000 waiting messages cost: memory, start, listing, and the mail that comes meanwhile."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable
from contextlib import ExitStack, closing

from tests.bench.measuring import (
    OURS,
    Contest,
    Figure,
    Settings,
    Table,
    Target,
    figures,
    progress,
    take_turns,
)
from tests.bench.peers import Pysendmail
from tests.bench.smarthosts import Sink
from tests.helpers.waiting import wait_until

WAITING = 100_000
MIB = 1024 * 1024
LONG_S = 600.0
LATER_S = 3600.0
REFUSE_ALL = ("-r", "rcpt")  # with 450: each message is deferred by itself


def measure(settings: Settings) -> Iterable[Table]:
    """Yield memory, times of start and listing, and one message's time."""
    count = settings.count(WAITING)
    with ExitStack() as stack:
        sink = stack.enter_context(closing(Sink()))
        full = stack.enter_context(closing(Pysendmail(sink)))
        progress(f"fill the queue with {count}")
        full.fill(count, due_after="1s")
        contests: list[Contest] = [
            ("start until all is known", lambda: start_until_known(full, count)),
            ("memory, MiB", full.place.memory_mib),
        ]
        given = take_turns(settings.runs, contests)
        memory = figures({OURS: given.pop("memory, MiB")})
        most = 20 + 400 * count / MIB
        target = Target("MiB, 20 and 400 octets a message", memory[0].median, "at most", most)
        yield Table(f"Memory, {count} messages wait", "MiB (PSS)", memory, targets=[target])
        given |= take_turns(
            settings.runs, [("start until the first delivery", lambda: start_until_first(full))]
        )
        have_all_deferred(full, count)
        contests = [
            ("mailq, first line", lambda: list_queue(full, first_line=True)),
            ("mailq, all", lambda: list_queue(full, first_line=False)),
        ]
        yield seconds_table(given | take_turns(settings.runs, contests), count)
        yield one_message(stack, sink, full, settings)


def start_until_known(full: Pysendmail, count: int) -> float:
    """Return the seconds from the daemon's start until it has found all that waits; the smarthost
    is away.
    """
    full.smarthost.stop()
    full.stop()
    began = time.perf_counter()
    full.start_daemon()
    wait_until(
        lambda: full.status().get("waiting") == count, seconds=LONG_S, what="all to be known"
    )
    return time.perf_counter() - began


def start_until_first(full: Pysendmail) -> float:
    """Return the seconds from the daemon's start until the smarthost has the first message; both
    are ended then, so that nearly all goes on waiting.
    """
    sink = full.smarthost
    sink.stop()
    full.stop()
    sink.start()
    began = time.perf_counter()
    full.start_daemon()
    seconds = sink.wait(1) - began
    full.stop()
    sink.stop()
    return seconds


def list_queue(full: Pysendmail, *, first_line: bool) -> float:
    """Return the seconds until mailq has written its first line, or all."""
    began = time.perf_counter()
    process = subprocess.Popen([*full.place.within(), "mailq"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline()
    first = time.perf_counter() - began
    process.communicate()
    return first if first_line else time.perf_counter() - began


def seconds_table(given: dict[str, list[float]], count: int) -> Table:
    """Return the times of start and listing."""
    limits = {
        "start until all is known": 5.0,
        "start until the first delivery": 1.0,
        "mailq, first line": 0.2,
        "mailq, all": 5.0,
    }
    rows = [Figure(f"{OURS}: {label}", given[label]) for label in limits]
    targets = [
        Target(f"{label}, s", row.median, "at most", limits[label])
        for label, row in zip(limits, rows, strict=True)
    ]
    return Table(f"Start and listing, {count} messages wait", "s", rows, targets=targets)


def one_message(stack: ExitStack, sink: Sink, full: Pysendmail, settings: Settings) -> Table:
    """Return what one submission and one delivery take, beside the same with none waiting."""
    empty = stack.enter_context(closing(Pysendmail(sink)))
    empty.start()
    contests: list[Contest] = [
        ("-odi, none waiting", lambda: empty.submit(empty.delivering())),
        ("-odi, all waiting", lambda: full.submit(full.delivering())),
        ("-odb, none waiting", lambda: empty.submit(empty.queueing())),
        ("-odb, all waiting", lambda: full.submit(full.queueing())),
    ]
    given = take_turns(settings.runs * 3, contests, warm_up=True)
    rows = figures(given, 1000)
    medians = {figure.label: figure.median for figure in rows}
    return Table(
        "One message while others wait",
        "ms until sendmail returns",
        rows,
        targets=[
            Target(
                f"{mode}, all waiting ÷ none waiting",
                medians[f"{mode}, all waiting"] / medians[f"{mode}, none waiting"],
                "at most", 1.1,
            )
            for mode in ("-odi", "-odb")
        ],
    )  # fmt: skip


def have_all_deferred(full: Pysendmail, count: int) -> None:
    """Fill the queue anew and have each message attempted, so that it waits for a day; the daemon
    runs, and so does the smarthost.
    """
    sink = full.smarthost
    assert isinstance(sink, Sink)
    progress("have all deferred")
    full.refill()
    sink.restart(*REFUSE_ALL)
    full.configure(retry_first="1d", retry_longest="1d")
    full.start()
    for command in full.flush():
        command.wait()

    def all_deferred() -> bool:
        moment = full.status().get("next_attempt")
        return isinstance(moment, float) and moment > time.time() + LATER_S

    wait_until(all_deferred, seconds=LONG_S, what="all to be deferred", evidence=full.log)
    assert full.status()["waiting"] == count, full.status()
    sink.restart()
