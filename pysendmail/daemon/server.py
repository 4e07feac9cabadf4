"""The server behind the submission socket: one connection, one request, one answer.

There are at most `CONNECTIONS` at a time, and so much memory for what is asked in them (see
`submissions`); a user has no more of either than he leaves to the others, and root has connections
of its own. Who asks for more is closed at once and takes the drop directory. A head must come
within `HEAD_S` and a message must keep coming; nobody holds a thread by silence.
"""

from __future__ import annotations

import time

from pysendmail.daemon.acceptor import SLOWEST_OCTETS_S, Acceptor
from pysendmail.daemon.control import respond, viewer_of
from pysendmail.daemon.listener import peer_of
from pysendmail.daemon.shares import NoRoom, Shares
from pysendmail.daemon.status import report
from pysendmail.daemon.submissions import nothing_waits
from pysendmail.submission.answer import ERROR, EXIT, Answer, format_answer, format_record
from pysendmail.submission.exit_status import EX_TEMPFAIL, EX_USAGE, Refused, too_large
from pysendmail.submission.request import ASK_QUEUE, ASK_STATUS, HEAD_LIMIT, SUBMIT
from pysendmail.submission.request_parser import parse_request, split_head
from pysendmail.submission.submitter import find_submitter

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

    from pysendmail.daemon.acceptor import Peer
    from pysendmail.daemon.control import Viewer
    from pysendmail.daemon.scheduler import Scheduler
    from pysendmail.daemon.shares import Hold
    from pysendmail.daemon.state import State
    from pysendmail.daemon.submissions import Submissions
    from pysendmail.message.content import Content
    from pysendmail.submission.request import Request

CONNECTIONS = 256
CONNECTIONS_OF_ROOT = 16  # of these: whatever others do, root's mail and questions come through
QUESTIONS = 8  # about the queue, at a time: each may read all of it
RECORD_MEMORY = 256  # what a record takes once it is a recipient
HEAD_S = 30.0
SILENCE_S = 60.0
HEAD_CHUNK = 16 * 1024
CHUNK = 64 * 1024
ANSWER_CHUNK = 16 * 1024


class Malformed(Exception):
    """What came is no request; the connection is closed without an answer."""


class Server(Acceptor):
    """Serves one listening socket until it is closed; `keep_up` is called before each answer."""

    def __init__(
        self,
        listener: socket.socket,
        state: State,
        submissions: Submissions,
        scheduler: Scheduler,
        keep_up: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__([listener], state.journal, connections=CONNECTIONS, name="submission")
        self._state = state
        self._submissions = submissions
        self._scheduler = scheduler
        self._keep_up = keep_up
        self._questions = Shares(QUESTIONS)

    def identify(self, connection: socket.socket) -> int:
        """Return the user id of the caller."""
        _pid, uid, _gid = peer_of(connection)
        return uid

    def limit(self, peer: Peer) -> int:
        """Return how many connections one user may have: as many as he leaves to the others.

        One alone so gets half of them, a second half of the rest; a few users together cannot keep
        out all others, and nobody can keep out root.
        """
        return CONNECTIONS - CONNECTIONS_OF_ROOT - self.served() if peer != 0 else CONNECTIONS

    def converse(self, connection: socket.socket, peer: Peer) -> None:
        """Answer one request."""
        _pid, uid, gid = peer_of(connection)
        try:
            with self._submissions.hold(uid) as hold:
                self._answer(connection, uid, gid, hold)
        except (Malformed, NoRoom):
            pass  # none of ours, or more than there is room for

    def _answer(self, connection: socket.socket, uid: int, gid: int, hold: Hold) -> None:
        head, rest = read_head(connection, within=HEAD_S, hold=hold.take)
        hold.take(RECORD_MEMORY * head.count(b"\0"))
        try:
            verb, records = split_head(head)
        except ValueError as error:
            raise Malformed from error
        connection.settimeout(SILENCE_S)
        self._keep_up()
        if verb == SUBMIT:
            self._answer_submission(connection, records, rest, uid, hold)
        elif verb == ASK_QUEUE:
            self._answer_question(connection, records, viewer_of(uid, gid))
        elif verb == ASK_STATUS:
            stream(connection, report(self._state, records))
        else:
            connection.sendall(format_answer(Answer(EX_USAGE, errors=[b"unknown request"])))

    def _answer_question(
        self, connection: socket.socket, records: list[bytes], viewer: Viewer
    ) -> None:
        if not self._questions.take(viewer.uid):
            busy = [b"you ask too many questions about the queue at a time"]
            connection.sendall(format_answer(Answer(EX_TEMPFAIL, errors=busy)))
            return
        try:
            stream(connection, respond(self._state.spool, records, viewer, self._scheduler))
        finally:
            self._questions.give_back(viewer.uid)

    def _answer_submission(
        self, connection: socket.socket, records: list[bytes], rest: bytes, uid: int, hold: Hold
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
        answer, let_go = self._submit(connection, request, rest, uid, hold)
        try:
            connection.sendall(format_answer(answer))
        except OSError:
            if answer.status == 0:
                self._state.spool.remember(request.queue_id, time.time())
            raise
        finally:
            let_go()

    def _submit(
        self, connection: socket.socket, request: Request, rest: bytes, uid: int, hold: Hold
    ) -> tuple[Answer, Callable[[], None]]:
        """Read one submission and have it taken; a caller's mistake is an answer too."""
        raw = self._submissions.new_content()
        try:
            if request.size > self._state.config.message_size:
                raise too_large(self._state.config.message_size)
            read_content(connection, raw, rest, request.size)
            return self._submissions.submit_held(request, raw, find_submitter(uid), hold)
        except Refused as refused:
            return Answer(refused.status, errors=[refused.line]), nothing_waits
        except OSError as error:
            if raw.size == request.size:
                line = f"the daemon cannot go on: {error}".encode()
                return Answer(EX_TEMPFAIL, errors=[line]), nothing_waits
            raise
        finally:
            raw.close()


def read_head(
    connection: socket.socket, *, within: float, hold: Callable[[int], None] = lambda _: None
) -> tuple[bytes, bytes]:
    """Return the head of a request and what came behind it, `within` seconds however it drips.

    `hold` is told of each octet that takes memory, and raises when there is none left.
    """
    until = time.monotonic() + within
    received = bytearray()
    while True:
        connection.settimeout(max(until - time.monotonic(), 0.001))
        chunk = connection.recv(HEAD_CHUNK)
        if not chunk:
            raise Malformed
        hold(len(chunk))
        start = max(len(received) - 1, 0)
        received += chunk
        end = received.find(b"\0\0", start)
        if end >= 0:
            return bytes(received[: end + 2]), bytes(received[end + 2 :])
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
    """Send the records of a long answer as they come: the first at once, the others together."""
    buffered, enough = bytearray(), 1
    for letter, value in records:
        buffered += format_record(letter, value)
        if len(buffered) >= enough or letter in (EXIT, ERROR):
            connection.sendall(buffered)
            buffered.clear()
            enough = ANSWER_CHUNK
