"""The server behind the submission socket: one connection, one request, one answer.

Each connection has a thread of its own, and there are at most `CONNECTIONS` of them,
`CONNECTIONS_PER_UID` for one user: who asks for more is closed at once and takes the drop
directory. A head must come within `HEAD_S` and a message must keep coming; nobody holds a thread by
silence.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import Counter

from pysendmail.daemon.control import respond, viewer_of
from pysendmail.daemon.listener import peer_of
from pysendmail.daemon.status import report
from pysendmail.journal import ERROR as LOG_ERROR
from pysendmail.submission.answer import ERROR, EXIT, Answer, format_answer, format_record
from pysendmail.submission.exit_status import EX_TEMPFAIL, EX_USAGE, Refused, too_large
from pysendmail.submission.request import HEAD_LIMIT, SUBMIT, parse_request, split_head

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from pysendmail.daemon.scheduler import Scheduler
    from pysendmail.daemon.state import State
    from pysendmail.daemon.submissions import Submissions
    from pysendmail.message.content import Content
    from pysendmail.submission.request import Request

CONNECTIONS = 256
CONNECTIONS_PER_UID = 128  # so that one user cannot keep all others out
HEAD_S = 30.0
SILENCE_S = 60.0
SLOWEST_OCTETS_S = 10_000.0  # who sends a message more slowly than this holds a place for nothing
CHUNK = 256 * 1024

QUEUE, STATUS = b"queue", b"status"


class Malformed(Exception):
    """What came is no request; the connection is closed without an answer."""


class Server:
    """Serves one listening socket until it is closed."""

    def __init__(
        self,
        listener: socket.socket,
        state: State,
        submissions: Submissions,
        scheduler: Scheduler,
    ) -> None:
        self._listener = listener
        self._state = state
        self._submissions = submissions
        self._scheduler = scheduler
        self._changed = threading.Condition()
        self._connections: Counter[int] = Counter()
        self._closing = os.eventfd(0, os.EFD_CLOEXEC)
        self._listening = True

    def run(self) -> None:
        """Accept connections until `close`; one that cannot be served ends no other."""
        # Never shut down: a listening socket that systemd keeps would be dead for our successor.
        self._listener.setblocking(False)
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        poll.register(self._closing, select.POLLIN)
        while True:
            ready = [fd for fd, _event in poll.poll()]
            if self._closing in ready:
                self._stop_listening()
                return
            try:
                self._accept()
            except BlockingIOError:
                continue  # the caller has gone again
            except (OSError, RuntimeError) as error:  # no descriptors, no threads: some come free
                self._state.journal.event("", "cannot accept", priority=LOG_ERROR, said=str(error))
                threading.Event().wait(0.1)

    def close(self, patience: float) -> None:
        """Accept nobody any more; wait up to `patience` seconds for those who are served."""
        os.eventfd_write(self._closing, 1)
        with self._changed:
            self._changed.wait_for(lambda: not (self._listening or self._connections), patience)

    def _stop_listening(self) -> None:
        with self._changed:
            self._listener.close()
            self._listening = False
            self._changed.notify_all()

    def _accept(self) -> None:
        """Accept one connection and give it a thread, or close it."""
        connection, _ = self._listener.accept()
        try:
            _pid, uid, gid = peer_of(connection)
            if not self._admit(uid):
                connection.close()
                return
        except BaseException:
            connection.close()
            raise
        try:
            threading.Thread(
                target=self._serve, args=(connection, uid, gid), name="submission", daemon=True
            ).start()
        except BaseException:
            connection.close()
            self._leave(uid)
            raise

    def idle(self) -> bool:
        """Tell whether nobody is being served."""
        with self._changed:
            return not self._connections

    def _admit(self, uid: int) -> bool:
        with self._changed:
            if self._connections.total() >= CONNECTIONS:
                return False
            if uid != 0 and self._connections[uid] >= CONNECTIONS_PER_UID:
                return False
            self._connections[uid] += 1
            return True

    def _serve(self, connection: socket.socket, uid: int, gid: int) -> None:
        try:
            with connection:
                self._converse(connection, uid, gid)
        except (OSError, Malformed):
            pass  # the caller went away, or is none of ours: it keeps its message
        except Exception as error:
            self._state.journal.event("", "internal error", priority=LOG_ERROR, said=repr(error))
        finally:
            self._leave(uid)

    def _leave(self, uid: int) -> None:
        with self._changed:
            self._connections[uid] -= 1
            if not self._connections[uid]:
                del self._connections[uid]
            self._changed.notify_all()

    def _converse(self, connection: socket.socket, uid: int, gid: int) -> None:
        head, rest = read_head(connection, within=HEAD_S)
        try:
            verb, records = split_head(head)
        except ValueError as error:
            raise Malformed from error
        connection.settimeout(SILENCE_S)
        if verb == SUBMIT:
            self._answer_submission(connection, records, rest, uid)
        elif verb == QUEUE:
            answer = respond(self._state.spool, records, viewer_of(uid, gid), self._scheduler)
            stream(connection, answer)
        elif verb == STATUS:
            stream(connection, report(self._state, records))
        else:
            connection.sendall(format_answer(Answer(EX_USAGE, errors=[b"unknown request"])))

    def _answer_submission(
        self, connection: socket.socket, records: list[bytes], rest: bytes, uid: int
    ) -> None:
        """Have one submission taken and say so.

        A caller who does not hear that it was taken leaves it in the drop directory: the id is
        remembered, so that it is not taken twice.
        """
        try:
            request = parse_request(records)
        except ValueError as error:
            refusal = Answer(EX_USAGE, errors=[str(error).encode()])
            connection.sendall(format_answer(refusal))
            return
        answer = self._submit(connection, request, rest, uid)
        try:
            connection.sendall(format_answer(answer))
        except OSError:
            if answer.status == 0:
                self._state.spool.remember(request.queue_id, time.time())
            raise

    def _submit(self, connection: socket.socket, request: Request, rest: bytes, uid: int) -> Answer:
        """Read one submission and have it taken; a caller's mistake is an answer too."""
        raw = self._submissions.new_content()
        try:
            if request.size > self._state.config.message_size:
                raise too_large(self._state.config.message_size)
            read_content(connection, raw, rest, request.size)
            return self._submissions.submit(request, raw, uid)
        except Refused as refused:
            return Answer(refused.status, errors=[refused.line])
        except OSError as error:
            if raw.size == request.size:
                return Answer(EX_TEMPFAIL, errors=[f"the daemon cannot go on: {error}".encode()])
            raise
        finally:
            raw.close()


def read_head(connection: socket.socket, *, within: float) -> tuple[bytes, bytes]:
    """Return the head of a request and what came behind it, `within` seconds however it drips."""
    until = time.monotonic() + within
    received = b""
    while True:
        connection.settimeout(max(until - time.monotonic(), 0.001))
        chunk = connection.recv(CHUNK)
        if not chunk:
            raise Malformed
        start = max(len(received) - 1, 0)
        received += chunk
        end = received.find(b"\0\0", start)
        if end >= 0:
            return received[: end + 2], received[end + 2 :]
        if len(received) > HEAD_LIMIT:
            raise Malformed


def read_content(connection: socket.socket, raw: Content, rest: bytes, size: int) -> None:
    """Read the message behind a head, `size` octets of it."""
    end = time.monotonic() + SILENCE_S + size / SLOWEST_OCTETS_S
    raw.write(rest[:size])
    while raw.size < size:
        connection.settimeout(min(max(end - time.monotonic(), 0.001), SILENCE_S))
        chunk = connection.recv(min(CHUNK, size - raw.size))
        if not chunk:
            raise Malformed
        raw.write(chunk)
    connection.settimeout(SILENCE_S)


def stream(connection: socket.socket, records: Iterable[tuple[bytes, bytes]]) -> None:
    """Send the records of a long answer as they come, a few at a time."""
    buffered = bytearray()
    for letter, value in records:
        buffered += format_record(letter, value)
        if len(buffered) >= 16 * 1024 or letter in (EXIT, ERROR):
            connection.sendall(buffered)
            buffered.clear()
