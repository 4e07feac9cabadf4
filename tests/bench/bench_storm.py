"""Many callers at once: 400 processes of sendmail, 20 at a time, each message durable.

The smarthost writes what it takes to files, for all contestants alike; of ours it is seen in them
that it has each message, and none twice.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from tests.bench.measuring import (
    BARE,
    OURS,
    Contest,
    Settings,
    Table,
    Target,
    figures,
    message,
    take_turns,
)
from tests.bench.peers import Peer, Pysendmail, installed
from tests.bench.smarthosts import Sink
from tests.helpers.waiting import wait_until

MESSAGES, AT_ONCE = 400, 20
IN_MEMORY = "/dev/shm"  # for what the smarthost keeps: it does not wait for the disk
SUBJECT = re.compile(rb"^Subject: bench (\d+)", re.MULTILINE)


def measure(settings: Settings) -> Iterable[Table]:
    """Yield one table."""
    count = settings.count(MESSAGES, least=AT_ONCE * 2)
    with ExitStack() as stack:
        kept = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=IN_MEMORY)))
        kept.chmod(0o777)
        sink = stack.enter_context(closing(Sink()))
        written = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="messages-")))
        messages = write_messages(written, count)
        ours = stack.enter_context(closing(Pysendmail(sink)))
        bare = [ours.interpreter, "-I", "-S", "-c", "pass"]
        nothing = [os.devnull] * count
        contests: list[Contest] = [
            (BARE, lambda: count / ours.stopwatch.flood(bare, nothing, at_once=AT_ONCE)),
            (OURS, storm_of_ours(ours, sink, messages, kept)),
        ]
        for kind in installed():
            peer = kind(sink)
            stack.callback(peer.close)
            if peer.queueing():
                contests.append((peer.name, storm_of(peer, sink, messages, kept)))
        yield table(take_turns(settings.runs, contests), count)


def write_messages(directory: Path, count: int) -> list[Path]:
    """Return files with messages that can be told apart."""
    directory.chmod(0o755)
    paths = [directory / str(number) for number in range(count)]
    for path in paths:
        path.write_bytes(message(path.name))
    return paths


@contextmanager
def keeping(sink: Sink, kept: Path) -> Iterator[None]:
    """Have the smarthost write each message to a file in `kept`, which is empty afterwards."""
    sink.restart("-d", f"{kept}/message.")
    try:
        yield
    finally:
        sink.stop()
        for path in kept.iterdir():
            path.unlink()
        sink.start()


def storm_of(peer: Peer, sink: Sink, messages: list[Path], kept: Path) -> Callable[[], float]:
    """Return the contest of a peer, which begins with an empty queue and its daemon up."""
    peer.keep_queue()

    def run() -> float:
        peer.refill()
        with keeping(sink, kept):
            peer.start()
            command = peer.queueing() or []
            seconds = peer.stopwatch.flood(command, messages, at_once=AT_ONCE)
            peer.stop()
        return len(messages) / seconds

    return run


def storm_of_ours(
    ours: Pysendmail, sink: Sink, messages: list[Path], kept: Path
) -> Callable[[], float]:
    """Return our contest; it raises AssertionError when a message is lost or comes twice."""
    wanted = Counter(path.name.encode() for path in messages)

    def run() -> float:
        with keeping(sink, kept):
            ours.start()
            seconds = ours.stopwatch.flood(ours.queueing(), messages, at_once=AT_ONCE)
            sink.wait(len(messages))
            # It is killed: what it has not been told yet it would send once more.
            wait_until(lambda: not ours.status()["waiting"], what="the queue to be empty")
            ours.stop()
            sink.stop()  # all its files are written
            found = Counter(
                name for path in kept.iterdir() for name in SUBJECT.findall(path.read_bytes())
            )
        assert found == wanted, f"lost: {wanted - found}; too often: {found - wanted}"
        return len(messages) / seconds

    return run


def table(given: dict[str, list[float]], count: int) -> Table:
    """Return the table with the targets of ours."""
    made = Table(
        f"Submit storm, {count} messages, {AT_ONCE} at a time", "processes a second",
        figures(given), base=BARE,
    )  # fmt: skip
    ours = made.median(OURS)
    targets = [Target(f"÷ {BARE}", ours / made.median(BARE), "at least", 0.75)]
    if postfix := made.median("Postfix"):
        targets.append(Target("÷ Postfix", ours / postfix, "above", 1))
    made.targets = [target.markdown() for target in targets]
    return made
