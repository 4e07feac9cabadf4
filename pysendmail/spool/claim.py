"""An entry in hand: attempted by one at a time, and settled in the order that loses nothing."""

from __future__ import annotations

from pysendmail.spool.errors import as_spool_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pysendmail.message.message import Message
    from pysendmail.message.outcome import Outcome
    from pysendmail.spool.contract import Claim, Notice
    from pysendmail.spool.file import EntryFile
    from pysendmail.spool.store import Store


class DirectoryClaim:
    """An entry in hand: its open, locked file."""

    __slots__ = ("_file", "_message", "_over", "_store", "entry")

    def __init__(self, store: Store, file: EntryFile) -> None:
        self._store = store
        self._file = file
        self._message: Message | None = None
        self._over = False
        self.entry = file.entry

    def message(self) -> Message:
        """Return the message, streamed from the file; it ends with the claim."""
        if self._message is None:
            self._message = self._file.message()
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
        """Record an attempt, durably, and end the claim (see `contract`)."""
        if self._over:
            raise ValueError(f"the claim on {self.entry.queue_id} is over")
        pending = self.entry.pending_after(outcomes)
        with as_spool_error(f"settle {self.entry.queue_id}"):
            entered_notices = self._store.enter_notices(notices, now, self.entry.uid)
            try:
                # The notices are durable; only now may those they tell about be crossed off.
                self._store.step("settle: notices durable")
                if pending:
                    settled = self.entry.settled(outcomes, next_attempt, now=now, warned=warned)
                    self._file.append(settled)
                    self._store.step("settle: recorded")
                    self.release()
                else:
                    self._remove(close=sync)
            finally:
                for notice in entered_notices:
                    self._store.give_back(notice)
            if not pending and sync:
                # Should the removal be lost in a power cut, a delivered message goes out again.
                self._store.flush_queue()
                self._store.step("settle: removal durable")

    def _remove(self, *, close: bool) -> None:
        """Remove the entry that nobody waits in; then the claim is over."""
        self._store.remove(self._file)
        self._store.step("settle: removed")
        self._end()
        if close:
            self._file.close()
        else:
            self._store.close_later(self._file)

    def release(self) -> None:
        """Give the entry back; does nothing when the claim is over."""
        if not self._over:
            self._end()
            self._store.give_back(self._file)

    def _end(self) -> None:
        self._over = True
        if self._message is not None:
            self._message.close()

    def __enter__(self) -> DirectoryClaim:
        return self

    def __exit__(self, *error: object) -> None:
        self.release()


if TYPE_CHECKING:
    _keeps_to_the_contract: type[Claim] = DirectoryClaim
