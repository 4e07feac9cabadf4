"""The server over a real socket: garbage, halves, limits, early refusals."""

from __future__ import annotations

import errno
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from pysendmail.daemon import server as module
from pysendmail.daemon.acceptor import SPARE
from pysendmail.daemon.listener import bind
from pysendmail.daemon.scheduler import Scheduler
from pysendmail.daemon.server import Malformed, Server, read_content, read_head, stream
from pysendmail.daemon.submissions import HEADER_MEMORY, REQUESTS_MEMORY, Submissions
from pysendmail.message.content import Content
from pysendmail.relay.policy import POLICY
from pysendmail.spool.errors import AlreadyEntered
from pysendmail.submission.exit_status import Refused
from pysendmail.submission.request import (
    BACKGROUND,
    HEAD_LIMIT,
    QUEUE,
    format_head,
    format_request,
)
from pysendmail.submission.socket_door import AnswerLost, ask, submit
from tests.helpers.users import acting_as, as_root
from tests.helpers.waiting import wait_until
from tests.unit.daemon.house import PATIENCE_S, FakeRelay, make_state
from tests.unit.relay.peers import Peer
from tests.unit.spool.samples import FIRST, enter
from tests.unit.submission.samples import QUEUE_ID, TEXT, request

BOB = b"bob@example.net"


class House:
    """A server on a socket of its own."""

    def __init__(
        self,
        directory: Path,
        submissions: Callable[[Any], Any] = Submissions,
        listener: socket.socket | None = None,
    ) -> None:
        self.path = str(directory / "s")
        self.relay = FakeRelay()
        self.state = make_state(self.relay, message_size=100_000)
        scheduler = Scheduler(self.state, None)  # type: ignore[arg-type]
        listener = listener or bind(self.path)
        self.submissions = submissions(self.state)
        self.server = Server(listener, self.state, self.submissions, scheduler)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()

    def submit(self, *operands: bytes, text: bytes = TEXT, **facts: Any):
        asked = request(*(operands or (BOB,)), size=len(text), **facts)
        return submit(self.path, format_request(asked), [text], silence=PATIENCE_S)

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(PATIENCE_S)
        client.connect(self.path)
        return client

    def send(self, octets: bytes, *, end: bool = True) -> bytes:
        """Send octets, and the end when told so; return all that comes in answer."""
        with self.connect() as client:
            client.sendall(octets)
            if end:
                client.shutdown(socket.SHUT_WR)
            return receive(client)

    def names(self) -> list[str]:
        return self.state.journal.names()  # type: ignore[attr-defined,no-any-return]

    def close(self) -> None:
        self.server.close(PATIENCE_S)
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()


def receive(client: socket.socket) -> bytes:
    received = b""
    while True:
        try:
            chunk = client.recv(65536)
        except ConnectionResetError:
            return received
        if not chunk:
            return received
        received += chunk


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


def test_submission_is_taken_and_answered(house: House) -> None:
    answer = house.submit()
    assert (answer.status, answer.errors) == (0, [])
    assert house.relay.delivered == [["bob@example.net"]]


def test_large_message_comes_in_pieces(house: House) -> None:
    assert house.submit(text=b"S: t\n\n" + 8000 * b"0123456789\n").status == 0
    assert len(house.relay.used[0].messages[0][1]) > 88_000


def test_mistake_of_the_caller_is_an_answer(house: House) -> None:
    answer = house.submit(b"a@b@c")
    assert (answer.status, answer.errors) == (65, [b"a@b@c: the address cannot be read"])


def test_message_that_says_it_is_too_large_is_refused_unread(house: House) -> None:
    head = format_request(request(BOB, size=100_001))
    assert (
        house.send(head, end=False) == b"emessage larger than 100000 octets (message_size)\0x65\0"
    )


def test_bad_record_is_an_answer(house: House) -> None:
    assert house.send(format_head(b"submit", [b"Z"])).endswith(b"x64\0")


def test_unknown_verb_is_an_answer(house: House) -> None:
    assert house.send(format_head(b"dance", [])) == b"eunknown request\0x64\0"


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"pysendmail/2 submit\0\0",
        b"\0\0",
        b"pysendmail/1 submit\0" + b"r" * 1000,
        format_request(request(BOB, size=1000)) + b"half a message",
    ],
    ids=lambda octets: repr(octets[:24]),
)
def test_garbage_and_halves_have_no_answer_and_leave_nothing(house: House, octets: bytes) -> None:
    assert house.send(octets) == b""
    assert house.submit().status == 0
    assert house.state.spool.count() == 0
    assert len(house.relay.delivered) == 1
    wait_until(house.server.idle)


def test_head_without_end_is_cut_off(house: House) -> None:
    with house.connect() as client:
        try:
            client.sendall(b"pysendmail/1 submit\0" + b"r" * (HEAD_LIMIT + 1024 * 1024))
        except OSError as error:
            assert error.errno in (errno.EPIPE, errno.ECONNRESET)
        assert receive(client) == b""


def test_queue_is_told_to_who_asks(house: House) -> None:
    enter(house.state.spool, FIRST, uid=os.getuid())
    answer = list(ask(house.path, format_head(b"queue", [b"alist"])))
    assert any(FIRST.encode() in line for _, line in answer)
    assert answer[-1] == (b"x", b"0")


def test_first_record_of_an_answer_is_sent_before_the_next_is_there() -> None:
    here, there = socket.socketpair()

    def records() -> Iterator[tuple[bytes, bytes]]:
        yield b"o", b"header"
        assert there.recv(100) == b"oheader\0"
        yield b"o", b"entry"
        yield b"x", b"0"

    with here, there:
        stream(here, records())
        assert there.recv(100) == b"oentry\0x0\0"


def test_long_listing_streams(house: House) -> None:
    for number in range(400):
        enter(house.state.spool, f"{number:014X}")
    answer = list(ask(house.path, format_head(b"queue", [b"alist"])))
    assert answer[-2] == (b"o", b"-- 22 Kbytes in 400 Requests.")


def test_flush_of_all_probes_the_smarthosts(house: House) -> None:
    smarthost = house.relay.smarthosts[0]
    house.relay.pool.report(smarthost, POLICY["connection"], b"refused")
    assert not house.relay.pool.admits()
    assert list(ask(house.path, format_head(b"queue", [b"aflush"]))) == [(b"x", b"0")]
    assert house.relay.pool.admits()


def test_status_is_told(house: House) -> None:
    answer = list(ask(house.path, format_head(b"status", [])))
    assert answer[-1] == (b"x", b"0")
    assert any(b"smarthost alpha:25: ready" in line for _, line in answer)


def test_answer_that_nobody_heard_is_remembered(house: House) -> None:
    go = threading.Event()
    began = threading.Event()
    make_peer = house.relay.make_peer

    def slow() -> Any:
        began.set()
        assert go.wait(PATIENCE_S)
        return make_peer()

    house.relay.make_peer = slow
    with house.connect() as client:
        client.sendall(format_request(request(BOB, size=len(TEXT))) + TEXT)
        assert began.wait(PATIENCE_S)
    go.set()
    wait_until(house.server.idle)
    assert len(house.relay.delivered) == 1
    with pytest.raises(AlreadyEntered):
        enter(house.state.spool, QUEUE_ID)


def test_what_waits_is_attempted_once_its_caller_has_been_answered(house: House) -> None:
    spool, answered = house.state.spool, threading.Event()
    format_answer = module.format_answer

    def look(answer: Any) -> bytes:
        assert spool.claim(QUEUE_ID) is None
        answered.set()
        return format_answer(answer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "format_answer", look)
        assert house.submit(mode=BACKGROUND).status == 0
    assert answered.is_set()
    wait_until(house.server.idle)
    with spool.claim(QUEUE_ID) as claim:
        assert not claim.entry.reasons


def test_flush_finds_what_was_queued_by_a_caller_who_has_just_been_answered(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool, flushed = house.state.spool, threading.Event()
    format_answer = module.format_answer

    def flush(answer: Any) -> bytes:
        spool.expedite([QUEUE_ID])
        flushed.set()
        return format_answer(answer)

    monkeypatch.setattr(module, "format_answer", flush)
    assert house.submit(mode=QUEUE).status == 0
    assert flushed.is_set()
    wait_until(house.server.idle)
    assert spool.due(time.time(), 1) == [QUEUE_ID]


class Troubled(Submissions):
    """Submissions that raise what their state says."""

    trouble: BaseException

    def submit_held(self, *_: Any) -> Any:
        raise self.trouble


@pytest.mark.parametrize(
    ("trouble", "answer"),
    [
        (OSError(errno.ENOSPC, "full"), b"ethe daemon cannot go on: [Errno 28] full\0x75\0"),
        (Refused(75, b"later"), b"elater\0x75\0"),
        (ZeroDivisionError("bug"), b""),
    ],
)
def test_trouble_inside_is_never_exit_0(tmp_path: Path, trouble: Exception, answer: bytes) -> None:
    house = House(tmp_path, Troubled)
    Troubled.trouble = trouble
    assert house.send(format_request(request(BOB, size=4)) + b"text", end=False) == answer
    house.close()
    assert ("internal error" in house.names()) is (answer == b"")


@pytest.fixture
def open_house() -> Iterator[House]:
    """A server whose socket any user can reach."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        house = House(Path(directory))
        yield house
        house.close()


def is_served(house: House) -> bool:
    try:
        return bool(list(ask(house.path, format_head(b"status", []))))
    except (AnswerLost, OSError):
        return False


@pytest.mark.root
@as_root
def test_users_with_all_the_connections_they_get_keep_out_neither_others_nor_root(
    open_house: House,
) -> None:
    with ExitStack() as clients:
        for uid in (65534, 12001, 12002):
            with acting_as(uid):
                for _ in range(module.CONNECTIONS):
                    clients.enter_context(open_house.connect())
                wait_until(lambda: not is_served(open_house))
        for uid in (12003, 0):
            with acting_as(uid):
                assert is_served(open_house)


@pytest.mark.root
@as_root
def test_root_has_connections_that_no_number_of_users_can_take(open_house: House) -> None:
    with ExitStack() as clients:
        for uid in range(12000, 12040):
            with acting_as(uid):
                for _ in range(8):
                    clients.enter_context(open_house.connect())
        assert is_served(open_house)


@pytest.mark.root
@as_root
def test_heads_of_one_user_take_no_more_than_his_share_of_the_memory(open_house: House) -> None:
    heads = REQUESTS_MEMORY // HEAD_LIMIT
    with ExitStack() as clients:
        with acting_as(65534):
            for _ in range(heads):
                client = clients.enter_context(open_house.connect())
                with suppress(BrokenPipeError, ConnectionResetError):
                    client.sendall(b"pysendmail/1 submit\0r" + b"x" * (HEAD_LIMIT - 4096))
            wait_until(lambda: 0 < open_house.server.served() <= heads // 2)
        assert open_house.submit().status == 0
    wait_until(open_house.server.idle)


def test_large_header_takes_of_the_memory_and_its_caller_keeps_it_where_none_is_left(
    house: House,
) -> None:
    large = b"S: t\nX: " + b"y" * 50_000 + b"\n\nbody\n"
    with house.submissions.hold(os.getuid()) as hold:
        hold.take(REQUESTS_MEMORY // 2 - HEADER_MEMORY * len(large) // 2)
        with pytest.raises(AnswerLost):
            house.submit(text=large)
        assert house.submit().status == 0
    assert house.submit(text=large).status == 0


def test_questions_about_the_queue_are_bounded_and_the_bound_is_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, asked = threading.Event(), threading.Semaphore(0)

    def entries() -> Iterator[Any]:
        asked.release()
        assert go.wait(PATIENCE_S)
        return iter(())

    monkeypatch.setattr(house.state.spool, "entries", entries)
    question = format_head(b"queue", [b"alist"])
    clients = [house.connect() for _ in range(module.QUESTIONS // 2)]
    for client in clients:
        client.sendall(question)
        assert asked.acquire(timeout=PATIENCE_S)
    assert b"too many questions" in house.send(question)
    go.set()
    for client in clients:
        assert receive(client).endswith(b"x0\0")
        client.close()


def test_connections_have_an_end_and_come_back(house: House) -> None:
    clients = [house.connect() for _ in range(module.CONNECTIONS)]
    wait_until(lambda: not is_served(house))
    with pytest.raises(AnswerLost):
        house.submit()
    for client in clients:
        client.close()
    wait_until(house.server.idle)
    assert house.submit().status == 0


def test_close_waits_for_who_is_served(house: House) -> None:
    began, go = threading.Event(), threading.Event()

    def slow() -> Any:
        began.set()
        assert go.wait(PATIENCE_S)
        return Peer()

    house.relay.make_peer = slow
    answers: list[Any] = []
    caller = threading.Thread(target=lambda: answers.append(house.submit()))
    caller.start()
    assert began.wait(PATIENCE_S)
    closer = threading.Thread(target=house.server.close, args=(PATIENCE_S,))
    closer.start()
    go.set()
    closer.join(PATIENCE_S)
    caller.join(PATIENCE_S)
    assert answers[0].status == 0


def test_close_leaves_the_socket_alive_for_a_successor(tmp_path: Path) -> None:
    with bind(str(tmp_path / "s")) as kept:
        first = House(tmp_path, listener=kept.dup())
        assert first.submit().status == 0
        first.close()
        with first.connect() as early:  # nobody is there yet: the caller waits in the backlog
            early.sendall(format_head(b"status", []))
            second = House(tmp_path, listener=kept.dup())
            assert receive(early).endswith(b"x0\0")
        assert second.submit().status == 0
        second.close()


def test_connection_without_a_thread_for_it_is_closed_and_ends_no_other(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with house.connect() as client:
            assert receive(client) == b""
        wait_until(lambda: "cannot accept" in house.names())
    assert house.server.idle()
    assert house.submit().status == 0


def test_a_few_threads_stay_for_the_connections_that_come_next(house: House) -> None:
    def threads() -> set[threading.Thread]:
        return {one for one in threading.enumerate() if one.name == "submission"}

    others = threads()
    clients = [house.connect() for _ in range(10)]
    wait_until(lambda: house.server.served() == len(clients))
    assert len(threads() - others) >= len(clients)
    for client in clients:
        client.close()
    wait_until(lambda: house.server.idle() and len(threads() - others) <= SPARE)
    kept = threads()
    assert house.submit().status == 0
    wait_until(house.server.idle)
    assert threads() <= kept


# --- reading


def test_head_is_found_wherever_it_is_cut() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sent = format_request(request(BOB)) + b"rest"
        for octet in sent[:-4]:
            theirs.sendall(bytes([octet]))
        theirs.sendall(b"rest")
        head, rest = read_head(ours, within=PATIENCE_S)
        content = Content()
        read_content(ours, content, rest, 4)
    assert head == sent[:-4]
    assert b"".join(content.chunks()) == b"rest"


def test_head_that_drips_is_not_waited_for_longer_than_told() -> None:
    ours, theirs = socket.socketpair()
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.005):
            theirs.sendall(b"x")

    dripping = threading.Thread(target=drip)
    with ours, theirs:
        dripping.start()
        with pytest.raises(TimeoutError):
            read_head(ours, within=0.1)
        stop.set()
        dripping.join(PATIENCE_S)


def test_end_before_the_end_is_no_request() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        with pytest.raises(Malformed):
            read_head(ours, within=PATIENCE_S)
        with pytest.raises(Malformed):
            read_content(ours, Content(), b"", 1)


def test_nothing_behind_the_message_is_read() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        content = Content()
        read_content(ours, content, b"message and more", 7)
    assert b"".join(content.chunks()) == b"message"
