"""What a process costs before it does anything, and the least that ours does: ask the daemon."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing

from tests.bench.measuring import BARE, OURS, Contest, Settings, Table, figures, take_turns
from tests.bench.peers import Peer, Pysendmail, installed
from tests.bench.smarthosts import Sink


def measure(settings: Settings) -> Iterable[Table]:
    """Yield the floors, and the listing of an empty queue by everybody."""
    with ExitStack() as stack:
        sink = stack.enter_context(closing(Sink()))
        ours = stack.enter_context(closing(Pysendmail(sink)))
        ours.start()
        python = [ours.interpreter, "-I"]
        floors = {
            "/bin/true": ["/bin/true"],
            BARE: [*python, "-S", "-c", "pass"],
            "python3 -I -c pass": [*python, "-c", "pass"],
            "python3 -I -c 'import smtplib'": [*python, "-c", "import smtplib"],
        }
        yield Table(
            "Start-up",
            "ms",
            figures(take_turns(settings.runs * 3, contests_of(ours, floors), warm_up=True), 1000),
            base=BARE,
        )
        contests = contests_of(ours, {BARE: floors[BARE], OURS: ours.listing()})
        for kind in installed():
            peer = kind(sink)
            stack.callback(peer.close)
            if listing := peer.listing():
                peer.start()
                contests += contests_of(peer, {peer.name: listing})
        given = take_turns(settings.runs * 3, contests, warm_up=True)
        yield Table("mailq as root, nothing waits", "ms", figures(given, 1000), base=BARE)


def contests_of(peer: Peer, commands: dict[str, list[str]]) -> list[Contest]:
    """Return a contest for each command, run by root in the peer's place."""

    def timed(command: list[str]) -> Callable[[], float]:
        return lambda: root.time(command)

    root = peer.place.stopwatch()
    return [(label, timed(command)) for label, command in commands.items()]
