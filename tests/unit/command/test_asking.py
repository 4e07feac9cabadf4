"""Asking about the queue: the daemon, the spool itself, or neither."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pysendmail.command.asking import ask_queue, show
from pysendmail.config.snapshot import public_settings
from pysendmail.spool.directory import DirectorySpool
from pysendmail.submission.drop_door import drop, make_drop_directory
from pysendmail.submission.request import Request, format_request
from tests.unit.spool.samples import FIRST, SECOND, THIRD, enter

PATIENCE_S = 20.0


def settings(directory: Path):
    return public_settings(
        {
            "PYSENDMAIL_SPOOL": str(directory / "spool"),
            "PYSENDMAIL_SOCKET": str(directory / "s"),
        },
        file=False,
    )


def answering(path: Path, answer: bytes) -> threading.Thread:
    """Serve one connection."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        with listener:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


def test_daemons_answer_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    thread = answering(tmp_path / "s", b"oone\0otwo\0etrouble\0othree\0x69\0")
    assert ask_queue(b"mailq", settings(tmp_path), [b"alist"]) == 69
    thread.join(PATIENCE_S)
    assert capfd.readouterr() == ("one\ntwo\nthree\n", "mailq: trouble\n")


def test_answer_that_is_lost_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    thread = answering(tmp_path / "s", b"oone\0")
    assert ask_queue(b"mailq", settings(tmp_path), [b"alist"]) == 69
    thread.join(PATIENCE_S)
    assert capfd.readouterr().err == "mailq: the daemon went away before it answered\n"


def test_spool_is_read_where_no_daemon_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    spool = DirectorySpool.create(str(tmp_path / "spool"))
    enter(spool, FIRST)
    spool.close()
    assert ask_queue(b"mailq", settings(tmp_path), [b"alist"]) == 0
    output, errors = capfd.readouterr()
    assert FIRST in output
    assert output.endswith("-- 1 Kbytes in 1 Request.\n")
    assert errors == ""


def test_what_was_dropped_is_in_the_queue_where_no_daemon_takes_it_in(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    place = str(tmp_path / "spool")
    spool = DirectorySpool.create(place)
    enter(spool, FIRST)
    make_drop_directory(place)
    for request in (
        Request(queue_id=FIRST, size=2000),  # the spool has it already
        Request(queue_id=SECOND, size=2000, sender=b"me@example.org", operands=(b"bob",)),
        Request(queue_id=THIRD, size=2000, sender=b"", from_header=True),
    ):
        drop(place, request.queue_id, format_request(request), [b"x" * 2000])
    (tmp_path / "spool" / "drop" / f"writing-{THIRD}").touch()
    (tmp_path / "spool" / "drop" / FIRST.replace("0", "1")).symlink_to("/dev/zero")
    assert ask_queue(b"mailq", settings(tmp_path), [b"alist"]) == 0
    output, errors = capfd.readouterr()
    assert [line.split()[0] for line in output.splitlines() if re.match("[0-9A-F]", line)] == [
        FIRST,
        *sorted([SECOND, THIRD], key=output.index),
    ]
    assert output.count("(left in the drop directory for the daemon)") == 2
    assert output.endswith("-- 4 Kbytes in 3 Requests.\n")
    assert errors == ""
    assert ask_queue(b"mailq", settings(tmp_path), [b"acount"]) == 0
    assert capfd.readouterr() == ("3\n", "")
    spool.close()


def test_spool_that_is_yet_to_be_made_is_an_empty_queue(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert ask_queue(b"mailq", settings(tmp_path), [b"alist"]) == 0
    assert capfd.readouterr() == ("Mail queue is empty\n", "")


def test_spool_that_is_not_ours_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "queue").touch(mode=0o600)  # not to be entered, not even by root
    assert ask_queue(b"mailq", settings(tmp_path), [b"alist"]) == 69
    assert "no daemon is running" in capfd.readouterr().err


def test_long_answer_is_printed_as_it_comes(capfd: pytest.CaptureFixture[str]) -> None:
    records = [(b"o", b"x" * 99)] * 1000 + [(b"x", b"0")]
    assert show(b"mailq", records) == 0
    assert len(capfd.readouterr().out) == 100_000


def test_first_line_is_printed_before_the_next_has_come(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def records() -> Iterator[tuple[bytes, bytes]]:
        yield b"o", b"header"
        assert capfd.readouterr().out == "header\n"
        yield b"o", b"entry"
        yield b"x", b"0"

    assert show(b"mailq", records()) == 0
    assert capfd.readouterr().out == "entry\n"


def test_answer_without_an_end_is_no_success(capfd: pytest.CaptureFixture[str]) -> None:
    assert show(b"mailq", []) == 69
