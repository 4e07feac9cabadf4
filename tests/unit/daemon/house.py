"""A daemon's parts around a spool and a smarthost in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from pysendmail.config.keys import Config
from pysendmail.daemon.scheduler import Scheduler
from pysendmail.daemon.state import State
from pysendmail.daemon.workers import Workers
from pysendmail.relay.pool import Pool
from pysendmail.relay.smarthost import Smarthost
from pysendmail.smtp import Client
from pysendmail.spool.memory import MemorySpool
from tests.helpers.waiting import wait_until
from tests.unit.relay.peers import Peer, session, smarthost
from tests.unit.submission.samples import CONFIG, FakeJournal

PATIENCE_S = 20.0


class FakeRelay:
    """One smarthost, whose sessions are those of `peers` and then those of `make_peer`."""

    def __init__(
        self,
        peers: Iterable[Peer | Exception] = (),
        make_peer: Callable[[], Peer] = Peer,
        *,
        messages_per_minute: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.peers = list(peers)
        self.used: list[Peer] = []
        self.make_peer = make_peer
        self.config: Config = CONFIG
        self.smarthosts: tuple[Smarthost, ...] = (smarthost("alpha"),)
        self.pool = Pool(
            self.smarthosts,
            self._open,
            lambda *_: None,
            connections=4,
            messages_per_connection=100,
            messages_per_minute=messages_per_minute,
            idle_timeout=30.0,
            clock=clock,
        )

    def _open(self, smarthost: Smarthost, **_hooks: object) -> Client:
        peer = self.peers.pop(0) if self.peers else self.make_peer()
        if isinstance(peer, Exception):
            raise peer
        self.used.append(peer)
        return session(peer)

    @property
    def delivered(self) -> list[list[str]]:
        return [recipients for peer in self.used for recipients, _ in peer.messages]


def make_state(
    relay: FakeRelay | None = None, *, spool: Any = None, scratch: str = "/tmp", **config: Any
) -> State:
    journal = FakeJournal()
    workers = Workers(4, lambda error: journal.event("", "worker failed", said=repr(error)))
    relay = relay or FakeRelay()
    relay.config = CONFIG.replaced(**{"wait": PATIENCE_S, **config})
    return State(
        relay,  # type: ignore[arg-type]
        spool or MemorySpool(),
        workers,
        journal,  # type: ignore[arg-type]
        scratch=scratch,
    )


class FakeDrops:
    """A drop directory that always has changed; `sweep` does what it is told."""

    under_way = False

    def __init__(self, sweep: Callable[[], None] = lambda: None) -> None:
        self._sweep = sweep
        self.sweeps = 0

    def watch(self) -> bool:
        return False

    def changed(self) -> bool:
        return True

    def sweep(self, now: float) -> None:
        self.sweeps += 1
        self._sweep()


class House:
    """A scheduler and what it works with."""

    def __init__(self, relay: FakeRelay | None = None, **facts: Any) -> None:
        self.relay = relay or FakeRelay()
        self.drops = facts.pop("drops", None) or FakeDrops()
        self.state = make_state(self.relay, **facts)
        self.scheduler = Scheduler(self.state, self.drops)
        self.runs = self.scheduler.runs

    @property
    def spool(self) -> Any:
        return self.state.spool

    def names(self) -> list[str]:
        return self.state.journal.names()  # type: ignore[attr-defined,no-any-return]

    def run(self, until: Callable[[], object]) -> None:
        """Run until something holds, then stop."""
        thread = threading.Thread(target=self.scheduler.run, daemon=True)
        thread.start()
        try:
            wait_until(until)
        finally:
            self.scheduler.stop()
            thread.join(PATIENCE_S)
        assert not thread.is_alive()
