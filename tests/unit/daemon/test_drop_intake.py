"""Intake of the drop directory, where anyone may have put anything."""

from __future__ import annotations

import errno
import os
import resource
import socket
from pathlib import Path
from typing import Any

import pytest

from pysendmail.daemon import drop_intake
from pysendmail.daemon.drop_intake import ABANDONED_S, CHOKED_S, DropIntake
from pysendmail.spool.errors import SpoolFull
from pysendmail.submission.drop_door import drop
from pysendmail.submission.exit_status import Refused
from pysendmail.submission.request import Request, format_head, format_request
from tests.unit.submission.samples import QUEUE_ID


class House:
    """A drop directory and who takes it in."""

    def __init__(self, spool: Path) -> None:
        self.spool = spool
        self.directory = spool / "drop"
        self.directory.mkdir()
        self.aside = spool / "broken"
        self.aside.mkdir()
        self.taken: list[tuple[Request, bytes, int]] = []
        self.notes: list[tuple[str, str]] = []
        self.trouble: Exception | None = None
        self.move_fails = False
        self.intake = DropIntake(
            str(self.directory),
            take=self._take,
            put_aside=self._put_aside,
            note=lambda what, name: self.notes.append((what, name)),
        )

    def _take(self, request: Request, raw: Any, uid: int) -> None:
        if self.trouble and request.queue_id == QUEUE_ID:
            raise self.trouble
        self.taken.append((request, b"".join(raw.chunks()), uid))

    def _put_aside(self, name: str) -> None:
        if self.move_fails:
            raise PermissionError(errno.EACCES, "Permission denied")
        os.rename(self.directory / name, self.aside / f"{len(list(self.aside.iterdir()))}")

    def drop(self, text: bytes = b"S: t\n\nx", queue_id: str = QUEUE_ID, **facts: Any) -> None:
        request = Request(queue_id=queue_id, size=len(text), operands=(b"a@b",), **facts)
        drop(str(self.spool), queue_id, format_request(request), [text])

    def write(self, octets: bytes, name: str = "x") -> Path:
        path = self.directory / name
        path.write_bytes(octets)
        return path

    def sweep(self, now: float = 2e9) -> None:
        self.intake.sweep(now)

    def names(self) -> list[str]:
        return sorted(os.listdir(self.directory))

    def put_aside(self) -> int:
        return len(list(self.aside.iterdir()))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def head(size: int) -> bytes:
    return format_request(Request(queue_id=QUEUE_ID, size=size, operands=(b"a@b",)))


def test_file_is_taken_and_its_owner_is_the_submitter(house: House) -> None:
    house.drop(sender=b"", from_header=True)
    house.sweep()
    [(request, text, uid)] = house.taken
    assert (request.queue_id, request.sender, request.from_header) == (QUEUE_ID, b"", True)
    assert (text, uid) == (b"S: t\n\nx", os.geteuid())
    assert house.names() == []


def test_large_head_is_read_whole(house: House) -> None:
    operands = tuple(b"user%06d@example.org" % number for number in range(60_000))
    request = Request(queue_id=QUEUE_ID, size=4, operands=operands)
    house.write(format_request(request) + b"text")
    house.sweep()
    assert house.taken[0][0].operands == operands


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\0\0", id="zeros"),
        pytest.param(b"hello world\0\0", id="foreign"),
        pytest.param(b"pysendmail/1 submit\0", id="head without end"),
        pytest.param(b"pysendmail/1 submit\0Z\0\0", id="unknown record"),
        pytest.param(format_head(b"queue", [b"adelete"]), id="no submission"),
        pytest.param(head(10) + b"short", id="torn"),
        pytest.param(head(1) + b"too long", id="longer than it says"),
        pytest.param(head(10**14), id="says it is giant"),
        pytest.param(b"x" * 200_000, id="no head at all"),
    ],
)
def test_file_that_is_no_request_is_put_aside(house: House, octets: bytes) -> None:
    house.write(octets)
    house.sweep()
    assert house.names() == []
    assert house.put_aside() == 1
    assert house.taken == []
    assert house.notes[0][0].startswith("put aside: ")


def test_sparse_giant_costs_neither_time_nor_memory(house: House) -> None:
    path = house.write(b"")
    os.truncate(path, 2**40)
    house.sweep()
    assert house.put_aside() == 1


def test_symbolic_link_is_removed_and_not_followed(house: House, tmp_path: Path) -> None:
    target = tmp_path / "secret"
    target.write_bytes(head(0))
    (house.directory / "x").symlink_to(target)
    house.sweep()
    assert (house.names(), house.taken) == ([], [])
    assert target.exists()


def test_hard_link_is_removed_and_its_file_left_alone(house: House, tmp_path: Path) -> None:
    target = tmp_path / "secret"
    target.write_bytes(head(0))
    os.link(target, house.directory / "x")
    house.sweep()
    assert (house.names(), house.taken) == ([], [])
    assert target.read_bytes() == head(0)


def test_fifo_is_removed_and_not_waited_for(house: House) -> None:
    os.mkfifo(house.directory / "x")
    house.sweep()
    assert (house.names(), house.taken) == ([], [])


def test_socket_is_removed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(house.directory)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("x")
    house.sweep()
    assert (house.names(), house.taken) == ([], [])


def test_empty_directory_is_removed_and_a_full_one_put_aside(house: House) -> None:
    (house.directory / "empty").mkdir()
    (house.directory / "full").mkdir()
    (house.directory / "full" / "x").write_text("")
    house.sweep()
    assert house.names() == []
    assert house.put_aside() == 1


def test_what_cannot_be_moved_does_not_stop_the_others(house: House) -> None:
    house.move_fails = True
    for name in ("a", "zz"):
        (house.directory / name).mkdir()
        (house.directory / name / "x").write_text("")
    house.write(b"nonsense", "m")
    house.drop()
    house.sweep()
    assert len(house.taken) == 1
    assert house.names() == ["a", "m", "zz"]
    assert ("not put aside: Permission denied", "m") in house.notes


@pytest.mark.parametrize("name", ["a\nb", "-rf", "\x1b[2J", "ü", ".hidden", "x" * 255])
def test_name_says_nothing(house: House, name: str) -> None:
    house.write(head(0), name)
    house.sweep()
    assert len(house.taken) == 1
    assert house.names() == []


def test_name_that_is_no_text_says_nothing_either(house: House) -> None:
    path = os.fsencode(house.directory) + b"/\xff\xfe"
    with open(path, "wb") as file:
        file.write(head(0))
    house.sweep()
    assert len(house.taken) == 1
    assert house.names() == []


def test_file_being_written_is_left_until_its_writer_must_have_died(house: House) -> None:
    path = house.write(b"half", f"writing-{QUEUE_ID}")
    written = path.stat().st_mtime
    house.sweep(written + ABANDONED_S)
    assert len(house.names()) == 1
    house.sweep(written + ABANDONED_S + 1)
    assert house.names() == []
    assert house.taken == []


@pytest.mark.parametrize("trouble", [OSError(errno.EIO, "disk"), SpoolFull("no room")])
def test_file_stays_while_the_spool_cannot_take_it(house: House, trouble: Exception) -> None:
    house.drop()
    house.trouble = trouble
    with pytest.raises(type(trouble)):
        house.sweep()
    assert house.names() == [QUEUE_ID]
    assert house.intake.changed()
    house.trouble = None
    house.sweep()
    assert (house.names(), len(house.taken)) == ([], 1)


def test_removals_that_cannot_be_synced_are_told_and_synced_by_the_next_sweep(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    answers = [OSError(errno.EIO, "disk"), None]

    def fsync(fd: int) -> None:
        synced.append(os.fstat(fd).st_ino)
        if (error := answers.pop(0)) is not None:
            raise error

    house.drop()
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="disk"):
        house.sweep()
    assert house.intake.changed()
    house.sweep()
    house.sweep()  # nothing was removed: nothing to sync
    assert synced == [house.directory.stat().st_ino] * 2
    assert len(house.taken) == 1


@pytest.mark.parametrize("trouble", [OSError(errno.EIO, "disk"), SpoolFull("no room")])
def test_trouble_with_one_file_does_not_stop_the_others(house: House, trouble: Exception) -> None:
    for queue_id in ("00000000000000", QUEUE_ID, "00000000000002"):
        house.drop(queue_id=queue_id)
    house.trouble = trouble
    with pytest.raises(type(trouble)):
        house.sweep()
    assert house.names() == [QUEUE_ID]
    assert len(house.taken) == 2


def test_file_that_sendmail_would_not_have_left_is_put_aside(house: House) -> None:
    house.drop()
    house.drop(queue_id="00000000000002")
    house.trouble = Refused(64, b"-f: no address")
    house.sweep()
    assert (house.names(), house.put_aside(), len(house.taken)) == ([], 1, 1)
    assert ("put aside: -f: no address", QUEUE_ID) in house.notes


@pytest.mark.parametrize("trouble", [ZeroDivisionError(), TypeError("None"), ValueError("bug")])
def test_file_that_a_bug_of_ours_chokes_on_stays_and_stops_no_other(
    house: House, trouble: Exception
) -> None:
    house.drop()
    house.drop(queue_id="00000000000002")
    house.trouble = trouble
    house.sweep()
    assert len(house.taken) == 1
    assert house.put_aside() == 0
    assert house.names() == [QUEUE_ID]
    assert house.notes == [(f"stays, internal error: {trouble!r}", QUEUE_ID)]


def test_file_that_a_bug_of_ours_chokes_on_is_looked_at_again_after_a_pause(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(drop_intake.time, "monotonic", lambda: clock[0])
    house.drop()
    house.trouble = ZeroDivisionError()
    house.sweep()
    assert not house.intake.changed()
    assert house.intake.holds_back()
    house.drop(queue_id="00000000000002")
    house.trouble = None
    house.sweep()
    assert house.names() == [QUEUE_ID]
    assert len(house.notes) == 1
    clock[0] += CHOKED_S
    assert house.intake.changed()
    house.sweep()
    assert (house.names(), len(house.taken)) == ([], 2)
    house.sweep()
    assert not house.intake.changed()
    assert not house.intake.holds_back()


def test_file_stays_while_the_daemon_is_out_of_descriptors(house: House) -> None:
    house.drop()
    lowest = os.dup(0)
    os.close(lowest)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 1, before[1]))  # one for the directory
    try:
        with pytest.raises(OSError, match="Too many open files"):
            house.sweep()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert house.names() == [QUEUE_ID]
    house.sweep()
    assert len(house.taken) == 1


def test_owner_may_be_quicker(house: House) -> None:
    house.drop()

    def take(*_: object) -> None:
        os.unlink(house.directory / QUEUE_ID)

    DropIntake(str(house.directory), take=take, put_aside=print, note=print).sweep(2e9)
    assert house.names() == []


def test_directory_is_looked_at_only_when_it_has_changed(house: House) -> None:
    assert house.intake.changed()
    house.sweep()
    assert not house.intake.changed()
    house.drop()
    assert house.intake.changed()


def test_missing_directory_has_not_changed(house: House) -> None:
    house.directory.rmdir()
    assert not house.intake.changed()
    with pytest.raises(FileNotFoundError):
        house.sweep()
