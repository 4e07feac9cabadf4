"""SIGKILL at every instant of every operation of the spool: before each change on disk, in the
middle of each write, and at each named step. Then the spool is opened again, and the two sentences
of the design must hold: what was acknowledged is there, and nobody is crossed off for nothing.
"""

from __future__ import annotations

import os
import shutil
import signal

import pytest

from pysendmail.spool.directory import DURABLE_STEPS, DirectorySpool
from pysendmail.spool.disk import Disk
from pysendmail.spool.errors import AlreadyEntered
from tests.unit.spool.samples import (
    ALICE,
    BOB,
    BOUNCE,
    CAROL,
    FIRST,
    TEXT,
    deferred,
    delivered,
    enter,
    failed,
    notice,
    octets,
)

FOREVER = 1e12


class Instants:
    """Counts the instants of an operation and kills the process at the chosen one."""

    def __init__(self, fatal: int | None = None) -> None:
        self.names: list[str] = []
        self._fatal = fatal

    def reached(self, name: str) -> None:
        if len(self.names) == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        self.names.append(name)


class WatchedDisk(Disk):
    """A disk on which each change is an instant, and each write two: the second in its middle."""

    def __init__(self, instants: Instants) -> None:
        self._instants = instants

    def __getattribute__(self, name):
        value = super().__getattribute__(name)
        if not name.startswith("_"):
            super().__getattribute__("_instants").reached(f"before {name}")
        return value

    def write(self, fd, data, offset):
        middle = len(data) // 2
        super().write(fd, data[:middle], offset)
        self._instants.reached("within write")
        super().write(fd, data[middle:], offset + middle)


def copy(template, place):
    """Copy a spool, but for its FIFO, which is made anew."""
    shutil.copytree(template, place, ignore=shutil.ignore_patterns("wake"))
    DirectorySpool.create(place).close()
    return place


def run(place, act, fatal: int | None = None) -> tuple[bool, list[str]]:
    """Do `act` in a child that dies at instant `fatal`; tell if it returned, and the instants."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            instants = Instants(fatal)
            spool = DirectorySpool(place, step=instants.reached, disk=WatchedDisk(instants))
            act(spool)
            os.write(send, "\n".join(["returned", *instants.names]).encode())
        finally:
            os._exit(0)
    os.close(send)
    with os.fdopen(receive, "rb") as answer:
        said = answer.read().decode().split("\n")
    os.waitpid(child, 0)
    return said[0] == "returned", said[1:]


# What is done. `prepare` happens before, in safety.


def nothing(spool):
    pass


def three_wait(spool):
    enter(spool, FIRST, ALICE, BOB, CAROL)


def three_are_held(spool):
    three_wait(spool)
    spool.change(FIRST, "hold")


def enter_three(spool):
    enter(spool, FIRST, ALICE, BOB, CAROL)


def enter_three_claimed(spool):
    enter(spool, FIRST, ALICE, BOB, CAROL, claim=True)


def settle_partly(spool):
    outcomes = [delivered(ALICE), failed(BOB), deferred(CAROL)]
    spool.claim(FIRST).settle(outcomes, 5000.0, now=1100.0, notices=[notice()])


def settle_without_notice(spool):
    spool.claim(FIRST).settle([delivered(ALICE), deferred(CAROL)], 5000.0, now=1100.0)


def settle_last(spool):
    outcomes = [delivered(ALICE), failed(BOB), failed(CAROL)]
    spool.claim(FIRST).settle(outcomes, 5000.0, now=1100.0, notices=[notice()])


def settle_last_and_sync_later(spool):
    outcomes = [delivered(ALICE), failed(BOB), failed(CAROL)]
    claim = spool.claim(FIRST)
    claim.settle(outcomes, 5000.0, now=1100.0, notices=[notice()], sync=False)
    spool.sync()


def remember(spool):
    spool.remember(FIRST, 1000.0)


def changing(action):
    def change(spool):
        spool.change(FIRST, action)

    return change


# What must hold afterwards.


def waiting(spool, queue_id=FIRST):
    entry = spool.find(queue_id)
    return set() if entry is None else {recipient.address for recipient in entry.pending}


def check_entered(spool, returned):
    if returned or spool.find(FIRST) is not None:
        assert waiting(spool) == {ALICE, BOB, CAROL}
        assert octets(spool.open_message(FIRST)) == TEXT
        with pytest.raises(AlreadyEntered):
            enter_three(spool)
    else:
        enter_three(spool)
    assert spool.count() == 1


def check_settled_partly(spool, returned):
    assert CAROL in waiting(spool)
    assert BOB in waiting(spool) or spool.find(BOUNCE) is not None
    if returned:
        assert waiting(spool) == {CAROL}
        assert spool.find(FIRST).reasons == {CAROL: deferred(CAROL)}
        assert octets(spool.open_message(BOUNCE)) == TEXT


def check_settled_without_notice(spool, returned):
    assert waiting(spool) == ({BOB, CAROL} if returned else waiting(spool) | {BOB, CAROL})


def check_settled_last(spool, returned):
    assert waiting(spool) == {ALICE, BOB, CAROL} or spool.find(BOUNCE) is not None
    if returned:
        assert spool.find(FIRST) is None


def check_remembered(spool, returned):
    if returned:
        with pytest.raises(AlreadyEntered):
            enter_three(spool)


def check_nothing_lost(spool):
    assert waiting(spool) == {ALICE, BOB, CAROL}
    assert octets(spool.open_message(FIRST)) == TEXT


def check_held(spool, returned):
    check_nothing_lost(spool)
    assert spool.find(FIRST).held or not returned


def check_released(spool, returned):
    check_nothing_lost(spool)
    assert not (returned and spool.find(FIRST).held)


def check_expedited(spool, returned):
    check_nothing_lost(spool)
    assert spool.find(FIRST).next_attempt in ((0.0,) if returned else (0.0, 1100.0))


def check_removed(spool, returned):
    if returned:
        assert spool.find(FIRST) is None
    elif spool.find(FIRST) is not None:
        check_nothing_lost(spool)


OPERATIONS = [
    pytest.param(nothing, enter_three, check_entered, id="enter"),
    pytest.param(nothing, enter_three_claimed, check_entered, id="enter with claim"),
    pytest.param(three_wait, settle_partly, check_settled_partly, id="settle with bounce"),
    pytest.param(
        three_wait, settle_without_notice, check_settled_without_notice, id="settle in part"
    ),
    pytest.param(three_wait, settle_last, check_settled_last, id="last settle with bounce"),
    pytest.param(
        three_wait, settle_last_and_sync_later, check_settled_last, id="last settle, synced later"
    ),
    pytest.param(nothing, remember, check_remembered, id="remember"),
    pytest.param(three_wait, changing("hold"), check_held, id="hold"),
    pytest.param(three_are_held, changing("release"), check_released, id="release"),
    pytest.param(three_wait, changing("expedite"), check_expedited, id="expedite"),
    pytest.param(three_wait, changing("remove"), check_removed, id="remove"),
]


@pytest.mark.parametrize(("prepare", "act", "check"), OPERATIONS)
def test_kill_at_every_instant_loses_nothing(tmp_path, prepare, act, check):
    template = tmp_path / "template"
    prepared = DirectorySpool.create(template)
    prepare(prepared)
    prepared.close()

    returned, instants = run(copy(template, tmp_path / "whole"), act)
    assert returned
    for fatal in range(len(instants) + 1):
        place = copy(template, tmp_path / f"killed-{fatal}")
        returned, _ = run(place, act, fatal)
        assert returned == (fatal == len(instants))
        reopen_and_check(place, check, returned)


def reopen_and_check(place, check, returned):
    spool = DirectorySpool.create(place)
    try:
        # Before any sweep: what waits is due, what is held is not, and no claim outlived its owner.
        due = spool.due(FOREVER, 10)
        for entry in spool.entries():
            if not entry.held:
                assert entry.queue_id in due
                spool.claim(entry.queue_id).release()
        assert {finding.kind for finding in spool.sweep(2000.0)} <= {"half-entered"}
        assert os.listdir(place / "incoming") == []
        check(spool, returned)
        assert spool.sweep(2000.0) == []
    finally:
        spool.close()


def test_every_named_step_is_an_instant_of_some_operation(tmp_path):
    reached: set[str] = set()
    for number, operation in enumerate(OPERATIONS):
        prepare, act, _ = operation.values
        prepared = DirectorySpool.create(tmp_path / str(number))
        prepare(prepared)
        prepared.close()
        reached.update(run(tmp_path / str(number), act)[1])
    assert set(DURABLE_STEPS) <= reached


def test_kill_while_creating_leaves_what_the_next_creation_completes(tmp_path):
    fatal, returned = 0, False
    while not returned:
        place = tmp_path / str(fatal)
        child = os.fork()
        if child == 0:
            try:
                DirectorySpool.create(place, disk=WatchedDisk(Instants(fatal)))
            finally:
                os._exit(0)
        returned = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        reopen_and_check(place, check_entered, False)
        fatal += 1
    assert fatal > 10
