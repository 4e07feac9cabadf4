"""Each change on disk fails once, with each error: the caller is told, nothing is lost, and the
same operation succeeds when the trouble is over.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import stat

import pytest

from pysendmail.spool.directory import DirectorySpool
from pysendmail.spool.disk import Disk
from pysendmail.spool.errors import AlreadyEntered, SpoolError, SpoolFull
from tests.unit.spool.samples import (
    ALICE,
    BOB,
    BOUNCE,
    FIRST,
    SECOND,
    TEXT,
    delivered,
    enter,
    failed,
    notice,
    octets,
)

ERRORS = [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE, errno.EFBIG]


class FailingDisk(Disk):
    """A disk whose n-th change from `fail_at` on fails, a write after half of its octets."""

    def __init__(self) -> None:
        self._error = 0
        self._left = -1
        self.failed = ""

    def fail_at(self, number: int, error: int) -> None:
        """Fail the change after `number` others; -1: none."""
        self._left, self._error = number, error

    def __getattribute__(self, name):
        value = super().__getattribute__(name)
        if name.startswith("_") or name in ("fail_at", "failed"):
            return value
        self._left -= 1
        if self._left != -1:
            return value
        self.failed = name

        def fail(*arguments, **options):
            if name == "write":
                fd, data, offset = arguments
                value(fd, data[: len(data) // 2], offset)
            raise OSError(self._error, os.strerror(self._error))

        return fail


@pytest.fixture
def disk():
    return FailingDisk()


@pytest.fixture
def place(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def spool(place, disk):
    spool = DirectorySpool.create(place, disk=disk)
    yield spool
    spool.close()


def failing(disk, error, act):
    """Do `act` again and again, failing at its first, second, … change, until all are through.

    Yields the name of each change that failed, and what came of it.
    """
    number = 0
    while True:
        disk.fail_at(number, error)
        try:
            act()
            return
        except SpoolError as caught:
            trouble = caught
        finally:
            disk.fail_at(-1, 0)
        yield disk.failed, trouble
        number += 1


def descriptors():
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
def test_enter_failing_anywhere_leaves_nothing(spool, disk, place, error):
    before = descriptors()
    names = []
    for name, caught in failing(disk, error, lambda: enter(spool)):
        full = error in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        assert isinstance(caught, SpoolFull) == full
        assert caught.error.errno == error
        assert FIRST in str(caught)
        assert os.listdir(place / "incoming") == []
        assert spool.count() == 0
        assert descriptors() == before
        names.append(name)
    assert names[-3:] == ["rename", "sync", "sync"]
    assert octets(spool.open_message(FIRST)) == TEXT
    assert spool.due(1e12, 10) == [FIRST]


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
def test_settle_in_part_failing_anywhere_can_be_tried_again(spool, disk, error):
    enter(spool)
    before = spool.find(FIRST)
    claim = spool.claim(FIRST)
    for _, caught in failing(
        disk,
        error,
        lambda: claim.settle([failed(ALICE)], 5000.0, now=1100.0, notices=[notice()]),
    ):
        assert caught.error.errno == error
        assert spool.find(FIRST) == before
        assert spool.claim(FIRST) is None
        assert octets(claim.message()) == TEXT
    assert [recipient.address for recipient in spool.find(FIRST).pending] == [BOB]
    assert spool.find(BOUNCE) is not None
    assert spool.claim(FIRST) is not None


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
def test_last_settle_failing_before_the_removal_leaves_the_entry(spool, disk, error):
    enter(spool)
    claim = spool.claim(FIRST)
    names = []

    def settle():
        claim.settle([delivered(ALICE), delivered(BOB)], 0.0, now=1100.0)

    # After the removal only its sync can fail: told, but the claim is over by then.
    with pytest.raises(ValueError, match="over"):
        for name, caught in failing(disk, error, settle):
            names.append(name)
            assert caught.error.errno == error
            assert (spool.find(FIRST) is None) == (name == "sync")
    assert names == ["unlink", "sync"]
    assert spool.due(1e12, 10) == []


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
def test_removals_without_sync_cost_none_and_a_later_sync_that_fails_is_told(spool, disk, error):
    for queue_id in (FIRST, SECOND):
        enter(spool, queue_id, ALICE)
        disk.fail_at(1, error)  # whatever comes after the unlink: nothing
        spool.claim(queue_id).settle([delivered(ALICE)], 0.0, now=1100.0, sync=False)
        disk.fail_at(-1, 0)
    disk.fail_at(0, error)
    with pytest.raises(SpoolError) as caught:
        spool.sync()
    assert (disk.failed, caught.value.error.errno) == ("sync", error)
    assert spool.count() == 0


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
def test_record_of_who_is_left_is_synced_whether_asked_or_not(spool, disk, error):
    enter(spool)
    claim = spool.claim(FIRST)
    names = []
    for name, _ in failing(
        disk,
        error,
        lambda: claim.settle([delivered(ALICE)], 5000.0, now=1100.0, sync=False),
    ):
        names.append(name)
        assert len(spool.find(FIRST).pending) == 2
    assert names == ["write", "set_times", "sync"]


def test_second_notice_without_room_takes_back_the_first(spool, disk):
    enter(spool)
    before = spool.find(FIRST)
    claim = spool.claim(FIRST)
    notices = [notice(), notice(SECOND)]
    # The first notice makes seven changes: create, write, set_times, rename, two syncs, set_mode.
    disk.fail_at(8, errno.ENOSPC)
    with pytest.raises(SpoolFull):
        claim.settle([failed(ALICE)], 5000.0, now=1100.0, notices=notices)
    assert disk.failed == "write"
    assert spool.count() == 1
    assert spool.find(FIRST) == before
    claim.settle([failed(ALICE)], 5000.0, now=1100.0, notices=notices)
    assert spool.count() == 3


def test_first_notice_that_cannot_be_taken_back_goes_out(spool, disk, place):
    class ReadOnlySoon(FailingDisk):
        def unlink(self, name, dir_fd):
            raise OSError(errno.EROFS, "read-only")

    poor = ReadOnlySoon()
    spool = DirectorySpool(place, disk=poor)
    enter(spool)
    with spool.claim(FIRST) as claim:
        poor.fail_at(8, errno.EROFS)
        with pytest.raises(SpoolError):
            claim.settle([failed(ALICE)], 5000.0, now=1100.0, notices=[notice(), notice(SECOND)])
    assert {entry.queue_id for entry in spool.entries()} == {FIRST, BOUNCE}
    assert spool.claim(BOUNCE) is not None
    assert len(spool.find(FIRST).pending) == 2
    spool.close()


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize("action", ["hold", "release", "expedite"])
def test_change_failing_anywhere_keeps_the_entry(spool, disk, action, error):
    enter(spool)
    for _, caught in failing(disk, error, lambda: spool.change(FIRST, action)):
        assert caught.error.errno == error
        assert len(spool.find(FIRST).pending) == 2
        held = spool.find(FIRST).held
        assert spool.due(1e12, 10) == ([] if held else [FIRST])
    assert spool.find(FIRST).held == (action == "hold")


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
def test_remember_failing_is_told(spool, disk, error):
    caught = list(failing(disk, error, lambda: spool.remember(FIRST, 1000.0)))
    assert len(caught) == 2
    with pytest.raises(AlreadyEntered):
        enter(spool)


def test_append_that_can_neither_be_written_nor_undone_is_ignored(place, disk):
    class Dying(FailingDisk):
        def truncate(self, fd, size):
            raise OSError(errno.EIO, "gone")

    dying = Dying()
    spool = DirectorySpool.create(place, disk=dying)
    enter(spool)
    before = spool.find(FIRST)
    claim = spool.claim(FIRST)
    dying.fail_at(0, errno.EIO)
    with pytest.raises(SpoolError):
        claim.settle([delivered(ALICE)], 5000.0, now=1100.0)
    claim.release()
    spool.close()
    spool = DirectorySpool.create(place)
    assert spool.find(FIRST) == before
    spool.claim(FIRST).settle([delivered(ALICE)], 5000.0, now=1100.0)
    assert [recipient.address for recipient in spool.find(FIRST).pending] == [BOB]
    spool.close()


def test_unlink_failing_while_abandoning_leaves_it_to_the_sweep(place):
    class Full(FailingDisk):
        def unlink(self, name, dir_fd):
            raise OSError(errno.EIO, "gone")

    full = Full()
    spool = DirectorySpool.create(place, disk=full)
    full.fail_at(1, errno.ENOSPC)
    with pytest.raises(SpoolFull):
        enter(spool)
    spool.close()
    spool = DirectorySpool.create(place)
    assert [finding.kind for finding in spool.sweep(1000.0)] == ["half-entered"]
    enter(spool)
    spool.close()


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
def test_create_failing_anywhere_can_be_done_again(tmp_path, error):
    disk = FailingDisk()
    before = descriptors()
    place = tmp_path / "a" / "spool"
    failures = 0
    for _, caught in failing(disk, error, lambda: DirectorySpool.create(place, disk=disk).close()):
        failures += 1
        assert caught.error.errno == error
        assert descriptors() == before
    assert failures > 8
    spool = DirectorySpool(place)
    enter(spool)
    spool.close()


def test_mode_or_owner_that_cannot_be_set_is_an_error_and_leaves_nothing_open(spool, disk):
    before = descriptors()
    old = os.umask(0o777)
    try:
        disk.fail_at(1, errno.EPERM)
        with pytest.raises(SpoolError):
            enter(spool)
    finally:
        os.umask(old)
    assert descriptors() == before
    enter(spool)


def test_too_many_open_files_is_trouble_not_gone(spool):
    enter(spool)
    enter(spool, SECOND)
    assert spool.due(1200.0, 10) == [FIRST, SECOND]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))), hard))
    taken = []
    try:
        while True:
            try:
                taken.append(os.dup(0))
            except OSError:
                break
        for use in (
            lambda: spool.claim(FIRST),
            lambda: spool.find(FIRST),
            lambda: spool.change(FIRST, "hold"),
            lambda: list(spool.entries()),
            lambda: enter(spool, "00000000000009"),
        ):
            with pytest.raises(SpoolError) as caught:
                use()
            assert caught.value.error.errno == errno.EMFILE
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in taken:
            os.close(fd)
    # Not asked for at once again, but not forgotten.
    assert spool.due(1200.0, 10) == [SECOND]
    assert spool.due(1300.0, 10) == [SECOND, FIRST]
    assert spool.claim(FIRST) is not None


def test_file_size_limit_of_the_process_is_no_room(spool):
    enter(spool)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(SpoolFull):
            enter(spool, SECOND, text=b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 200)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert spool.count() == 1
    enter(spool, SECOND)


@pytest.mark.parametrize("call", ["flock", "close"])
def test_entry_whose_file_cannot_be_unlocked_or_closed_waits_and_is_seen(spool, monkeypatch, call):
    flock, close = fcntl.flock, os.close

    def unlock(fd, operation):
        flock(fd, operation)
        if operation == fcntl.LOCK_UN:
            raise OSError(errno.ENOLCK, "no locks")

    def close_at_last(fd):
        is_entry = stat.S_ISREG(os.fstat(fd).st_mode)
        close(fd)
        if is_entry:
            raise OSError(errno.EIO, "gone")

    if call == "flock":
        monkeypatch.setattr("fcntl.flock", unlock)
    else:
        monkeypatch.setattr("os.close", close_at_last)
    enter(spool)
    assert spool.due(1e12, 10) == [FIRST]
    spool.claim(FIRST).settle([delivered(ALICE)], 5000.0, now=1100.0)
    assert spool.due(1e12, 10) == [FIRST]
    spool.claim(FIRST).release()
    assert spool.due(1e12, 10) == [FIRST]


def test_vanished_spool_is_an_error(spool, place):
    for directory in ("incoming", "queue"):
        os.rename(place / directory, place / f"{directory}.away")
        for name in os.listdir(place / f"{directory}.away"):
            os.unlink(place / f"{directory}.away" / name)
        os.rmdir(place / f"{directory}.away")
    with pytest.raises(SpoolError):
        enter(spool)
    with pytest.raises(SpoolError):
        spool.sweep(1000.0)
    with pytest.raises(SpoolError):
        spool.count()


def test_error_of_the_message_itself_leaves_nothing(spool, place):
    class Torn:
        size = 100

        def chunks(self):
            yield b"Subject: x\r\n"
            raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError):
        spool.enter(FIRST, notice()[1], Torn(), arrived=1.0, uid=0, next_attempt=1.0)
    assert os.listdir(place / "incoming") == []
    enter(spool)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_file_of_somebody_else_is_reported_and_stays(spool, place):
    enter(spool, FIRST)
    enter(spool, SECOND)
    for name in ("", "queue", "incoming", "done", "broken", f"queue/{SECOND}"):
        os.chown(place / name, 12345, 12345)
    os.chmod(place.parent, 0o755)
    os.chmod(place.parent.parent, 0o755)
    os.chmod(place.parent.parent.parent, 0o755)
    os.seteuid(12345)
    try:
        mine = DirectorySpool(place)
        [finding] = mine.sweep(1000.0)
        with pytest.raises(SpoolError):
            mine.claim(FIRST)
        assert mine.claim(SECOND) is not None
        mine.close()
    finally:
        os.seteuid(0)
    assert (finding.kind, finding.name) == ("unreadable", FIRST)
    assert (place / "queue" / FIRST).exists()
