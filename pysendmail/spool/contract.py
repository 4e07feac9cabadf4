"""What every spool does: the contract that tests/unit/spool/contract.py runs over each backend.

A spool stores, it decides nothing: when to try again and what to tell the sender come from the
caller. Two sentences hold whatever happens, a power cut included:

- When `enter` has returned, the message is durable; it stays until each recipient is crossed off.
- `settle` crosses a recipient off only when its notice (bounce) is itself entered, durably.

Methods raise `SpoolError` or one of its kinds (see `errors`), and nothing is changed then unless
the method says otherwise. A spool may be used from many threads at once, and by many processes if
its place is shared. Times are seconds since the epoch and always the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from pysendmail.message.envelope import Envelope
from pysendmail.message.message import Message
from pysendmail.message.outcome import Outcome
from pysendmail.spool.entry import Entry
from pysendmail.spool.sweep import Finding, pass_over

# A bounce or delay warning: queue id, envelope, message, time of its first attempt.
Notice = tuple[str, Envelope, Message, float]


class Claim(Protocol):
    """An entry in hand: nobody else attempts or changes it until it is settled or released.

    Usable as a context manager, which releases in the end. Ends with the process by itself.
    """

    @property
    def entry(self) -> Entry:
        """The entry, as it was when claimed."""

    def message(self) -> Message:
        """Return the message, streamed from where it is kept. It ends with the claim."""

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
        """Record an attempt, durably, and end the claim.

        Without `sync` the removal of an entry with nobody left is durable only after the spool's
        next `sync`: until then a power cut may bring the delivered message out again. It is for
        who settles many, and may do so at length: each keeps a descriptor until then.

        First the notices are entered (one whose id is taken was entered by an earlier try at this
        very settle). Then delivered and failed recipients are crossed off; deferred ones, and those
        without outcome, wait until `next_attempt`. When none is left the entry goes.

        Raises SpoolError: the entry is as it was and the claim goes on, so settle may be tried
        again. If it was the sync after the entry's removal that failed, the claim is over: the
        entry is gone, but a power cut might bring it back.
        """

    def release(self) -> None:
        """Give the entry back unchanged. After `settle`, and the second time, does nothing."""

    def __enter__(self) -> Claim: ...

    def __exit__(self, *error: object) -> None: ...


class Entering(Protocol):
    """What a submission needs of a spool."""

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
    ) -> Claim | None:
        """Take a message in; durable on return. With `claim` nobody else gets at it first.

        `outcomes` are of `attempts` made before: delivered and failed recipients are crossed off at
        once (ValueError when that leaves nobody), deferred ones keep their reason.

        Raises AlreadyEntered when the id waits here or is remembered, durably: responsibility is
        taken, enter it no more. EntryBusy when the same id is being entered just now: the outcome
        is open. SpoolFull when there is no room. After any other SpoolError the message may wait in
        the spool all the same (the disk failed to say so), and may be delivered.
        """

    def free(self) -> float:
        """Return how many octets there is room for, infinity where nobody can say."""


class Spool(Entering, Protocol):
    """The place where entries wait."""

    def due(self, now: float, limit: int) -> list[str]:
        """Return up to `limit` ids whose next attempt has come, earliest first.

        A hint: an id may be gone or taken when claimed. Held entries and those claimed by this
        process are not in it. Ids stay due until claimed. Of a long queue that was just opened,
        the first that are found due come before the others are known.
        """

    def next_due(self) -> float | None:
        """Return when the next entry is due; None when none waits. A hint as `due` is."""

    def claim(self, queue_id: str) -> Claim | None:
        """Take an entry in hand. None, and not an error, when it is gone, taken or held."""

    def entries(self) -> Iterator[Entry]:
        """Yield the entries one by one, in no order."""

    def ids(self) -> Iterator[str]:
        """Yield the ids of all entries, held and claimed ones included, in no order."""

    def count(self, at_most: int | None = None) -> int:
        """Return the number of entries that `ids` yields; count no further than `at_most`."""

    def find(self, queue_id: str) -> Entry | None:
        """Return this entry, or None when there is none. Raises BrokenEntry when it is broken."""

    def open_message(self, queue_id: str) -> Message | None:
        """Return the message of an entry, for reading only; None when there is none. Close it."""

    def in_place(self) -> bool:
        """Tell whether the spool is still what its name leads to.

        When it is not, whoever opens it next will not find what is entered. Raises OSError when
        there is no telling.
        """

    def sync(self) -> None:
        """Make durable what was settled without `sync`, and give its room back."""

    def change(self, queue_id: str, action: str) -> bool:
        """Hold, release, expedite (due at once) or remove an entry, durably; False: it is gone.

        Hold and expedite go together: a held entry that was expedited is due once released.
        Removing bounces nothing. Raises EntryBusy while an attempt has the entry in hand.
        """

    def expedite(self, queue_ids: Iterable[str]) -> None:
        """Let those of these entries that wait be due at once, for this process alone.

        Nothing is written, so it is quick for any number, and over with the process: the next one
        finds them due when they were. Held and claimed ones stay as they are.
        """

    def remember(self, queue_id: str, now: float) -> None:
        """Let `enter` refuse this id for a day, though no entry is there.

        For what was delivered without waiting here, whose caller may not have had the answer. Holds
        through the end of this process, perhaps not through a power cut: it guards against
        duplicates, not against loss, and is asked for too often to be worth a sync.
        """

    def wake(self) -> None:
        """End the `wait` of whoever waits, here or in another process; at once, or his next one.

        Needed after this process changed something that another waits for. Inside a process,
        entering, settling, releasing, changing and expediting do it by themselves. Safe in signal
        handlers.
        """

    def wait(self, timeout: float | None) -> bool:
        """Wait until woken or `timeout` seconds passed; tell which (True: woken).

        For one thread of one process: the scheduler.
        """

    def rescan(self) -> None:
        """Let `due` know what other processes did. `wait` does it when woken by one of them."""

    def sweep(self, now: float, look: Callable[[Entry], None] = pass_over) -> list[Finding]:
        """Tidy up after crashes: half-entered files, broken entries (kept aside), old memories.

        Reads every entry, and shows it to `look`, which changes nothing: for the start of the
        daemon and about once an hour after that.
        """

    def close(self) -> None:
        """Give up what is open. Claims are to be ended before."""
