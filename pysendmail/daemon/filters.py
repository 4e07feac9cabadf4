"""Which entries a run of the queue is about: what sendmail writes behind -q.

`Iid`, `Rrecipient`, `Ssender`, with `!` before it for those it does not fit. The text is looked for
anywhere, without regard to case. Of several filters of one kind one must fit, and every kind.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pysendmail.spool.entry import Entry


class Filters:
    """The filters of one request; without any, every entry fits."""

    __slots__ = ("_by_kind",)

    def __init__(self) -> None:
        self._by_kind: dict[bytes, list[tuple[bytes, bool]]] = {}

    def add(self, written: bytes) -> None:
        """Add a filter as it is written behind -q; one of no known kind finds nothing."""
        wanted = not written.startswith(b"!")
        rest = written if wanted else written[1:]
        self._by_kind.setdefault(rest[:1], []).append((rest[1:].lower(), wanted))

    def __len__(self) -> int:
        return sum(map(len, self._by_kind.values()))

    def match(self, entry: Entry) -> bool:
        """Tell whether an entry is one that was meant."""
        return all(
            any(is_in(text, facts_of(entry, kind)) is wanted for text, wanted in filters)
            for kind, filters in self._by_kind.items()
        )


def facts_of(entry: Entry, kind: bytes) -> list[bytes]:
    """Return what a kind of filter looks at."""
    if kind == b"I":
        return [entry.queue_id.encode()]
    if kind == b"S":
        return [entry.envelope.sender]
    if kind == b"R":
        return [recipient.address for recipient in entry.pending]
    return []


def is_in(text: bytes, facts: list[bytes]) -> bool:
    """Tell whether a text is found in one of the facts."""
    return any(text in fact.lower() for fact in facts)
