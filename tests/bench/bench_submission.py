"""How long a caller waits until the message is durable: sendmail, as an ordinary user, 2 KB.

Whoever delivers in the background does so: the smarthost is up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing

from tests.bench.measuring import BARE, OURS, Contest, Settings, Table, Target, figures, take_turns
from tests.bench.peers import Peer, Pysendmail, installed
from tests.bench.smarthosts import Sink

BACKGROUND = f"{OURS} -odb"
QUEUE = f"{OURS} -odq"
DROP = f"{OURS} -odb, no daemon (drop directory)"
DIRECT = f"{OURS} -odq, no daemon, root (direct)"


def measure(settings: Settings) -> Iterable[Table]:
    """Yield one table."""
    with ExitStack() as stack:
        sink = stack.enter_context(closing(Sink()))
        up = stack.enter_context(closing(Pysendmail(sink)))
        down = stack.enter_context(closing(Pysendmail(sink)))
        peers = [stack.enter_context(closing(kind(sink))) for kind in installed()]
        down.start()  # it makes its directories
        down.stop()
        up.start()
        root = stack.enter_context(closing(down.place.stopwatch()))
        contests: list[Contest] = [
            (BARE, lambda: up.stopwatch.time([up.interpreter, "-I", "-S", "-c", "pass"])),
            (BACKGROUND, lambda: up.submit(up.queueing())),
            (QUEUE, lambda: up.submit(up.queueing("-odq"))),
            (DROP, lambda: down.submit(down.queueing())),
            (DIRECT, lambda: root.time(down.queueing("-odq"), down.message)),
        ]
        for peer in peers:
            if peer.queueing():
                peer.start()
                contests.append((peer.name, submission(peer)))
        yield table(take_turns(settings.runs * 3, contests, warm_up=True))


def submission(peer: Peer) -> Callable[[], float]:
    """Return the contest of a peer."""
    return lambda: peer.submit(peer.queueing() or [])


def table(given: dict[str, list[float]]) -> Table:
    """Return the table with the targets of ours."""
    made = Table("Submission", "ms until sendmail returns", figures(given, 1000), base=BARE)
    bare, postfix = made.median(BARE), made.median("Postfix")
    targets = [
        Target(f"-odb, daemon up, ÷ {BARE}", made.median(BACKGROUND) / bare, "at most", 1.3),
        Target(f"no daemon, drop directory, ÷ {BARE}", made.median(DROP) / bare, "at most", 1.5),
    ]
    if postfix:
        targets.append(Target("-odb ÷ Postfix", made.median(BACKGROUND) / postfix, "below", 1))
    return Table(made.title, made.unit, made.figures, base=BARE, targets=targets)
