"""How long a caller waits for the smarthost's verdict: sendmail, as an ordinary user, 2 KB.

Ours with the daemon up, whose connection is open from the delivery before; and without one, as
root, who may read the password. Of the others those that wait for the verdict, and the least
program that does it with Python's smtplib.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from functools import partial

from tests.bench import link
from tests.bench.certificate import Certificate
from tests.bench.measuring import (
    BARE,
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
from tests.bench.peers.peer import HOSTNAME, RECIPIENT, SENDER
from tests.bench.smarthosts import PASSWORD, USER, Sink, Smarthost

DIRECT = f"{OURS}, no daemon, root (direct)"
SMTPLIB = "smtplib's least program"
LEAST_PROGRAM = """\
import smtplib, sys
with smtplib.SMTP({host!r}, {port}, {hostname!r}) as client:
    {login}
    client.sendmail({sender!r}, [{recipient!r}], sys.stdin.buffer.read())
"""
ROUND_TRIP_S = 0.05
# TCP, greeting, EHLO, STARTTLS, TLS 1.3, EHLO, AUTH, envelope, body
ROUND_TRIPS = 9


def measure(settings: Settings) -> Iterable[Table]:
    """Yield a table for each kind of smarthost."""
    certificate = Certificate()
    with closing(Sink()) as sink:
        yield plain_table(contest(sink, (), settings.runs))
    with closing(Smarthost(tls=certificate)) as smarthost:
        yield tls_table(contest(smarthost, (), settings.runs))
    if reason := link.why_not():
        progress(f"left out: {reason}")
        return
    for chunking in (False, True):
        with ExitStack() as stack:
            road = stack.enter_context(closing(link.Link(ROUND_TRIP_S)))
            far = Smarthost(link.SERVER, road.server, tls=certificate, chunking=chunking)
            stack.enter_context(closing(far))
            trips: list[int] = []
            given = contest(far, road.client, settings.runs, partial(counted, road, trips))
            yield far_table(given, chunking, trips[-settings.runs :])


Given = dict[str, list[float]]
Timing = Callable[[], float]


def counted(road: link.Link, trips: list[int], timing: Timing) -> Timing:
    """Return a timing that puts the link's round trips into `trips` too."""

    def timed() -> float:
        road.round_trips()  # that were before
        seconds = timing()
        trips.append(road.round_trips())
        return seconds

    return timed


def contest(
    smarthost: Sink | Smarthost,
    network: Sequence[str],
    runs: int,
    direct: Callable[[Timing], Timing] = lambda timing: timing,
) -> Given:
    """Return the seconds of everybody; `direct` is applied to the timing of the direct door."""
    with ExitStack() as stack:
        up = stack.enter_context(closing(Pysendmail(smarthost, network)))
        down = stack.enter_context(closing(Pysendmail(smarthost, network)))
        root = stack.enter_context(closing(down.place.stopwatch()))
        down.start()  # it makes its directories, and the snapshot of its configuration
        down.stop()
        up.start()
        bare = [up.interpreter, "-I", "-S", "-c", "pass"]
        smtplib = [up.interpreter, "-I", "-S", "-c", least_program(smarthost)]
        contests: list[Contest] = [
            (BARE, lambda: up.stopwatch.time(bare)),
            (OURS, lambda: up.submit(up.delivering())),
            (DIRECT, direct(lambda: root.time(down.delivering(), down.message))),
            (SMTPLIB, lambda: up.submit(smtplib)),
        ]
        for kind in installed():
            peer = kind(smarthost, network)
            stack.callback(peer.close)
            if peer.delivering():
                contests.append((peer.name, delivery(peer)))
        return take_turns(runs, contests, warm_up=True)


def delivery(peer: Peer) -> Timing:
    """Return the contest of a peer."""
    return lambda: peer.submit(peer.delivering() or [])


def least_program(smarthost: Sink | Smarthost) -> str:
    """Return the program's text."""
    login = f"client.starttls(); client.login({USER!r}, {PASSWORD!r})"
    return LEAST_PROGRAM.format(
        host=smarthost.host, port=smarthost.port, hostname=HOSTNAME, sender=SENDER,
        recipient=RECIPIENT, login=login if smarthost.tls else "pass",
    )  # fmt: skip


def table(given: Given, title: str, targets: Callable[[Table], list[Target]]) -> Table:
    """Return a table with the targets that its medians have."""
    made = Table(
        f"Foreground delivery, {title}", "ms until sendmail returns", figures(given, 1000),
        base=BARE,
    )  # fmt: skip
    made.targets = [target.markdown() for target in targets(made)]
    return made


def plain_table(given: Given) -> Table:
    """Return the table without TLS."""
    return table(given, "plain, no latency", lambda made: near_targets(made, 1.5, 3))


def tls_table(given: Given) -> Table:
    """Return the table with TLS."""
    return table(
        given, "STARTTLS and AUTH, no latency", lambda made: near_targets(made, 1.6, 4.5)
    )  # fmt: skip


def near_targets(made: Table, up: float, down: float) -> list[Target]:
    """Return the targets where there is no latency."""
    bare = made.median(BARE)
    quickest = min((made.median(name) for name in others(made)), default=0.0)
    targets = [
        Target(f"daemon up ÷ {BARE}", made.median(OURS) / bare, "at most", up),
        Target(f"no daemon ÷ {BARE}", made.median(DIRECT) / bare, "at most", down),
        Target(f"no daemon ÷ {SMTPLIB}", made.median(DIRECT) / made.median(SMTPLIB), "below", 1),
    ]
    if quickest:
        best = made.median(OURS) / quickest
        targets.append(Target("daemon up ÷ the quickest peer", best, "below", 1))
    return targets


def far_table(given: Given, chunking: bool, trips: list[int]) -> Table:
    """Return a table of the link. `trips`: how many round trips the direct door took each time."""

    def targets(made: Table) -> list[Target]:
        limit = (1 if chunking else 2) * ROUND_TRIP_S * 1000 + 20
        found = [
            Target("daemon up, ms", made.median(OURS), "at most", limit),
            Target("no daemon, round trips", statistics.median(trips), "at most", ROUND_TRIPS),
        ]
        for name, part in (("msmtp", 8), ("Exim", 5)):
            if made.median(name):
                parts = made.median(name) / made.median(OURS)
                found.append(Target(f"{name} ÷ ours, daemon up", parts, "at least", part))
        if others(made):
            quickest = min(made.median(name) for name in others(made))
            best = made.median(DIRECT) / quickest
            found.append(Target("no daemon ÷ the quickest peer", best, "below", 1))
        return found

    kind = "CHUNKING" if chunking else "PIPELINING alone"
    made = table(given, f"STARTTLS and AUTH, 50 ms, {kind}", targets)
    direct = next(figure for figure in made.figures if figure.label == DIRECT)
    direct.note = f"{min(trips)} to {max(trips)} round trips"
    return made


def others(made: Table) -> list[str]:
    """Return the labels of the peers."""
    return [f.label for f in made.figures if f.label not in (BARE, OURS, DIRECT, SMTPLIB)]
