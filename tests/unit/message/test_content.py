"""Octets at rest."""

from __future__ import annotations

import os
import posix
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pysendmail.message import unnamed as module
from pysendmail.message.content import Content
from pysendmail.message.slices import FileSlice, Slice
from pysendmail.message.unnamed import open_unnamed, open_unnamed_in


def filled(data: bytes, *, memory: int, directory: Path | None = None) -> Content:
    content = Content(memory=memory, directory=str(directory) if directory else None)
    for position in range(0, len(data), 7):
        content.write(data[position : position + 7])
    return content


IN_MEMORY = pytest.mark.parametrize("memory", [0, 10, 1000], ids=["file", "spilled", "memory"])


@IN_MEMORY
def test_content_gives_back_what_was_written_again_and_again(memory: int, tmp_path: Path) -> None:
    data = bytes(range(256))
    content = filled(data, memory=memory, directory=tmp_path)
    assert content.size == 256
    assert b"".join(content.chunks()) == data
    assert b"".join(content.chunks(3, 200)) == data[3:200]
    assert b"".join(content.chunks(250, 9999)) == data[250:]
    assert b"".join(content.chunks(300)) == b""


@IN_MEMORY
def test_content_can_be_written_after_it_was_read(memory: int) -> None:
    content = filled(b"abc", memory=memory)
    assert b"".join(content.chunks()) == b"abc"
    content.write(b"def")
    assert b"".join(content.chunks()) == b"abcdef"


@IN_MEMORY
def test_content_is_read_by_several_threads_at_once(memory: int) -> None:
    data = bytes(range(256)) * 2
    content = filled(data, memory=memory)
    with ThreadPoolExecutor(4) as pool:
        read = [pool.submit(lambda: b"".join(content.chunks())) for _ in range(16)]
        assert {future.result() for future in read} == {data}


def test_content_in_a_file_leaves_no_name_and_no_descriptor(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    content = filled(b"x" * 100, memory=1, directory=tmp_path)
    assert os.listdir(tmp_path) == []
    assert "in a file" in repr(content)
    content.close()
    content.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_content_whose_file_cannot_be_closed_well_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def close(fd: int) -> None:
        os.close(fd)
        raise OSError

    content = filled(b"some", memory=0)
    with monkeypatch.context() as patch:
        patch.setattr(posix, "close", close)
        content.close()
    assert content.size == 0


def test_content_forgotten_without_close_gives_back_its_descriptor() -> None:
    before = len(os.listdir("/proc/self/fd"))
    filled(b"x" * 100, memory=1)
    assert len(os.listdir("/proc/self/fd")) == before


def test_content_chunks_are_of_bounded_length() -> None:
    content = Content(memory=1_000_000)
    content.write(b"x" * 200_000)
    assert max(len(chunk) for chunk in content.chunks()) <= 64 * 1024
    assert "in memory" in repr(content)


def test_content_whose_directory_is_missing_goes_elsewhere(tmp_path: Path) -> None:
    content = filled(b"x" * 100, memory=1, directory=tmp_path / "missing")
    assert b"".join(content.chunks()) == b"x" * 100


def test_content_that_fits_nowhere_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FALLBACK_DIRECTORIES", (str(tmp_path / "missing"),))
    with pytest.raises(FileNotFoundError):
        open_unnamed(None)


def test_content_keeps_what_it_had_when_the_disk_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    content = filled(b"abc", memory=5)
    before = len(os.listdir("/proc/self/fd"))

    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(posix, "write", full)
    with pytest.raises(OSError, match="No space"):
        content.write(b"defghi")
    monkeypatch.undo()
    assert len(os.listdir("/proc/self/fd")) == before
    assert b"".join(content.chunks()) == b"abc"


@pytest.mark.parametrize("trouble", [95, 21, 22], ids=["EOPNOTSUPP", "EISDIR", "EINVAL"])
def test_file_without_a_name_is_made_where_the_kernel_makes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: int
) -> None:
    genuine = posix.open

    def old_kernel(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(trouble, "not here")
        return genuine(path, flags, mode)

    monkeypatch.setattr(posix, "open", old_kernel)
    fd = open_unnamed_in(str(tmp_path))
    monkeypatch.undo()
    assert os.listdir(tmp_path) == []
    assert os.fstat(fd).st_mode & 0o777 == 0o600
    os.close(fd)


def test_slice_of_a_file_is_what_stands_there() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"head:body:tail")
        file.flush()
        part = FileSlice(file.fileno(), 5, 4)
        assert (part.size, b"".join(part.chunks())) == (4, b"body")
        assert b"".join(part.chunks(1, 3)) == b"od"
        assert b"".join(part.chunks(1, 99)) == b"ody"
        assert "FileSlice" in repr(part)
        part.close()
        os.fstat(file.fileno())  # it was borrowed


def test_slice_of_a_file_closes_what_it_owns_once() -> None:
    fd = os.open("/dev/null", os.O_RDONLY)
    part = FileSlice(fd, 0, 0, owns=True)
    part.close()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(fd)
    part.close()


def test_slice_of_a_file_cut_short_is_an_error_and_not_half_a_message(tmp_path: Path) -> None:
    path = tmp_path / "entry"
    path.write_bytes(b"half")
    fd = os.open(path, os.O_RDONLY)
    with pytest.raises(OSError, match="4 octets too early"):
        b"".join(FileSlice(fd, 0, 8, owns=True).chunks())


def test_slice_of_content_closes_the_whole() -> None:
    content = filled(b"0123456789", memory=2)
    part = Slice(content, 4)
    assert (part.size, b"".join(part.chunks()), b"".join(part.chunks(1, 3))) == (
        6,
        b"456789",
        b"56",
    )
    assert Slice(content, 99).size == 0
    assert "Slice" in repr(part)
    part.close()
    assert content.size == 0
