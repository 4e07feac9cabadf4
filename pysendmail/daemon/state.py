"""What the parts of the daemon share: configuration, relay, spool, workers, log - and their reload.

A reload replaces the configuration and the relay as one value; deliveries that are under way end
with the one they began with.
"""

from __future__ import annotations

import threading
import time
from functools import partial

from pysendmail.daemon.clock import Clock
from pysendmail.daemon.turns import Turns
from pysendmail.journal import ERROR, WARNING, Journal
from pysendmail.message.alias_file import read_aliases, source_of
from pysendmail.relay.pool import Pool
from pysendmail.relay.session import open_session
from pysendmail.relay.smarthost import smarthosts_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pysendmail.config.keys import Config
    from pysendmail.daemon.workers import Workers
    from pysendmail.message.aliases import Aliases, Source
    from pysendmail.relay.policy import Rule
    from pysendmail.relay.smarthost import Smarthost
    from pysendmail.spool.contract import Spool


# Of the entries of one submitter so many are known to have just arrived: others come in the order
# of time, like all that waits.
ARRIVALS = 100


class Relay:
    """One configuration, its smarthosts and their connections: what a reload replaces as one."""

    __slots__ = ("config", "pool", "smarthosts")

    def __init__(self, config: Config, password: bytes | None, journal: Journal) -> None:
        def hear(smarthost: Smarthost, rule: Rule, text: bytes) -> None:
            event = "smarthost needs attention" if rule.alarm else "smarthost away"
            priority = ERROR if rule.alarm else WARNING
            journal.event("", event, priority=priority, smarthost=smarthost.name, said=text)

        self.config = config
        self.smarthosts = smarthosts_of(config, password)
        self.pool = Pool(
            self.smarthosts,
            partial(open_session, hostname=config.hostname),
            hear,
            connections=config.connections,
            messages_per_connection=config.messages_per_connection,
            messages_per_minute=config.messages_per_minute,
            idle_timeout=config.idle_timeout,
        )


class State:
    """One running daemon, as its parts see it."""

    def __init__(
        self,
        relay: Relay,
        spool: Spool,
        workers: Workers,
        journal: Journal,
        *,
        scratch: str,
    ) -> None:
        self.relay = relay
        self.spool = spool
        self.workers = workers
        self.journal = journal
        self.scratch = scratch
        self.accepts_deliveries = True
        self.arrivals: Turns[str] = Turns(ARRIVALS)  # entries that have just been entered
        self.started = time.time()
        self._began = time.monotonic()
        self._clock = Clock(self.started, self._began)
        self._aliases = CachedAliases(journal)

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.relay.config

    def age(self, arrived: float) -> float:
        """Return how old an entry is, for who decides that it is late or its life over.

        A clock that is set makes none older. And what waited when we came gets the longest pause
        before its life ends, so that we have tried it and not only seen that it is old: the clock
        may have been set, or the machine been off, while nobody looked.
        """
        config = self.config
        self.look_at_clock()
        steady = time.monotonic()
        oldest = max(config.lifetime - config.retry_longest, 0.0) + steady - self._began
        return min(self._clock.age(arrived, steady), oldest)

    def look_at_clock(self) -> float:
        """Return by how many seconds the time of day is ahead of the monotonic clock.

        To be called often, so that a step of the clock is known soon.
        """
        return self._clock.look(time.time(), time.monotonic())

    def reload(self, relay: Relay) -> None:
        """Go on with another configuration; the old connections end when they are given back."""
        old, self.relay = self.relay, relay
        old.pool.close()

    def aliases(self) -> Aliases:
        """Return the aliases as the file is now."""
        return self._aliases.read(self.config.aliases)


class CachedAliases:
    """The aliases file, read again when it, or a file it includes, has changed.

    Whoever wants them meanwhile waits: it is read by one thread, whatever number asks.
    """

    __slots__ = ("_aliases", "_journal", "_reading")

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._aliases: Aliases | None = None
        self._reading = threading.Lock()

    def read(self, path: str) -> Aliases:
        """Return the aliases in the file; one that is not there has none. Raises OSError."""
        with self._reading:
            known = self._aliases
            if known is None or known.sources[0][0] != path or any(map(has_changed, known.sources)):
                known = self._aliases = read_aliases(path)
                for error in known.errors:
                    self._journal.event("", "aliases need attention", priority=WARNING, said=error)
            return known


def has_changed(source: Source) -> bool:
    """Tell whether a file is not what it was when it was read."""
    return source_of(source[0]) != source
