"""The contract over the directory backend, and what only a directory can do."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from binascii import crc32

import pytest

from pysendmail.spool import codec, directory
from pysendmail.spool.directory import DURABLE_STEPS, DirectorySpool
from pysendmail.spool.disk import Disk
from pysendmail.spool.entering import remove_torn
from pysendmail.spool.entry import AT_ONCE
from pysendmail.spool.errors import (
    AlreadyEntered,
    BrokenEntry,
    EntryBusy,
    HalfEntered,
    SpoolError,
)
from pysendmail.spool.file import EntryFile
from tests.unit.spool.contract import SpoolContract
from tests.unit.spool.samples import (
    ALICE,
    BOB,
    FIRST,
    SECOND,
    TEXT,
    THIRD,
    deferred,
    delivered,
    enter,
    failed,
    notice,
    octets,
)


def failing(*_):
    raise OSError(errno.EIO, "the disk")


@pytest.fixture
def place(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def spool(place):
    spool = DirectorySpool.create(place)
    yield spool
    spool.close()


@pytest.fixture
def other(spool, place):
    """The same spool, as another process has it open."""
    other = DirectorySpool(place)
    yield other
    other.close()


class TestDirectorySpool(SpoolContract):
    @pytest.fixture
    def spool(self, tmp_path):
        spool = DirectorySpool.create(tmp_path / "spool")
        yield spool
        spool.close()


# Layout


def test_create_makes_what_is_missing_and_may_be_repeated(tmp_path):
    place = tmp_path / "a" / "b" / "spool"
    DirectorySpool.create(place).close()
    os.rmdir(place / "done")
    again = DirectorySpool.create(place)
    again.remember(FIRST, 1000.0)
    again.close()
    assert sorted(os.listdir(place)) == ["broken", "done", "format", "incoming", "queue", "wake"]


def test_umask_does_not_matter(place):
    old = os.umask(0o777)
    try:
        spool = DirectorySpool.create(place)
        enter(spool)
        spool.remember(SECOND, 1000.0)
    finally:
        os.umask(old)
    modes = {
        name: stat.S_IMODE(os.stat(place / name).st_mode)
        for name in ["", "queue", "incoming", "done", "broken", "wake", f"queue/{FIRST}"]
    }
    spool.close()
    assert modes == {
        "": 0o711,
        "queue": 0o700,
        "incoming": 0o700,
        "done": 0o700,
        "broken": 0o700,
        "wake": 0o600,
        f"queue/{FIRST}": 0o600,
    }


def test_creation_that_a_crash_ended_is_set_right(place):
    (place / "queue").mkdir(parents=True, mode=0o755)
    os.mkfifo(place / "wake", 0o644)
    DirectorySpool.create(place).close()
    assert stat.S_IMODE(os.stat(place / "queue").st_mode) == 0o700
    assert stat.S_IMODE(os.stat(place / "wake").st_mode) == 0o600


def test_directory_made_meanwhile_by_another_process_is_taken(place):
    class Late(Disk):
        def make_directory(self, name, dir_fd, mode):
            os.mkdir(name, mode, dir_fd=dir_fd)
            super().make_directory(name, dir_fd, mode)

    spool = DirectorySpool.create(place, disk=Late())
    enter(spool)
    spool.close()


def test_modes_an_administrator_chose_are_left_alone(place):
    DirectorySpool.create(place).close()
    os.chmod(place, 0o751)
    os.chmod(place / "queue", 0o750)
    DirectorySpool.create(place).close()
    assert stat.S_IMODE(os.stat(place).st_mode) == 0o751
    assert stat.S_IMODE(os.stat(place / "queue").st_mode) == 0o750


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who gives files away")
def test_root_gives_its_files_to_the_owner_of_the_spool(place):
    place.mkdir()
    os.chown(place, 12345, 23456)
    spool = DirectorySpool.create(place)
    enter(spool)
    spool.remember(SECOND, 1000.0)
    spool.close()
    for name in ["queue", "incoming", "wake", "format", f"queue/{FIRST}", f"done/{SECOND}"]:
        found = os.stat(place / name)
        assert (name, found.st_uid, found.st_gid) == (name, 12345, 23456)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(b"2\n", "format 2, of a newer pysendmail; this one knows 1", id="newer"),
        pytest.param(b"0\n", "format 0, that no pysendmail has; this one knows 1", id="older"),
        pytest.param(b"9" * 40, "of a newer pysendmail", id="endless"),
        pytest.param(b"", "no spool: its format file says b'', not 1", id="empty"),
        pytest.param(b"maildir\n", "no spool", id="foreign"),
        pytest.param(None, "nobody has created it", id="missing"),
    ],
)
def test_format_not_ours_is_refused(place, content, complaint):
    DirectorySpool.create(place).close()
    os.unlink(place / "format")
    if content is not None:
        (place / "format").write_bytes(content)
        with pytest.raises(SpoolError, match=complaint):
            DirectorySpool.create(place)
    with pytest.raises(SpoolError, match=complaint):
        DirectorySpool(place)


def test_missing_directory_is_refused_with_its_name(tmp_path):
    with pytest.raises(SpoolError, match="nowhere") as caught:
        DirectorySpool(tmp_path / "nowhere")
    assert isinstance(caught.value.error, FileNotFoundError)


def test_missing_subdirectory_is_refused(place):
    DirectorySpool.create(place).close()
    os.rmdir(place / "broken")
    with pytest.raises(SpoolError, match="broken"):
        DirectorySpool(place)


def test_spool_is_in_place_until_its_directory_is_another(place):
    spool = DirectorySpool.create(place)
    assert spool.in_place()
    place.rename(place.with_name("aside"))
    assert not spool.in_place()
    with pytest.raises(SpoolError, match="no longer the spool that was opened"):
        enter(spool)
    assert spool.count() == 0
    DirectorySpool.create(place).close()
    assert not spool.in_place()
    shutil.rmtree(place)
    place.with_name("aside").rename(place)
    assert spool.in_place()
    spool.close()


def test_spool_whose_place_is_a_file_is_not_in_place(place):
    spool = DirectorySpool.create(place)
    shutil.rmtree(place)
    place.touch()
    assert not spool.in_place()
    spool.close()


def test_failed_opening_leaves_no_descriptor(place):
    DirectorySpool.create(place).close()
    os.rmdir(place / "broken")
    before = os.listdir("/proc/self/fd")
    with pytest.raises(SpoolError):
        DirectorySpool(place)
    assert os.listdir("/proc/self/fd") == before


def test_entry_removed_between_its_opening_and_its_lock_is_gone(spool, place, monkeypatch):
    enter(spool)
    before = os.listdir("/proc/self/fd")
    lock = EntryFile.lock

    def too_late(file):
        os.unlink(place / "queue" / FIRST)
        lock(file)

    monkeypatch.setattr(EntryFile, "lock", too_late)
    assert spool.claim(FIRST) is None
    assert os.listdir("/proc/self/fd") == before


def test_sync_closes_the_files_of_removed_entries_and_nothing_else(spool):
    before = os.listdir("/proc/self/fd")
    strangers = []
    for queue_id in (FIRST, SECOND, THIRD):
        enter(spool, queue_id)
        spool.claim(queue_id).settle([delivered(ALICE), delivered(BOB)], 5.0, now=1.0, sync=False)
        if queue_id != FIRST:
            strangers.append(os.open(os.devnull, os.O_RDONLY))
    assert len(os.listdir("/proc/self/fd")) == len(before) + 5
    spool.sync()
    spool.sync()  # with nothing to close
    assert os.listdir("/proc/self/fd") == sorted([*before, *map(str, strangers)], key=int)
    for fd in strangers:
        os.close(fd)


def test_closed_spool_leaves_no_descriptor(place):
    before = os.listdir("/proc/self/fd")
    spool = DirectorySpool.create(place)
    enter(spool)
    enter(spool, SECOND)
    with spool.claim(FIRST) as claim:
        octets(claim.message())
        claim.settle([failed(ALICE)], 5.0, now=1.0, notices=[notice()])
    spool.claim(SECOND).settle([delivered(ALICE), delivered(BOB)], 5.0, now=1.0)
    spool.open_message(FIRST).close()
    spool.change(FIRST, "hold")
    spool.wait(0)
    spool.wake()
    spool.sweep(5.0)
    list(spool.entries())
    spool.close()
    assert os.listdir("/proc/self/fd") == before


def test_drop_directory_is_left_alone(spool, place):
    (place / "drop").mkdir()
    (place / "drop" / "anything").write_bytes(b"x")
    assert spool.sweep(1e10) == []
    assert (place / "drop" / "anything").exists()


# What another process sees, or the next one


def test_everything_is_there_after_reopening(spool, other):
    enter(spool, FIRST, next_attempt=1100.123456)
    enter(spool, SECOND, next_attempt=1200.0)
    enter(spool, THIRD)
    spool.claim(SECOND).settle([delivered(ALICE), deferred(BOB)], 1500.0, now=1200.0)
    spool.change(THIRD, "hold")
    spool.remember("00000000000009", 1000.0)
    assert other.due(1100.123456, 10) == [FIRST]
    assert other.due(1e12, 10) == [FIRST, SECOND]
    assert other.find(SECOND) == spool.find(SECOND)
    assert other.find(THIRD).held
    with pytest.raises(AlreadyEntered):
        enter(other, "00000000000009")


def test_what_is_due_comes_before_all_of_a_long_queue_is_known(spool, other, monkeypatch):
    monkeypatch.setattr(directory, "LOADED_AT_ONCE", 4)
    ids = [f"{number:014X}" for number in range(10)]
    for number, queue_id in enumerate(ids):
        enter(spool, queue_id, next_attempt=100.0 + number)
    early = other.due(5000.0, 3)
    assert len(early) == 3
    assert early == sorted(early)
    assert other.next_due() == 100.0
    assert other.due(5000.0, 20) == ids


def test_all_of_a_long_queue_is_looked_at_for_one_that_is_due(spool, other, monkeypatch):
    monkeypatch.setattr(directory, "LOADED_AT_ONCE", 4)
    ids = [f"{number:014X}" for number in range(12)]
    for queue_id in ids:
        enter(spool, queue_id, next_attempt=9000.0)
    spool.change(ids[7], "expedite")
    assert other.due(5000.0, 3) == [ids[7]]


def test_all_of_a_long_queue_is_expedited_right_after_the_start(spool, other, monkeypatch):
    monkeypatch.setattr(directory, "LOADED_AT_ONCE", 4)
    ids = [f"{number:014X}" for number in range(10)]
    for queue_id in ids:
        enter(spool, queue_id, next_attempt=9000.0)
    other.expedite(other.ids())
    assert sorted(other.due(5000.0, 20)) == ids


def test_looking_through_the_queue_begins_again_after_an_error(spool, place, monkeypatch):
    for number in range(3):
        enter(spool, f"{number:014X}")
    other = DirectorySpool(place)
    with monkeypatch.context() as patch:
        patch.setattr(directory, "hinted_time", failing)
        with pytest.raises(SpoolError, match="scan the queue"):
            other.due(5000.0, 10)
    assert len(other.due(5000.0, 10)) == 3
    other.close()


def test_claim_holds_against_another_process_and_is_looked_at_again_later(spool, other):
    enter(spool)
    claim = other.claim(FIRST)
    assert spool.due(1100.0, 10) == [FIRST]
    assert spool.claim(FIRST) is None
    assert spool.due(1100.0, 10) == []
    assert spool.due(1111.0, 10) == [FIRST]
    claim.release()
    assert spool.claim(FIRST) is not None


def test_rescan_takes_over_what_another_process_did(spool, other):
    enter(spool, FIRST, next_attempt=1100.0)
    enter(spool, SECOND, next_attempt=1200.0)
    assert spool.due(9999.0, 10) == [FIRST, SECOND]
    enter(other, THIRD, next_attempt=1050.0)
    other.change(FIRST, "hold")
    other.change(SECOND, "expedite")
    assert spool.due(9999.0, 10) == [FIRST, SECOND]
    spool.rescan()
    assert spool.due(9999.0, 10) == [SECOND, THIRD]
    other.change(FIRST, "release")
    spool.rescan()
    assert spool.due(9999.0, 10) == [SECOND, THIRD, FIRST]


def test_expediting_in_memory_is_of_what_others_entered_too(spool, other):
    assert spool.due(9999.0, 10) == []
    enter(other)
    spool.expedite(spool.ids())
    assert spool.due(AT_ONCE, 10) == [FIRST]
    assert other.due(1.0, 10) == []


def test_rescan_leaves_own_claims_out_of_sight(spool):
    enter(spool)
    claim = spool.claim(FIRST)
    spool.rescan()
    assert spool.due(9999.0, 10) == []
    claim.release()


def test_entry_removed_by_another_process_is_gone_when_claimed(spool, other):
    enter(spool)
    assert spool.due(9999.0, 10) == [FIRST]
    other.change(FIRST, "remove")
    assert spool.claim(FIRST) is None
    assert spool.due(9999.0, 10) == []


def test_entry_held_by_another_process_is_not_claimed(spool, other):
    enter(spool)
    assert spool.due(9999.0, 10) == [FIRST]
    other.change(FIRST, "hold")
    assert spool.claim(FIRST) is None
    assert spool.due(9999.0, 10) == []


def test_wake_from_another_process_brings_its_changes(spool, other):
    assert spool.due(9999.0, 10) == []
    spool.wait(0)
    enter(other)
    other.wake()
    assert spool.wait(30) is True
    assert spool.due(9999.0, 10) == [FIRST]


def test_wake_with_nobody_waiting_is_no_error(spool, place):
    spool.wake()
    os.unlink(place / "wake")
    spool.wake()


def test_wake_more_often_than_a_fifo_holds_is_no_error(spool, other):
    spool.wait(0)
    for _ in range(70_000):
        other.wake()
    assert spool.wait(30) is True


def test_foreign_file_for_the_fifo_is_refused_and_left_alone(spool, place):
    os.unlink(place / "wake")
    (place / "wake").write_bytes(b"mine")
    spool.wake()
    with pytest.raises(SpoolError, match="no FIFO"):
        spool.wait(0)
    assert (place / "wake").read_bytes() == b"mine"


def test_forked_child_does_not_keep_a_released_claim(spool, other):
    enter(spool)
    claim = spool.claim(FIRST)
    end, keep = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(keep)
        os.read(end, 1)
        os._exit(0)
    try:
        assert other.claim(FIRST) is None
        claim.release()
        assert other.claim(FIRST) is not None
    finally:
        os.close(keep)
        os.waitpid(child, 0)
        os.close(end)


def test_file_open_at_its_removal_cannot_be_claimed(place):
    removed = []

    def remove_while_locking(name):
        if name == "settle: removed":
            removed.append(second.claim(FIRST))

    first = DirectorySpool.create(place, step=remove_while_locking)
    second = DirectorySpool(place)
    enter(first, FIRST, ALICE)
    first.claim(FIRST).settle([delivered(ALICE)], 0.0, now=1.0)
    assert removed == [None]
    first.close()
    second.close()


# Entering the same id from two sides


@pytest.mark.parametrize("step", ["written", "in queue", "synced"])
def test_id_being_entered_elsewhere_is_busy(place, step):
    seen = []

    def enter_too(name):
        if name == f"enter: {step}":
            assert second.claim(FIRST) is None
            with pytest.raises(EntryBusy) as caught:
                enter(second)
            seen.append(caught.value.queue_id)

    first = DirectorySpool.create(place, step=enter_too)
    second = DirectorySpool(place)
    enter(first)
    assert seen == [FIRST]
    assert second.count() == 1
    first.close()
    second.close()


def test_file_swept_between_its_creation_and_its_lock_is_created_again(place):
    swept = []

    class Slow(Disk):
        def create(self, name, dir_fd, mode=0o600, *, exclusive=True):
            fd = super().create(name, dir_fd, mode, exclusive=exclusive)
            if not swept:
                swept.extend(second.sweep(1000.0))
            return fd

    second = DirectorySpool.create(place)
    first = DirectorySpool(place, disk=Slow())
    enter(first)
    assert [finding.name for finding in swept] == [FIRST]
    assert octets(second.open_message(FIRST)) == TEXT
    first.close()
    second.close()


def test_half_entered_file_gone_before_it_was_looked_at_is_no_trouble(place):
    class Blind(Disk):
        left = 1

        def create(self, name, dir_fd, mode=0o600, *, exclusive=True):
            if self.left:
                Blind.left -= 1
                raise FileExistsError
            return super().create(name, dir_fd, mode, exclusive=exclusive)

    spool = DirectorySpool.create(place)
    spool.close()
    spool = DirectorySpool(place, disk=Blind())
    enter(spool)
    assert spool.count() == 1
    spool.close()


def test_half_entered_file_of_a_crash_makes_room_for_the_same_id(spool, place):
    (place / "incoming" / FIRST).write_bytes(b"pysendmail-entry 1 000")
    enter(spool)
    assert octets(spool.open_message(FIRST)) == TEXT
    assert os.listdir(place / "incoming") == []


def test_broken_entry_in_the_way_is_an_error_not_already_entered(spool, place):
    (place / "queue" / FIRST).write_bytes(b"")
    with pytest.raises(BrokenEntry):
        enter(spool)
    assert os.listdir(place / "incoming") == []


def test_message_of_another_size_than_it_says_is_refused(spool, place):
    class Liar:
        size = 5

        def chunks(self):
            yield b"1234"

    with pytest.raises(ValueError, match="5 octets"):
        spool.enter(FIRST, notice()[1], Liar(), arrived=1.0, uid=0, next_attempt=1.0)
    assert spool.count() == 0
    assert os.listdir(place / "incoming") == []


# What changes the files behind our back


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda octets: b"", id="empty"),
        pytest.param(lambda octets: octets[:10], id="torn in the first line"),
        pytest.param(lambda octets: octets[:90], id="torn in the head"),
        pytest.param(lambda octets: octets[: -len(b"well\r\n")], id="torn in the message"),
        pytest.param(lambda octets: b"\0" * len(octets), id="zeros"),
        pytest.param(lambda octets: b"From: x\r\n" + octets, id="foreign"),
        pytest.param(lambda octets: octets.replace(b"alice", b"mallo"), id="changed head"),
        pytest.param(lambda octets: octets.replace(b"-entry 1", b"-entry 2"), id="newer"),
        pytest.param(lambda octets: octets.replace(b"00000000003", b"00000000002"), id="length"),
    ],
)
@pytest.mark.trap(25)
def test_broken_entry_is_no_entry_and_is_put_aside(spool, place, damage):
    enter(spool)
    enter(spool, SECOND)
    path = place / "queue" / FIRST
    path.write_bytes(damage(path.read_bytes()))
    assert [entry.queue_id for entry in spool.entries()] == [SECOND]
    assert FIRST in spool.due(1e12, 10)
    assert spool.claim(FIRST) is None
    assert spool.due(1e12, 10) == [SECOND]
    with pytest.raises(BrokenEntry):
        spool.find(FIRST)
    with pytest.raises(BrokenEntry):
        spool.change(FIRST, "remove")
    damaged = path.read_bytes()
    [finding] = spool.sweep(5000.0)
    assert (finding.kind, finding.name) == ("broken", FIRST)
    assert FIRST in str(finding)
    assert FIRST in repr(finding)
    assert (place / "broken" / FIRST).read_bytes() == damaged
    assert spool.find(FIRST) is None
    assert spool.sweep(5000.0) == []


def test_entry_under_another_name_is_broken(spool, place):
    enter(spool)
    os.rename(place / "queue" / FIRST, place / "queue" / SECOND)
    assert spool.claim(SECOND) is None
    [finding] = spool.sweep(5000.0)
    assert FIRST in finding.text


def test_message_whose_header_is_damaged_is_still_there_as_it_is(spool, place):
    enter(spool)
    path = place / "queue" / FIRST
    path.write_bytes(path.read_bytes().replace(b"Subject:", b"Subject "))
    with spool.claim(FIRST) as claim:
        message = claim.message()
        assert b"\r\nSubject  report\r\n" in b"".join(message.chunks())
        assert message.fields == ()


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda path: path.mkdir(), id="directory"),
        pytest.param(lambda path: path.symlink_to("/etc/passwd"), id="symlink"),
        pytest.param(lambda path: path.symlink_to("nowhere"), id="dangling symlink"),
        pytest.param(lambda path: os.mkfifo(path), id="fifo"),
    ],
)
@pytest.mark.parametrize("directory", ["queue", "incoming"])
def test_what_is_no_file_is_put_aside(spool, place, make, directory):
    make(place / directory / FIRST)
    if directory == "queue":
        assert spool.claim(FIRST) is None
        with pytest.raises(BrokenEntry):
            spool.find(FIRST)
    findings = spool.sweep(5000.0)
    assert os.listdir(place / directory) == []
    if (directory, findings[0].kind) != ("incoming", "half-entered"):
        assert findings[0].kind == "broken"
        assert os.listdir(place / "broken") == [FIRST]


@pytest.mark.parametrize("directory", ["queue", "incoming"])
@pytest.mark.parametrize("name", ["core", ".hidden", "0000000000000a", "new\nline\x1b[1m"])
@pytest.mark.trap(25)
def test_foreign_name_is_put_aside_and_told_safely(spool, place, directory, name):
    (place / directory / name).write_bytes(b"?")
    assert list(spool.entries()) == []
    assert spool.count() == 0
    assert spool.due(1e12, 10) == []
    [finding] = spool.sweep(5000.0)
    assert finding.kind == "broken"
    assert str(finding).isprintable()
    assert (place / "broken" / name).read_bytes() == b"?"


def test_broken_things_of_the_same_name_are_all_kept(spool, place):
    for content in (b"1", b"2", b"3"):
        (place / "queue" / FIRST).write_bytes(content)
        spool.sweep(5000.0)
    kept = sorted((place / "broken").iterdir())
    assert [path.name for path in kept] == [FIRST, f"{FIRST}.1", f"{FIRST}.2"]
    assert [path.read_bytes() for path in kept] == [b"1", b"2", b"3"]


def test_half_entered_file_is_removed_and_one_being_written_is_not(place):
    found = []

    def sweep_meanwhile(name):
        if name == "enter: synced":
            found.extend(second.sweep(1e10))

    first = DirectorySpool.create(place, step=sweep_meanwhile)
    second = DirectorySpool(place)
    (place / "incoming" / SECOND).write_bytes(b"half")
    enter(first)
    assert [(finding.kind, finding.name) for finding in found] == [("half-entered", SECOND)]
    assert [entry.queue_id for entry in second.entries()] == [FIRST]
    first.close()
    second.close()


# What a power cut leaves of an entering: the name is there, and the content perhaps not


LONG = b"Subject: long\r\n\r\n" + b"x" * 70 * 1000 + b"\r\n"

TORN = {
    "empty": lambda content: b"",
    "zeros": lambda content: bytes(len(content)),
    "the last block missing": lambda content: content[:-7],
    "zeros at the end": lambda content: content[:-7] + bytes(7),
    "another octet": lambda content: content[:-3] + b"y" + content[-2:],
    "shifted by one": lambda content: content.replace(b"Subject: ", b"Subject: ?", 1),
}


def leave_entering(place, spoil=lambda content: content, text=TEXT):
    """Enter a message, and leave its file as a power cut may have left it; return its path."""
    spool = DirectorySpool.create(place)
    enter(spool, text=text)
    spool.close()
    path = place / "queue" / FIRST
    assert path.stat().st_mode & 0o7777 == 0o600
    path.write_bytes(spoil(path.read_bytes()))
    path.chmod(0o1600)
    return path


@pytest.mark.parametrize("text", [TEXT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("spoil", TORN.values(), ids=TORN)
def test_torn_content_of_an_entering_is_no_entry_and_goes(place, spoil, text):
    leave_entering(place, spoil, text)
    spool = DirectorySpool(place)
    with pytest.raises(HalfEntered):
        spool.find(FIRST)
    assert list(spool.entries()) == []
    assert spool.claim(FIRST) is None
    assert [(one.kind, one.name) for one in spool.sweep(5000.0)] == [("half-entered", FIRST)]
    assert spool.count() == 0
    assert os.listdir(place / "broken") == []
    spool.close()


@pytest.mark.parametrize("spoil", TORN.values(), ids=TORN)
def test_torn_content_of_an_entering_makes_room_for_the_same_id(place, spoil):
    leave_entering(place, spoil)
    spool = DirectorySpool(place)
    enter(spool)
    assert octets(spool.open_message(FIRST)) == TEXT
    assert spool.sweep(5000.0) == []
    spool.close()


def test_entry_entered_anew_while_a_sweep_looks_at_the_torn_one_stays(place, monkeypatch):
    leave_entering(place, TORN["zeros"])
    first, second = DirectorySpool(place), DirectorySpool(place)

    def enter_before(queue_id, layout):
        enter(second)
        return remove_torn(queue_id, layout)

    monkeypatch.setattr("pysendmail.spool.sweep.remove_torn", enter_before)
    assert first.sweep(5000.0) == []
    assert octets(first.open_message(FIRST)) == TEXT
    first.close()
    second.close()


def test_entry_entered_anew_while_the_torn_one_is_claimed_is_claimed(place, monkeypatch):
    leave_entering(place, TORN["zeros"])
    first, second = DirectorySpool(place), DirectorySpool(place)
    lock, entered = EntryFile.lock, []

    def lock_late(file):
        if not entered:
            entered.append(FIRST)
            enter(second)
        lock(file)

    monkeypatch.setattr(EntryFile, "lock", lock_late)
    with first.claim(FIRST) as claim:
        assert octets(claim.message()) == TEXT
    assert first.due(1e12, 10) == [FIRST]
    first.close()
    second.close()


def test_entry_entered_anew_after_the_torn_one_was_claimed_in_vain_is_due(place, monkeypatch):
    leave_entering(place, TORN["zeros"])
    spool = DirectorySpool(place)
    assert spool.due(1e12, 10) == [FIRST]

    def read_late(file):
        monkeypatch.undo()
        with pytest.raises(HalfEntered) as torn:
            file.read()
        file.close()
        enter(spool)
        raise torn.value

    monkeypatch.setattr(EntryFile, "read", read_late)
    assert spool.claim(FIRST) is None
    assert spool.due(1e13, 10) == [FIRST]
    assert octets(spool.open_message(FIRST)) == TEXT
    spool.close()


class NotingDisk(Disk):
    """Notes what is written and synced, and which mode is set."""

    def __init__(self):
        self.noted = []

    def write(self, fd, data, offset):
        self.noted.append((offset, len(data)))
        super().write(fd, data, offset)

    def sync(self, fd):
        self.noted.append(os.readlink(f"/proc/self/fd/{fd}").rpartition("/")[2])
        super().sync(fd)

    def set_mode(self, fd, mode):
        self.noted.append(mode)
        super().set_mode(fd, mode)


def enter_again(spool):
    with pytest.raises(AlreadyEntered):
        enter(spool)


@pytest.mark.parametrize(
    "reach",
    [
        pytest.param(lambda spool: spool.claim(FIRST).release(), id="claimed"),
        pytest.param(lambda spool: spool.change(FIRST, "expedite"), id="changed"),
        pytest.param(lambda spool: spool.sweep(5000.0), id="swept"),
        pytest.param(enter_again, id="entered again"),
    ],
)
@pytest.mark.parametrize("text", [TEXT, LONG], ids=["short", "long"])
def test_whole_content_of_an_entering_is_made_durable_before_it_is_an_entry(place, text, reach):
    path = leave_entering(place, text=text)
    disk = NotingDisk()
    spool = DirectorySpool(place, disk=disk)
    assert spool.find(FIRST).size == len(text)
    assert path.stat().st_mode & 0o7777 == 0o1600
    size = path.stat().st_size
    reach(spool)
    # That it could not be written back somebody else may have been told, and only once.
    assert disk.noted[:3] == [(0, size), FIRST, 0o600]
    assert path.stat().st_mode & 0o7777 == 0o600
    assert octets(spool.open_message(FIRST)) == text
    spool.close()


def test_entry_of_an_older_version_is_one_whatever_its_mode(place):
    path = leave_entering(place)
    line = codec.parse_first_line(path.read_bytes()[: codec.FIRST_LINE_LENGTH])
    head = path.read_bytes()[codec.FIRST_LINE_LENGTH : line.head_end]
    entry, _ = codec.parse_entry(line, head, b"")
    head = codec.format_start(entry, 7).partition(b"\n")[2].replace(b'"message_sum":7,', b"")
    first = b"pysendmail-entry 1 %08x %012x" % (len(head), len(TEXT))
    path.write_bytes(b"%s %08x\n%s%s" % (first, crc32(first + head), head, TEXT))
    spool = DirectorySpool(place)
    assert spool.sweep(5000.0) == []
    assert octets(spool.open_message(FIRST)) == TEXT
    spool.close()


RECORD = b'{"crossed_off":[9]}\n'


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda content: content.replace(b"-entry 1", b"-entry 2", 1), id="newer"),
        pytest.param(lambda content: content + b"%08x %s" % (crc32(RECORD), RECORD), id="record"),
    ],
)
def test_what_no_power_cut_leaves_is_put_aside_whatever_its_mode(place, spoil):
    leave_entering(place, spoil)
    spool = DirectorySpool(place)
    assert [one.kind for one in spool.sweep(5000.0)] == ["broken"]
    assert os.listdir(place / "broken") == [FIRST]
    spool.close()


def test_foreign_thing_among_the_memories_is_left(spool, place):
    (place / "done" / "directory").mkdir()
    assert spool.sweep(1e10) == []


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda path: os.utime(path, (9e9, 9e9)), id="time in the far future"),
        pytest.param(lambda path: os.chmod(path, 0o700), id="marked as held"),
        pytest.param(lambda path: os.chmod(path, 0o755), id="another mode"),
    ],
)
def test_spoiled_hints_are_set_right_by_a_sweep(spool, other, place, spoil):
    enter(spool)
    spoil(place / "queue" / FIRST)
    assert other.due(5000.0, 10) == []
    assert other.sweep(5000.0) == []
    assert other.due(5000.0, 10) == [FIRST]
    assert stat.S_IMODE(os.stat(place / "queue" / FIRST).st_mode) == 0o600


def test_every_entry_of_a_long_queue_is_read_and_what_is_none_passed_over(spool, place):
    ids = {f"{number:014X}" for number in range(100)}
    for queue_id in ids:
        enter(spool, queue_id)
    os.mkfifo(place / "queue" / "F1F0F1F0F1F0F1")
    os.symlink("nowhere", place / "queue" / "F2F2F2F2F2F2F2")
    assert sorted(entry.queue_id for entry in spool.entries()) == sorted(ids)
    assert {found.name for found in spool.sweep(5000.0)} == {"F1F0F1F0F1F0F1", "F2F2F2F2F2F2F2"}


def test_entry_restored_without_its_times_is_due_and_claimed_with_its_facts(spool, other, place):
    enter(spool, next_attempt=7000.0)
    spool.change(FIRST, "hold")
    path = place / "queue" / FIRST
    octets_on_disk = path.read_bytes()
    path.unlink()
    path.write_bytes(octets_on_disk)
    assert other.claim(FIRST) is None
    assert other.find(FIRST).next_attempt == 7000.0


# The journal


def torn_tails():
    record = b'00000000 {"held":true}\n'
    return [
        pytest.param(b"8", id="one octet"),
        pytest.param(b'12345678 {"held":true', id="no line end"),
        pytest.param(record, id="wrong sum"),
        pytest.param(b"\0" * 4096, id="zeros"),
        pytest.param(b"\n" * 3, id="empty lines"),
        pytest.param(record * 1000, id="long"),
    ]


@pytest.mark.parametrize("tail", torn_tails())
@pytest.mark.trap(25)
def test_torn_record_is_ignored_and_gone_with_the_next(spool, place, tail):
    enter(spool)
    spool.claim(FIRST).settle([delivered(ALICE)], 2000.0, now=1100.0)
    before = spool.find(FIRST)
    path = place / "queue" / FIRST
    with path.open("ab") as file:
        file.write(tail)
    assert spool.find(FIRST) == before
    spool.claim(FIRST).settle([deferred(BOB)], 3000.0, now=2000.0)
    entry = spool.find(FIRST)
    assert (entry.attempts, entry.reasons) == (2, {BOB: deferred(BOB)})
    # First line, head, four lines of message, two records: nothing of the torn one between them.
    lines = path.read_bytes().split(b"\n")
    assert [line[-1:] for line in lines[6:]] == [b"}", b"}", b""]


def test_every_cut_of_the_last_record_leaves_the_state_before(spool, place):
    enter(spool)
    path = place / "queue" / FIRST
    start = len(path.read_bytes())
    before = spool.find(FIRST)
    spool.claim(FIRST).settle([delivered(ALICE)], 2000.0, now=1100.0)
    whole = path.read_bytes()
    for length in range(start, len(whole)):
        path.write_bytes(whole[:length])
        assert spool.find(FIRST) == before


def test_long_journal_is_read_to_its_end(spool):
    enter(spool)
    for number in range(200):
        reason = deferred(ALICE, b"450 try %d" % number)
        spool.claim(FIRST).settle([reason], 2000.0, now=1100.0 + number)
    entry = spool.find(FIRST)
    assert entry.attempts == 200
    assert entry.reasons[ALICE].text == b"450 try 199"


def test_envelope_larger_than_the_first_read_comes_back(spool):
    recipients = [b"user%d@example.com" % number for number in range(2000)]
    enter(spool, FIRST, *recipients)
    spool.claim(FIRST).settle([delivered(who) for who in recipients[:1999]], 2000.0, now=1.0)
    assert [recipient.address for recipient in spool.find(FIRST).pending] == recipients[1999:]


def test_steps_are_named_and_come_in_order(place):
    steps = []
    spool = DirectorySpool.create(place, step=steps.append)
    enter(spool)
    spool.claim(FIRST).settle([failed(ALICE)], 5.0, now=1.0, notices=[notice()])
    spool.claim(FIRST).settle([delivered(BOB)], 5.0, now=1.0)
    spool.remember(FIRST, 1.0)
    enter(spool, SECOND)
    spool.change(SECOND, "hold")
    spool.change(SECOND, "remove")
    spool.close()
    assert steps[:5] == list(DURABLE_STEPS[:5])
    assert set(steps) == set(DURABLE_STEPS)


MANY = [f"{number:014X}" for number in range(40)]  # more than are opened ahead


def test_no_reading_of_the_queue_is_noted_on_the_disk(spool, place):
    enter(spool, next_attempt=2**33)
    queue = place / "queue"
    for path in (queue / FIRST, queue):
        os.utime(path, ns=(1, path.stat().st_mtime_ns))
    assert spool.find(FIRST) is not None
    assert [entry.queue_id for entry in spool.entries()] == [FIRST]
    assert spool.sweep(5000.0) == []
    assert octets(spool.open_message(FIRST)) == TEXT
    assert [path.stat().st_atime_ns for path in (queue / FIRST, queue)] == [1, 1]


def test_entry_that_only_its_owner_may_open_unnoted_is_read(spool, monkeypatch):
    enter(spool)
    real = os.open

    def opened(name, flags, *args, **options):
        if flags & os.O_NOATIME:
            raise PermissionError(errno.EPERM, "not the owner")
        return real(name, flags, *args, **options)

    monkeypatch.setattr(os, "open", opened)
    assert [entry.queue_id for entry in spool.entries()] == [FIRST]


def test_entries_removed_while_others_are_read_are_not_shown(spool):
    for queue_id in MANY:
        enter(spool, queue_id)

    def remove_others(entry):
        for queue_id in set(MANY) - {entry.queue_id}:
            spool.change(queue_id, "remove")

    shown = []
    for entry in spool.entries():
        shown.append(entry.queue_id)
        remove_others(entry)
    assert len(shown) == 1

    for queue_id in MANY:
        if queue_id != shown[0]:
            enter(spool, queue_id)
    seen = []
    spool.sweep(5000.0, lambda entry: (seen.append(entry.queue_id), remove_others(entry)))
    assert len(seen) == 1


@pytest.mark.parametrize("count", [3, len(MANY)])
def test_reading_that_is_broken_off_leaves_nothing_open(spool, count):
    for queue_id in MANY[:count]:
        enter(spool, queue_id)
    before = len(os.listdir("/proc/self/fd"))
    entries = spool.entries()
    next(entries)
    entries.close()
    with pytest.raises(ZeroDivisionError):
        spool.sweep(5000.0, lambda _: 1 / 0)
    assert len(os.listdir("/proc/self/fd")) == before


def test_entry_that_cannot_be_opened_hides_none_before_it(spool, monkeypatch):
    for queue_id in MANY:
        enter(spool, queue_id)
    real, opened = os.open, []

    def open_some(name, flags, *args, **options):
        if name in MANY:
            opened.append(name)
            if len(opened) == 30:
                raise OSError(errno.EIO, "the disk")
        return real(name, flags, *args, **options)

    monkeypatch.setattr(os, "open", open_some)
    before, shown = len(os.listdir("/proc/self/fd")), []
    with pytest.raises(SpoolError, match="the disk"):
        shown.extend(entry.queue_id for entry in spool.entries())
    assert shown == opened[:29]
    assert len(os.listdir("/proc/self/fd")) == before
