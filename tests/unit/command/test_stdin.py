"""The end of a message and its dots, cut into any pieces; and the edges of the process."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.command.stdin import (
    CHUNK,
    TooLarge,
    Undotter,
    Unreadable,
    drain,
    read_message,
    say,
    tell,
)
from pysendmail.message.content import Content
from pysendmail.submission.exit_status import EX_IOERR, Refused

PIECES = st.sampled_from(
    [b".", b"..", b"\n", b"\r\n", b"\r", b"a", b".\n", b".\r\n", b"\n.", b"..b", b"\n..", b"text"]
)
TEXTS = st.lists(PIECES, max_size=20).map(b"".join)


def undotted(*chunks: bytes) -> tuple[bytes, bool]:
    reader = Undotter()
    text = b"".join(reader.feed(chunk) for chunk in chunks)
    return text + reader.finish(), reader.ended


def by_lines(text: bytes) -> tuple[bytes, bool]:
    """Undot in the plainest way: the reference."""
    kept = []
    for line in text.splitlines(keepends=True) if b"\r" not in text else lines_of(text):
        if line in (b".\n", b".\r\n") or (line.rstrip(b"\r") == b"." and not line.endswith(b"\n")):
            return b"".join(kept), True
        kept.append(line[1:] if line.startswith(b"..") else line)
    return b"".join(kept), False


def lines_of(text: bytes) -> list[bytes]:
    *whole, last = text.split(b"\n")
    return [line + b"\n" for line in whole] + ([last] if last else [])


@pytest.mark.parametrize(
    ("text", "kept", "ended"),
    [
        pytest.param(b"S\n\na\n..b\n.c\n.\nlost\n", b"S\n\na\n.b\n.c\n", True, id="V28"),
        pytest.param(b"S\r\n\r\na\r\n.\r\nlost\r\n", b"S\r\n\r\na\r\n", True, id="V30"),
        pytest.param(b".\nlost", b"", True, id="at once"),
        pytest.param(b".\r\nlost", b"", True, id="at once, CRLF"),
        pytest.param(b"a\n.", b"a\n", True, id="without line end"),
        pytest.param(b"a\n.\r", b"a\n", True, id="without LF"),
        pytest.param(b"a\n..", b"a\n.", False, id="two dots at the end"),
        pytest.param(b"a.\n", b"a.\n", False, id="dot at the end of a line"),
        pytest.param(b"..\n..\n...\n", b".\n.\n..\n", False, id="many"),
        pytest.param(b"", b"", False, id="nothing"),
        pytest.param(b"no end", b"no end", False, id="no line end"),
        pytest.param(b"\n\n.x", b"\n\n.x", False, id="leading dot stays"),
    ],
)
def test_dots_are_sendmails(text: bytes, kept: bytes, ended: bool) -> None:
    assert undotted(text) == (kept, ended)
    assert by_lines(text) == (kept, ended)


@given(TEXTS, st.lists(st.integers(0, 60)))
def test_any_chunking_gives_the_same(text: bytes, cuts: list[int]) -> None:
    marks = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    chunks = [text[start:end] for start, end in pairwise(marks)]
    assert undotted(*chunks) == undotted(text) == by_lines(text)


@pytest.mark.parametrize("start", [b"", b".", b"..", b"a"])
@pytest.mark.parametrize("size", [CHUNK - 1, CHUNK, CHUNK + 1])
def test_line_longer_than_a_chunk_is_not_held_back(start: bytes, size: int) -> None:
    line = start + b"x" * size
    reader = Undotter()
    given = reader.feed(line[:CHUNK]) + reader.feed(line[CHUNK:] + b"yy")
    text = given + reader.feed(b".\n..\n.\n") + reader.finish()
    assert text == by_lines(line + b"yy.\n..\n.\n")[0]
    assert reader.ended
    assert len(given) >= size - CHUNK


# --- reading, over real descriptors


@pytest.fixture
def standard_input(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Return a function that puts octets on standard input."""
    saved = os.dup(0)
    made: list[int] = []

    def put(octets: bytes, *, end: bool = True) -> None:
        reading, writing = os.pipe()
        os.dup2(reading, 0)
        os.close(reading)
        os.write(writing, octets)
        if end:
            os.close(writing)
        else:
            made.append(writing)

    yield put
    os.dup2(saved, 0)
    os.close(saved)
    for fd in made:
        os.close(fd)


def read(*, limit: int = 1000, dots: bool = True) -> bytes:
    content = Content()
    read_message(content, limit=limit, dots=dots)
    return b"".join(content.chunks())


def test_with_i_all_five_lines_are_kept(standard_input) -> None:
    text = b"S\n\na\n..b\n.c\n.\nkept\n"
    standard_input(text)
    assert read(dots=False) == text


def test_without_i_the_dot_ends_it_though_the_pipe_stays_open(standard_input) -> None:
    standard_input(b"S\n\na\n.\n", end=False)
    assert read() == b"S\n\na\n"


def test_what_follows_the_dot_is_drained_and_an_open_pipe_not_waited_for(standard_input) -> None:
    standard_input(b"a\n.\nlost", end=False)
    assert read() == b"a\n"
    drain()


def put_directory_on_standard_input() -> None:
    directory = os.open("/", os.O_RDONLY)
    os.dup2(directory, 0)
    os.close(directory)


def test_drain_of_what_cannot_be_read_is_no_error(standard_input) -> None:
    standard_input(b"")
    put_directory_on_standard_input()
    drain()


@pytest.mark.parametrize("dots", [True, False])
def test_input_that_cannot_be_read_is_told_apart(standard_input, dots: bool) -> None:
    standard_input(b"")
    put_directory_on_standard_input()
    with pytest.raises(Unreadable, match="Is a directory"):
        read(dots=dots)


def test_content_that_cannot_be_kept_is_an_error_of_its_own(standard_input) -> None:
    class Full(Content):
        def write(self, chunk: bytes) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    standard_input(b"text")
    with pytest.raises(OSError, match="No space"):
        read_message(Full(), limit=1000, dots=False)


@pytest.mark.parametrize("dots", [True, False])
@pytest.mark.parametrize("text", [b"x" * 1001, b"x\n" * 501], ids=["one line", "lines"])
def test_message_beyond_the_limit_is_not_taken(standard_input, text: bytes, dots: bool) -> None:
    standard_input(text)
    with pytest.raises(TooLarge):
        read(dots=dots)


@pytest.mark.parametrize("dots", [True, False])
def test_message_of_just_the_limit_is_taken(standard_input, dots: bool) -> None:
    standard_input(b"x" * 1000)
    assert len(read(dots=dots)) == 1000


def test_empty_input_is_an_empty_message(standard_input) -> None:
    standard_input(b"")
    assert read() == b""


def test_line_that_nobody_reads_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    say(writing, b"hello")
    os.close(writing)
    say(writing, b"hello")


def test_line_is_said_whole() -> None:
    reading, writing = os.pipe()
    say(writing, b"hello")
    os.close(writing)
    assert os.read(reading, 100) == b"hello\n"
    os.close(reading)


@pytest.fixture
def standard_output(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[[int], None]]:
    """Return a function that makes a descriptor standard output."""
    saved = os.dup(1)

    def put(descriptor: int) -> None:
        os.dup2(descriptor, 1)
        os.close(descriptor)

    yield put
    os.dup2(saved, 1)
    os.close(saved)


def test_answer_that_cannot_be_written_is_a_failure(standard_output: Callable[[int], None]) -> None:
    standard_output(os.open("/dev/full", os.O_WRONLY))
    with pytest.raises(Refused, match="No space left") as refusal:
        tell(b"hello")
    assert refusal.value.status == EX_IOERR


def test_answer_that_nobody_reads_to_its_end_is_none(
    standard_output: Callable[[int], None],
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    standard_output(writing)
    tell(b"hello")
