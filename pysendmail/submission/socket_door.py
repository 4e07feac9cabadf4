"""The first door: the daemon's submission socket, from the caller's side.

One connection, one request, one answer. Raises `NoDaemon` when nobody listens - then nothing was
handed over - and `AnswerLost` when the connection broke or stayed silent before the answer was
whole: then the daemon may or may not have the message, and the queue id in the request keeps it
from having it twice.

It uses `_socket`, the C module below `socket`: importing `socket` would nearly double the time that
sendmail takes to start (docs/decisions.md).
"""

from __future__ import annotations

import _socket
import errno

from pysendmail.submission.answer import ERROR, EXIT, OUTPUT, Answer
from pysendmail.submission.exit_status import EX_TEMPFAIL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# On a Unix socket only a full backlog or a stopped daemon takes longer than an instant.
CONNECT_S = 5.0


class NoDaemon(Exception):
    """Nobody listens on the submission socket."""


class AnswerLost(Exception):
    """The connection ended, or was silent for too long, before the answer was whole."""


def ask(
    path: str, head: bytes, content: Iterable[bytes] = (), *, silence: float | None = None
) -> Iterator[tuple[bytes, bytes]]:
    """Send a request and yield the records of the answer as they come, (letter, value), `x` last.

    `silence` is how many seconds may pass without a byte of the answer.
    """
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.settimeout(CONNECT_S)
        try:
            connection.connect(path)
        except OSError as error:
            raise NoDaemon(f"{path}: {error.strerror or error}") from error
        connection.settimeout(silence)
        send(connection, head, content)
        yield from receive(connection)
    finally:
        connection.close()


def is_served(path: str) -> bool:
    """Tell whether a daemon listens there."""
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    connection.settimeout(CONNECT_S)
    try:
        connection.connect(path)
    except OSError:
        return False
    finally:
        connection.close()
    return True


def send(connection: _socket.socket, head: bytes, content: Iterable[bytes]) -> None:
    """Send the request. A daemon that refuses it early has answered: that answer is read."""
    chunks = iter(content)
    try:
        # Together with what comes first of the message: the daemon is woken once for most of them.
        connection.sendall(head + next(chunks, b""))
        for chunk in chunks:
            connection.sendall(chunk)
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ECONNRESET):
            raise AnswerLost(f"the daemon does not listen: {error}") from error


def receive(connection: _socket.socket) -> Iterator[tuple[bytes, bytes]]:
    """Yield the records of an answer up to its exit status; raises AnswerLost."""
    rest = b""
    while True:
        try:
            received = connection.recv(65536)
        except OSError as error:
            raise AnswerLost(f"no answer from the daemon: {error}") from error
        if not received:
            raise AnswerLost("the daemon went away before it answered")
        *records, rest = (rest + received).split(b"\0")
        for record in records:
            letter, value = record[:1], record[1:]
            if letter == EXIT and not is_status(value):
                raise AnswerLost("the daemon's answer has no exit status")
            yield letter, value
            if letter == EXIT:
                return


def is_status(value: bytes) -> bool:
    """Tell whether a process can end with this status: the kernel would make 0 of 256."""
    return value.isdigit() and len(value) <= 3 and int(value) < 256


def submit(path: str, head: bytes, content: Iterable[bytes], *, silence: float | None) -> Answer:
    """Hand over one submission and return the whole answer."""
    return answer_of(ask(path, head, content, silence=silence))


def answer_of(records: Iterable[tuple[bytes, bytes]]) -> Answer:
    """Return the answer that the records are, `x` last."""
    lines: dict[bytes, list[bytes]] = {OUTPUT: [], ERROR: []}
    status = EX_TEMPFAIL
    for letter, value in records:
        if letter == EXIT:
            status = int(value)
        else:
            lines.get(letter, lines[ERROR]).append(value)
    return Answer(status, output=lines[OUTPUT], errors=lines[ERROR])
