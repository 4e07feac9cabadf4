"""The answer: what the daemon says to one request, and its bytes on the socket.

A sequence of records, each a letter and a value ended by NUL: `o` a line for standard output, `e` a
line for standard error, and last `x` with the exit status. Only an answer that has come as far as
its `x` is one; anything less means that nobody knows what became of the request
(docs/submission.md).
"""

from __future__ import annotations

OUTPUT, ERROR, EXIT = b"o", b"e", b"x"

_TO_BLANKS = bytes.maketrans(b"\0\n\r", b"   ")

GRACE_S = 15.0  # how much longer than `wait` a caller waits for the answer to his submission
SILENCE_S = 60.0  # how long a question about the queue may stay without another byte of its answer


class Answer:
    """Exit status and the lines to print (bytes, without line end)."""

    __slots__ = ("errors", "output", "status")

    def __init__(
        self, status: int, *, output: list[bytes] | None = None, errors: list[bytes] | None = None
    ) -> None:
        self.status = status
        self.output = output or []
        self.errors = errors or []

    def __repr__(self) -> str:
        return f"Answer({self.status}, output={self.output!r}, errors={self.errors!r})"


def format_answer(answer: Answer) -> bytes:
    """Return the bytes of an answer."""
    records = [(OUTPUT, line) for line in answer.output] + [(ERROR, line) for line in answer.errors]
    records.append((EXIT, b"%d" % answer.status))
    return b"".join(format_record(letter, value) for letter, value in records)


def format_record(letter: bytes, value: bytes) -> bytes:
    """Return the bytes of one record of an answer; NUL and line ends in it become blanks."""
    return letter + value.translate(_TO_BLANKS) + b"\0"
