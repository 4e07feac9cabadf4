"""Group commit: nobody returns before a sync that began after his call has ended."""

from __future__ import annotations

import errno
import threading

import pytest

from pysendmail.spool.sync import SharedSync


class SlowDisk:
    """A sync that waits for permission and says what was written when it began."""

    def __init__(self) -> None:
        self.written = 0
        self.durable = 0
        self.syncs = 0
        self.began = threading.Semaphore(0)
        self.may_end = threading.Semaphore(0)
        self.error: OSError | None = None

    def sync(self):
        seen = self.written
        self.syncs += 1
        self.began.release()
        assert self.may_end.acquire(timeout=30)
        if self.error is not None:
            raise self.error
        self.durable = seen


def start(target):
    thread = threading.Thread(target=target)
    thread.start()
    return thread


def test_change_during_a_sync_waits_for_the_next_one_which_many_share():
    disk = SlowDisk()
    shared = SharedSync(disk.sync)
    early = []

    def write_and_flush(number):
        disk.written = max(disk.written, number)
        shared.flush()
        if disk.durable < number:
            early.append(number)

    threads = [start(lambda: write_and_flush(1))]
    assert disk.began.acquire(timeout=30)
    # These come while the first sync runs. One of them leads the second, the others may share it.
    threads += [start(lambda: write_and_flush(2)) for _ in range(8)]
    while disk.written < 2:
        pass
    for _ in range(20):
        disk.may_end.release()
    for thread in threads:
        thread.join(30)
    assert early == []
    assert 2 <= disk.syncs <= 9


def test_one_after_the_other_syncs_each_time():
    syncs = []
    shared = SharedSync(lambda: syncs.append(1))
    for _ in range(3):
        shared.flush()
    assert len(syncs) == 3


def test_failure_is_told_to_all_who_shared_it_and_is_not_remembered():
    disk = SlowDisk()
    shared = SharedSync(disk.sync)
    told = []

    def flush():
        try:
            shared.flush()
        except OSError as error:
            told.append(error.errno)

    disk.error = OSError(errno.EIO, "lost")
    threads = [start(flush)]
    assert disk.began.acquire(timeout=30)
    threads += [start(flush) for _ in range(5)]
    for _ in range(20):
        disk.may_end.release()
    for thread in threads:
        thread.join(30)
    assert told == [errno.EIO] * 6
    disk.error = None
    shared.flush()


def test_interrupted_leader_is_no_success_for_those_who_shared():
    disk = SlowDisk()
    told = []

    def interrupted():
        disk.sync()
        raise KeyboardInterrupt

    shared = SharedSync(interrupted)

    def flush():
        try:
            shared.flush()
        except (OSError, KeyboardInterrupt) as error:
            told.append(type(error))

    threads = [start(flush) for _ in range(4)]
    for _ in range(20):
        disk.may_end.release()
    for thread in threads:
        thread.join(30)
    assert len(told) == 4
    assert KeyboardInterrupt in told
    with pytest.raises(KeyboardInterrupt):
        shared.flush()


def test_storm_of_threads_never_returns_early():
    lock = threading.Lock()
    state = {"written": 0, "durable": 0}
    early = []

    def sync():
        seen = state["written"]
        state["durable"] = seen

    shared = SharedSync(sync)

    def work():
        for _ in range(50):
            with lock:
                state["written"] += 1
                mine = state["written"]
            shared.flush()
            if state["durable"] < mine:
                early.append(mine)

    threads = [start(work) for _ in range(8)]
    for thread in threads:
        thread.join(60)
    assert early == []
