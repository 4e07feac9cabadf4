"""The spool in memory: the contract in its plainest form, for tests and for reading.

Keeps every promise of `contract` but durability. One process only.
"""

from __future__ import annotations

import threading

from pysendmail.message.content import Content
from pysendmail.message.message import MessageAtRest
from pysendmail.spool.entry import (
    ACTIONS,
    AT_ONCE,
    Entry,
    check_queue_id,
    entered,
)
from pysendmail.spool.errors import AlreadyEntered, EntryBusy
from pysendmail.spool.index import CLAIMED, HELD, Index
from pysendmail.spool.sweep import MEMORY_S, pass_over

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pysendmail.message.envelope import Envelope
    from pysendmail.message.message import Message
    from pysendmail.message.outcome import Outcome
    from pysendmail.spool.contract import Claim, Notice, Spool
    from pysendmail.spool.sweep import Finding


class MemorySpool:
    """Entries in a dict."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._entries: dict[str, Entry] = {}
        self._messages: dict[str, bytes] = {}
        self._claimed: set[str] = set()
        self._remembered: dict[str, float] = {}
        self._index = Index()
        self._woken = threading.Event()

    def enter(
        self,
        queue_id: str,
        envelope: Envelope,
        message: Message,
        *,
        arrived: float,
        uid: int,
        next_attempt: float,
        outcomes: Sequence[Outcome] = (),
        attempts: int = 0,
        claim: bool = False,
    ) -> MemoryClaim | None:
        """Take a message in (see `contract`)."""
        entry = entered(
            queue_id,
            envelope,
            arrived=arrived,
            uid=uid,
            size=message.size,
            next_attempt=next_attempt,
            outcomes=outcomes,
            attempts=attempts,
        )
        octets = b"".join(message.chunks())
        with self._lock:
            if queue_id in self._entries or queue_id in self._remembered:
                raise AlreadyEntered(queue_id)
            self._messages[queue_id] = octets
            self._wait_on(entry)
            return self.claim(queue_id) if claim else None

    def free(self) -> float:
        """There is no bound that we know."""
        return float("inf")

    def due(self, now: float, limit: int) -> list[str]:
        """Return ids whose next attempt has come, earliest first."""
        return self._index.due(now, limit)

    def next_due(self) -> float | None:
        """Return when the next entry is due."""
        return self._index.next_due()

    def claim(self, queue_id: str) -> MemoryClaim | None:
        """Take an entry in hand; None when it is gone, taken or held."""
        with self._lock:
            entry = self._entries.get(check_queue_id(queue_id))
            if entry is None or entry.held or queue_id in self._claimed:
                return None
            self._claimed.add(queue_id)
            self._index.put(queue_id, CLAIMED)
            return MemoryClaim(self, entry, self._messages[queue_id])

    def entries(self) -> Iterator[Entry]:
        """Yield the entries."""
        with self._lock:
            return iter(list(self._entries.values()))

    def ids(self) -> Iterator[str]:
        """Yield the ids of all entries."""
        return iter(list(self._entries))

    def count(self, at_most: int | None = None) -> int:
        """Return the number of entries, `at_most` where there are more."""
        return min(len(self._entries), len(self._entries) if at_most is None else at_most)

    def find(self, queue_id: str) -> Entry | None:
        """Return this entry, or None."""
        return self._entries.get(check_queue_id(queue_id))

    def open_message(self, queue_id: str) -> Message | None:
        """Return the message of an entry, or None."""
        octets = self._messages.get(check_queue_id(queue_id))
        return None if octets is None else _message_of(octets)

    def change(self, queue_id: str, action: str) -> bool:
        """Do what an administrator asks to an entry; False when it is gone."""
        if action not in ACTIONS:
            raise ValueError(f"{action!r} is none of {', '.join(ACTIONS)}")
        with self._lock:
            entry = self._entries.get(check_queue_id(queue_id))
            if queue_id in self._claimed:
                raise EntryBusy(queue_id)
            if entry is None:
                return False
            if action == "remove":
                self._remove(queue_id)
            elif action == "expedite":
                self._wait_on(entry.changed(next_attempt=AT_ONCE))
            else:
                self._wait_on(entry.changed(held=action == "hold"))
            return True

    def expedite(self, queue_ids: Iterable[str]) -> None:
        """Let those of these entries that wait be due at once."""
        with self._lock:
            for queue_id in queue_ids:
                entry = self._entries.get(queue_id)
                if entry is not None and not entry.held and queue_id not in self._claimed:
                    self._wait_on(entry.changed(next_attempt=AT_ONCE))

    def remember(self, queue_id: str, now: float) -> None:
        """Let `enter` refuse this id for a day."""
        with self._lock:
            self._remembered[check_queue_id(queue_id)] = now

    def wake(self) -> None:
        """End the `wait` of whoever waits."""
        self._woken.set()

    def wait(self, timeout: float | None) -> bool:
        """Wait until woken (True) or `timeout` seconds passed."""
        woken = self._woken.wait(timeout)
        self._woken.clear()
        return woken

    def rescan(self) -> None:
        """Nothing to do: no other process is here."""

    def sweep(self, now: float, look: Callable[[Entry], None] = pass_over) -> list[Finding]:
        """Forget old memories; nothing else goes wrong in memory."""
        for entry in self.entries():
            look(entry)
        with self._lock:
            self._remembered = {
                queue_id: noted
                for queue_id, noted in self._remembered.items()
                if abs(now - noted) <= MEMORY_S
            }
        return []

    def in_place(self) -> bool:
        """It has no name, so it is."""
        return True

    def sync(self) -> None:
        """Nothing here outlives the process."""

    def close(self) -> None:
        """Nothing to close."""

    def settle(self, settled: Entry, notices: Sequence[Notice], now: float) -> None:
        """Do what a claim's `settle` asks: the notices first, all of them or none."""
        with self._lock:
            for queue_id, envelope, message, next_attempt in notices:
                try:
                    self.enter(
                        queue_id,
                        envelope,
                        message,
                        arrived=now,
                        uid=settled.uid,
                        next_attempt=next_attempt,
                    )
                except AlreadyEntered:
                    pass  # by an earlier try at this settle
            if settled.pending:
                self.give_back(settled)
            else:
                self._claimed.discard(settled.queue_id)
                self._remove(settled.queue_id)

    def give_back(self, entry: Entry) -> None:
        """End a claim; the entry waits on."""
        with self._lock:
            self._claimed.discard(entry.queue_id)
            self._wait_on(entry)

    def _wait_on(self, entry: Entry) -> None:
        self._entries[entry.queue_id] = entry
        self._index.put(entry.queue_id, HELD if entry.held else entry.next_attempt)
        self.wake()

    def _remove(self, queue_id: str) -> None:
        del self._entries[queue_id]
        del self._messages[queue_id]
        self._index.drop(queue_id)


class MemoryClaim:
    """An entry in hand."""

    __slots__ = ("_message", "_over", "_spool", "entry")

    def __init__(self, spool: MemorySpool, entry: Entry, octets: bytes) -> None:
        self._spool = spool
        self._message = _message_of(octets)
        self._over = False
        self.entry = entry

    def message(self) -> Message:
        """Return the message; it ends with the claim."""
        return self._message

    def settle(
        self,
        outcomes: Sequence[Outcome],
        next_attempt: float,
        *,
        now: float,
        notices: Sequence[Notice] = (),
        warned: bool | None = None,
        sync: bool = True,
    ) -> None:
        """Record an attempt and end the claim (see `contract`)."""
        if self._over:
            raise ValueError(f"the claim on {self.entry.queue_id} is over")
        settled = self.entry.settled(outcomes, next_attempt, now=now, warned=warned)
        self._spool.settle(settled, notices, now)
        self._end()

    def release(self) -> None:
        """Give the entry back; does nothing when the claim is over."""
        if not self._over:
            self._end()
            self._spool.give_back(self.entry)

    def _end(self) -> None:
        self._over = True
        self._message.close()

    def __enter__(self) -> MemoryClaim:
        return self

    def __exit__(self, *error: object) -> None:
        self.release()


def _message_of(octets: bytes) -> Message:
    content = Content(memory=len(octets))
    content.write(octets)
    return MessageAtRest(content)


if TYPE_CHECKING:
    _keeps_to_the_contract: type[Spool] = MemorySpool
    _so_does_its_claim: type[Claim] = MemoryClaim
