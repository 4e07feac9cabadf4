"""The socket from the caller's side, against a small server that behaves as told."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pysendmail.submission.socket_door import AnswerLost, NoDaemon, ask, is_served, submit

Behaviour = Callable[[socket.socket], None]
PATIENCE_S = 20.0


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Behaviour], str]]:
    """Serve one connection as told; returns the path to connect to."""
    threads: list[threading.Thread] = []
    troubles: list[BaseException] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.settimeout(PATIENCE_S)

    def start(behave: Behaviour) -> str:
        path = str(tmp_path / "s")
        listener.bind(path)
        listener.listen()

        def run() -> None:
            try:
                connection, _ = listener.accept()
                connection.settimeout(PATIENCE_S)
                with connection:
                    behave(connection)
            except BaseException as trouble:
                troubles.append(trouble)

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()
        return path

    yield start
    for thread in threads:
        thread.join(PATIENCE_S)
    listener.close()
    assert troubles == []


def read_until(connection: socket.socket, end: bytes) -> bytes:
    received = b""
    while not received.endswith(end):
        chunk = connection.recv(65536)
        assert chunk, received
        received += chunk
    return received


def answering(answer: bytes) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        read_until(connection, b"END")
        connection.sendall(answer)

    return behave


def dripping(answer: bytes) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        read_until(connection, b"END")
        for octet in answer:
            connection.sendall(bytes([octet]))

    return behave


@pytest.mark.parametrize("behave", [answering, dripping])
def test_answer_is_read_to_its_exit_status(serve, behave) -> None:
    path = serve(behave(b"oone\0etwo\0othree\0x67\0"))
    answer = submit(path, b"head\0\0", [b"text", b"END"], silence=PATIENCE_S)
    assert (answer.status, answer.output, answer.errors) == (67, [b"one", b"three"], [b"two"])


def test_records_come_one_by_one(serve) -> None:
    path = serve(answering(b"oone\0x0\0ignored\0"))
    assert list(ask(path, b"END")) == [(b"o", b"one"), (b"x", b"0")]


def test_unknown_record_is_shown_as_an_error(serve) -> None:
    path = serve(answering(b"znews\0x0\0"))
    assert submit(path, b"END", [], silence=PATIENCE_S).errors == [b"news"]


@pytest.mark.parametrize("answer", [b"", b"o", b"oone\0", b"x0", b"oone\0x"], ids=repr)
def test_answer_that_is_not_whole_is_lost(serve, answer: bytes) -> None:
    path = serve(answering(answer))
    with pytest.raises(AnswerLost, match="went away"):
        submit(path, b"END", [], silence=PATIENCE_S)


@pytest.mark.parametrize("status", [b"yes", b"-1", b"256", b"0256", b"1" * 5000], ids=repr)
def test_answer_without_the_status_of_a_process_is_lost(serve, status: bytes) -> None:
    path = serve(answering(b"x" + status + b"\0"))
    with pytest.raises(AnswerLost, match="no exit status"):
        submit(path, b"END", [], silence=PATIENCE_S)


def test_refusal_before_the_end_of_the_message_is_read(serve) -> None:
    """The daemon answers and closes while most of the message is still to be sent."""

    def behave(connection: socket.socket) -> None:
        connection.recv(4)
        connection.sendall(b"etoo large\0x65\0")
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            while connection.recv(65536):
                pass

    path = serve(behave)
    answer = submit(path, b"head", [b"x" * 65536] * 64, silence=PATIENCE_S)
    assert (answer.status, answer.errors) == (65, [b"too large"])


def test_refusal_of_a_daemon_that_reads_no_more_is_read(serve) -> None:
    """EPIPE while writing: the answer that came before is what counts."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(b"etoo large\0x65\0")
        connection.shutdown(socket.SHUT_RDWR)

    path = serve(behave)
    answer = submit(path, b"head", [b"x" * 65536] * 64, silence=PATIENCE_S)
    assert answer.status == 65


def test_daemon_that_dies_in_the_middle_loses_the_answer(serve) -> None:
    path = serve(lambda connection: connection.recv(4) and None)
    with pytest.raises(AnswerLost):
        submit(path, b"head", [b"x" * 65536] * 64, silence=PATIENCE_S)


def test_silence_is_not_waited_for_longer_than_told(serve) -> None:
    over = threading.Event()

    def behave(connection: socket.socket) -> None:
        over.wait(PATIENCE_S)

    path = serve(behave)
    try:
        with pytest.raises(AnswerLost, match="no answer"):
            submit(path, b"head", [], silence=0.05)
        with pytest.raises(NoDaemon):
            submit(path + ".none", b"head", [], silence=0.05)
    finally:
        over.set()


def test_daemon_that_reads_nothing_is_given_up(serve) -> None:
    over = threading.Event()
    path = serve(lambda connection: over.wait(PATIENCE_S) and None)
    try:
        with pytest.raises(AnswerLost, match="does not listen"):
            submit(path, b"head", [b"x" * 65536] * 64, silence=0.05)
    finally:
        over.set()


def test_path_where_somebody_listens_is_served(serve) -> None:
    path = serve(lambda connection: connection.recv(1) and None)
    assert is_served(path)


NOBODY = ["nothing", "a file", "a socket nobody listens on", "too long"]


def unserved(directory: Path, kind: str) -> str:
    """Return a path where nobody listens."""
    path = directory / "s"
    if kind == "a file":
        path.write_text("")
    elif kind == "a socket nobody listens on":
        left = socket.socket(socket.AF_UNIX)
        left.bind(str(path))
        left.close()
    elif kind == "too long":
        path = directory / ("x" * 120)
    return str(path)


@pytest.mark.parametrize("kind", NOBODY)
def test_path_where_nobody_listens_is_not_served(tmp_path: Path, kind: str) -> None:
    assert not is_served(unserved(tmp_path, kind))


@pytest.mark.parametrize("kind", NOBODY)
def test_no_daemon_means_nothing_was_handed_over(tmp_path: Path, kind: str) -> None:
    def content() -> Iterator[bytes]:
        raise AssertionError("nothing may be sent")
        yield b""

    with pytest.raises(NoDaemon):
        submit(unserved(tmp_path, kind), b"head", content(), silence=1.0)
