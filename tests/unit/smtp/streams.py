"""Stream pairs in memory for the client: a peer that answers by script, and recorded writes."""

from __future__ import annotations


class Peer:
    """Reader and writer: each read returns the next of `chunks`, an exception among them is raised.

    `writes` records what was written, call by call.  `arrived` hands out a chunk at once only when
    `talking` is set; None then means that nothing is there.
    """

    def __init__(self, *chunks: bytes | Exception) -> None:
        self.chunks = list(chunks)
        self.writes: list[bytes] = []
        self.write_results: list[int | Exception | None] = []
        self.early: list[bytes | Exception | None] = []
        self.timeouts: list[float] = []
        self.closed = 0

    def read(self, size: int) -> bytes:
        assert size > 0
        chunk = self.chunks.pop(0) if self.chunks else b""
        if isinstance(chunk, Exception):
            raise chunk
        return chunk

    def write(self, octets: memoryview) -> int | None:
        result = self.write_results.pop(0) if self.write_results else len(octets)
        if isinstance(result, Exception):
            raise result
        if result:
            self.writes.append(bytes(octets[:result]))
        return result

    def set_timeout(self, seconds: float) -> None:
        self.timeouts.append(seconds)

    def close(self) -> None:
        self.closed += 1

    @property
    def written(self) -> bytes:
        return b"".join(self.writes)


class ListeningPeer(Peer):
    """A peer that can also tell what has arrived without waiting: the next of `early`."""

    def arrived(self) -> bytes | None:
        chunk = self.early.pop(0) if self.early else None
        if isinstance(chunk, Exception):
            raise chunk
        return chunk


class Clock:
    """A clock that stands still until told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
