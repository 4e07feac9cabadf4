"""The drop directory from the writer's side: modes whatever the umask, and nothing half done."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from pysendmail.submission.drop_door import DROP_MODE, drop, drop_directory, make_drop_directory
from tests.unit.submission.samples import QUEUE_ID


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    make_drop_directory(str(tmp_path))
    return tmp_path


@pytest.fixture(params=[0, 0o022, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_directory_takes_from_all_and_shows_nobody(tmp_path: Path, umask: None) -> None:
    make_drop_directory(str(tmp_path))
    assert mode(tmp_path / "drop") == DROP_MODE == 0o3733
    assert drop_directory(str(tmp_path)) == str(tmp_path / "drop")


def test_directory_is_repaired_and_left_alone_when_right(spool: Path) -> None:
    make_drop_directory(str(spool))
    (spool / "drop").chmod(0o755)
    make_drop_directory(str(spool))
    assert mode(spool / "drop") == DROP_MODE


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_directory_belongs_to_the_spools_owner(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 5678)
    make_drop_directory(str(tmp_path))
    status = (tmp_path / "drop").stat()
    assert (status.st_uid, status.st_gid) == (1234, 5678)


def test_file_is_whole_and_readable_by_its_group_only(spool: Path, umask: None) -> None:
    drop(str(spool), QUEUE_ID, b"head\0\0", [b"one ", b"", b"two"])
    [path] = (spool / "drop").iterdir()
    assert path.name == QUEUE_ID
    assert path.read_bytes() == b"head\0\0one two"
    assert mode(path) == 0o640


def test_content_that_fails_leaves_nothing(spool: Path) -> None:
    def content() -> Iterator[bytes]:
        yield b"half"
        raise OSError(errno.EIO, "disk")

    with pytest.raises(OSError, match="disk"):
        drop(str(spool), QUEUE_ID, b"head", content())
    assert list((spool / "drop").iterdir()) == []


def test_interrupt_leaves_nothing(spool: Path) -> None:
    def content() -> Iterator[bytes]:
        yield b"half"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drop(str(spool), QUEUE_ID, b"head", content())
    assert list((spool / "drop").iterdir()) == []


def test_file_that_somebody_removed_meanwhile_is_an_error_and_no_more(spool: Path) -> None:
    def content() -> Iterator[bytes]:
        (spool / "drop" / f"writing-{QUEUE_ID}").unlink()
        yield b"x"

    with pytest.raises(FileNotFoundError):
        drop(str(spool), QUEUE_ID, b"head", content())


def test_name_that_is_taken_is_not_written_to(spool: Path) -> None:
    target = spool / "target"
    (spool / "drop" / f"writing-{QUEUE_ID}").symlink_to(target)
    with pytest.raises(FileExistsError):
        drop(str(spool), QUEUE_ID, b"head", [b"x"])
    assert not target.exists()


def test_missing_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        drop(str(tmp_path), QUEUE_ID, b"head", [])
