"""The drop directory among real users: mallory puts there what she can, the daemon is not root."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pysendmail.daemon import drop_intake
from pysendmail.daemon.drop_intake import NOTES, DropIntake
from pysendmail.daemon.lifecycle import put_aside
from pysendmail.submission.drop_door import drop, make_drop_directory
from pysendmail.submission.request import Request, format_request
from tests.helpers.users import acting_as, as_root

DAEMON, ALICE, MALLORY = 12000, 12001, 12002
TEXT = b"Subject: t\n\n" + 20_000 * b"octets "

pytestmark = [pytest.mark.root, as_root]


class House:
    """A spool of the daemon's, with its drop directory as an installation has it."""

    def __init__(self, top: Path) -> None:
        self.spool = top / "spool"
        self.broken = self.spool / "broken"
        for directory, mode in ((self.spool, 0o711), (self.broken, 0o700)):
            directory.mkdir()
            directory.chmod(mode)
            os.chown(directory, DAEMON, DAEMON)
        make_drop_directory(str(self.spool))
        self.drops = self.spool / "drop"
        self.home = top / "mallory"
        self.home.mkdir()
        os.chown(self.home, MALLORY, MALLORY)
        self.taken: list[tuple[str, int]] = []
        self.notes: list[tuple[str, str]] = []
        self.intake = DropIntake(
            str(self.drops),
            take=self.take,
            put_aside=lambda name: put_aside(str(self.spool), name),
            note=lambda what, name: self.notes.append((what, name)),
        )

    def take(self, request: Request, raw: Any, uid: int) -> None:
        for _ in raw.chunks():
            pass
        self.taken.append((request.queue_id, uid))

    def drop(self, uid: int, queue_id: str = "0000000000000A") -> None:
        with acting_as(uid):
            drop(str(self.spool), queue_id, self.request(queue_id), [TEXT])

    def request(self, queue_id: str) -> bytes:
        return format_request(Request(queue_id=queue_id, size=len(TEXT), operands=(b"a@b",)))

    def write_at_home(self, owner: int) -> Path:
        """A request in a file of somebody's, that lies in a directory of mallory's."""
        path = self.home / "file"
        path.write_bytes(self.request("0000000000000B") + TEXT)
        path.chmod(0o644)
        os.chown(path, owner, owner)
        return path

    def sweep(self) -> None:
        with acting_as(DAEMON):
            self.intake.sweep(2e9)


@pytest.fixture
def house() -> Iterator[House]:
    top = Path(tempfile.mkdtemp(prefix="hostile-"))
    top.chmod(0o755)
    yield House(top)
    shutil.rmtree(top)


def test_owner_of_a_dropped_file_is_its_submitter(house: House) -> None:
    house.drop(ALICE)
    house.sweep()
    assert house.taken == [("0000000000000A", ALICE)]
    assert os.listdir(house.drops) == []


def test_user_can_neither_list_nor_read_nor_remove_what_another_has_dropped(house: House) -> None:
    house.drop(ALICE)
    path = house.drops / "0000000000000A"
    with acting_as(MALLORY):
        for attempt in (
            lambda: os.listdir(house.drops),
            lambda: path.read_bytes(),
            lambda: path.unlink(),
            lambda: path.rename(house.home / "mine"),
            lambda: (house.home / "x").rename(path),
            lambda: os.listdir(house.broken),
            lambda: os.listdir(house.spool),
        ):
            with pytest.raises(OSError) as caught:
                attempt()
            assert caught.value.errno in (errno.EACCES, errno.EPERM, errno.ENOENT)


def test_file_of_root_that_a_user_moves_in_is_no_submission_of_root(house: House) -> None:
    path = house.write_at_home(owner=0)
    with acting_as(MALLORY):
        path.rename(house.drops / "moved")
    house.sweep()
    assert house.taken == []
    assert [what for what, _ in house.notes] == ["put aside: moved in from elsewhere"]


def test_link_to_a_file_of_another_is_removed_and_the_file_stays(house: House) -> None:
    # As mallory makes it where fs.protected_hardlinks is off; to us it looks the same.
    path = house.write_at_home(owner=ALICE)
    os.link(path, house.drops / "linked")
    house.sweep()
    assert (house.taken, os.listdir(house.drops)) == ([], [])
    assert path.exists()


def test_link_whose_file_is_removed_meanwhile_is_no_submission_of_the_owner(house: House) -> None:
    path = house.write_at_home(owner=ALICE)
    os.link(path, house.drops / "linked")
    with acting_as(MALLORY):
        path.unlink()
    house.sweep()
    assert house.taken == []


def test_device_is_removed(house: House) -> None:
    os.mknod(house.drops / "null", 0o020666, os.makedev(1, 3))
    house.sweep()
    assert (house.taken, os.listdir(house.drops)) == ([], [])


def test_file_nobody_may_read_is_put_aside(house: House) -> None:
    house.drop(MALLORY)
    with acting_as(MALLORY):
        (house.drops / "0000000000000A").chmod(0)
    house.sweep()
    assert (house.taken, os.listdir(house.drops)) == ([], [])
    assert len(os.listdir(house.broken)) == 1


def test_directories_that_cannot_be_moved_are_told_once_and_stop_nobody(house: House) -> None:
    with acting_as(MALLORY):
        for number in range(3):
            (house.drops / f"{number}").mkdir(mode=0o700)
            (house.drops / f"{number}" / "x").touch()
    house.sweep()
    told = len(house.notes)
    assert told >= 3
    house.drop(ALICE)
    house.sweep()
    assert house.taken == [("0000000000000A", ALICE)]
    assert len(house.notes) == told


def test_file_cut_while_it_is_read_is_not_taken(house: House) -> None:
    house.drop(MALLORY)
    taken = house.take

    def cut(request: Request, raw: Any, uid: int) -> None:
        with open(house.drops / "0000000000000A", "r+b") as file:
            file.truncate(1000)
        taken(request, raw, uid)

    house.intake = DropIntake(
        str(house.drops),
        take=cut,
        put_aside=lambda name: put_aside(str(house.spool), name),
        note=lambda *_: None,
    )
    os.chmod(house.drops / "0000000000000A", 0o666)
    with pytest.raises(OSError, match="too early"):
        house.sweep()
    house.sweep()
    assert house.taken == []
    assert len(os.listdir(house.broken)) == 1


def test_any_number_of_unfinished_files_keeps_nobody_waiting_for_ever(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drop_intake, "ROUND_S", -1.0)  # time for one file in each round
    with acting_as(MALLORY):
        for number in range(200):
            (house.drops / f"writing-{number}").touch()
    house.drop(ALICE)
    for _ in range(300):
        house.sweep()
    assert house.taken == [("0000000000000A", ALICE)]


def test_any_number_of_files_of_one_user_keeps_nobody_elses_from_its_turn(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drop_intake, "TURN_S", 1e-9)  # for one file
    for number in range(20):
        house.drop(MALLORY, f"{number:014X}")
    house.drop(ALICE, "F" * 14)
    house.sweep()
    assert sorted(uid for _, uid in house.taken) == [ALICE, MALLORY]
    assert house.intake.under_way
    while house.intake.under_way:
        assert house.intake.changed()
        house.sweep()
    assert len(house.taken) == 21


def test_any_number_of_files_that_are_no_mail_gets_a_few_lines_and_a_count(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with acting_as(MALLORY):
        for number in range(3 * NOTES):
            (house.drops / f"junk-{number}").touch(0o640)
    house.sweep()
    assert len(os.listdir(house.broken)) == 3 * NOTES
    assert len(house.notes) == NOTES
    monkeypatch.setattr(drop_intake, "NOTES_S", 0.0)
    assert house.intake.changed()
    house.sweep()
    assert house.notes[NOTES:] == [(f"lines left out: {2 * NOTES}", "")]
