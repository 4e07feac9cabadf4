"""The file system of the spool is full, read-only or of memory: a clear line, the right exit
status, nothing lost, and mail goes out by itself when the trouble is over.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pysendmail.spool.directory import DirectorySpool
from tests.helpers.catcher import Catcher
from tests.helpers.installed import Installation
from tests.helpers.system import Site
from tests.helpers.volume import Volume, why_not
from tests.helpers.waiting import wait_until
from tests.integration.conftest import installation as installation

pytestmark = pytest.mark.root

Room = Callable[..., Site]


@pytest.fixture
def catcher() -> Iterator[Catcher]:
    """A smarthost that wants nothing."""
    smarthost = Catcher()
    yield smarthost
    smarthost.close()


@pytest.fixture
def volume() -> Iterator[Volume]:
    """A file system of 8 MiB with 1000 inodes."""
    if reason := why_not():
        pytest.skip(reason)
    made = Volume("size=8m,nr_inodes=1000")
    yield made
    made.close()


@pytest.fixture
def room(installation: Installation, catcher: Catcher, volume: Volume) -> Iterator[Room]:
    """A maker of sites whose spool lies on the volume."""
    made: list[Site] = []

    def make(**configuration: str) -> Site:
        spool = str(volume.path / "spool")
        configured: dict[str, str] = {"spool": spool, "reserve": "1MiB", **configuration}
        made.append(Site(installation, catcher, people=volume, **configured))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for site in made:
        site.close()


def fill(place: Path, leave: int = 0) -> Path:
    """Fill the file system, but for so many octets."""
    filler = place / "filler"
    with open(filler, "wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            pass
        file.truncate(file.tell() - leave)
    return filler


@pytest.mark.parametrize("door", ["daemon", "direct", "drop"])
def test_reserve_is_left_and_the_refusal_says_so(
    room: Room, catcher: Catcher, volume: Volume, door: str
) -> None:
    site = room(linger="false")
    site.make_spool()
    if door == "daemon":
        site.daemon.start()
    catcher.stop()
    uid = 12001 if door == "drop" else None
    filler = fill(volume.seen, leave=1_000_000 if uid else 500_000)
    done = site.send("refused", "user@example.net", uid=uid)
    assert done.returncode == 75
    assert b"kept in reserve (reserve)" in done.stderr
    assert done.stderr.count(b"\n") == 1
    filler.unlink()
    assert site.send("taken", "user@example.net", uid=uid).returncode == 0
    catcher.start()
    if door != "daemon":
        site.daemon.start()
    assert [one.subject for one in catcher.wait_for(1)] == [b"taken"]


def test_root_gets_his_mail_through_where_users_have_filled_all_but_the_reserve(
    room: Room, catcher: Catcher, volume: Volume
) -> None:
    site = room()
    site.daemon.start()
    catcher.stop()
    fill(volume.seen, leave=1_000_000)
    assert site.send("alice", "user@example.net", uid=12001).returncode == 75
    assert site.send("root", "user@example.net").returncode == 0
    catcher.start()
    site.flush()
    assert [one.subject for one in catcher.wait_for(1)] == [b"root"]


def test_inodes_are_kept_in_reserve_too(room: Room, catcher: Catcher, volume: Volume) -> None:
    site = room()
    site.daemon.start()
    catcher.stop()
    (volume.seen / "many").mkdir()
    for number in range(970):
        (volume.seen / "many" / f"{number}").touch()
    done = site.send("refused", "user@example.net")
    assert (done.returncode, b"reserve" in done.stderr) == (75, True)


def test_full_spool_stops_no_message_whose_smarthost_answers(
    room: Room, catcher: Catcher, volume: Volume
) -> None:
    site = room()
    site.daemon.start()
    fill(volume.seen)
    assert site.send("through", "user@example.net").returncode == 0
    assert catcher.wait_for(1)[0].subject == b"through"


def test_what_waits_goes_out_of_a_full_file_system(
    room: Room, catcher: Catcher, volume: Volume
) -> None:
    site = room()
    site.daemon.start()
    catcher.stop()
    for number in range(5):
        assert site.send(f"{number}", "user@example.net").returncode == 0
    fill(volume.seen)
    catcher.start()
    assert len(catcher.wait_for(5, seconds=60)) == 5
    site.wait_idle()


def test_message_in_the_drop_directory_may_use_the_reserve(
    room: Room, catcher: Catcher, volume: Volume
) -> None:
    site = room()
    site.make_spool()
    assert site.send("dropped", "user@example.net", uid=12001).returncode == 0
    fill(volume.seen, leave=500_000)
    site.daemon.start()
    assert catcher.wait_for(1)[0].subject == b"dropped"


@pytest.mark.parametrize("mode", ["-odb", "-odi"])
def test_spool_that_cannot_be_written_is_told_and_used_again_once_it_can(
    room: Room, catcher: Catcher, volume: Volume, mode: str
) -> None:
    site = room()
    spool = volume.seen / "spool"
    spool.mkdir(mode=0o711)
    os.chown(spool, 12000, 12000)
    site.daemon.start()  # as root, and becomes the spool's owner
    catcher.stop()
    assert site.send("before", "user@example.net").returncode == 0
    (spool / "incoming").chmod(0o500)
    done = site.send("refused", "user@example.net", mode=mode)
    assert done.returncode == 75
    assert b"Permission denied" in done.stderr
    (spool / "incoming").chmod(0o700)
    assert site.send("after", "user@example.net", mode=mode).returncode == 0
    catcher.start()
    assert {one.subject for one in catcher.wait_for(2, seconds=60)} == {b"before", b"after"}
    site.wait_idle()


@pytest.mark.parametrize("fate", ["removed", "replaced"])
def test_daemon_whose_spool_is_lost_ends_and_works_with_what_is_there_when_started_again(
    room: Room, catcher: Catcher, volume: Volume, fate: str
) -> None:
    site = room()
    site.daemon.start()
    catcher.stop()
    assert site.send("before", "user@example.net").returncode == 0
    spool, aside = volume.seen / "spool", volume.seen / "aside"
    spool.rename(aside)
    if fate == "replaced":
        DirectorySpool.create(spool).close()
    site.daemon.wait_for_log(lambda log: "spool lost" in log, "the daemon to notice")
    site.daemon.wait_for_log(lambda log: "stopped" in log, "the daemon's end")
    assert site.daemon.stop() == 75
    site.daemon.start()
    assert site.send("between", "user@example.net").returncode == 0
    catcher.start()
    site.flush()
    assert [one.subject for one in catcher.wait_for(1)] == [b"between"]
    site.wait_idle()
    assert site.daemon.stop() == 0
    shutil.rmtree(spool)
    aside.rename(spool)
    site.daemon.start()
    assert [one.subject for one in catcher.wait_for(2)] == [b"between", b"before"]


def test_daemon_does_not_start_on_a_read_only_spool_and_says_why(
    room: Room, volume: Volume
) -> None:
    site = room()
    site.make_spool()
    volume.remount("ro")
    done = site.run("pysendmaild", "--foreground")
    assert done.returncode == 75
    assert b"Read-only file system" in done.stderr


def test_spool_of_memory_is_warned_of(room: Room) -> None:
    site = room()
    site.daemon.start()
    site.daemon.wait_for_log(lambda log: "spool will not survive" in log, "the warning")
    assert "lies on tmpfs" in site.daemon.log()


def test_directory_of_somebody_else_is_named_at_the_start(room: Room, volume: Volume) -> None:
    site = room()
    site.make_spool()
    spool = volume.seen / "spool"
    os.chown(spool, 12000, 12000)
    done = site.run("pysendmaild", "--foreground")
    assert done.returncode == 75
    assert b"Permission denied" in done.stderr
    assert str(volume.path).encode() in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_newer_spool_is_refused_and_mail_for_it_waits_in_the_drop_directory(
    room: Room, catcher: Catcher, volume: Volume
) -> None:
    site = room()
    site.make_spool()
    layout = volume.seen / "spool/format"
    layout.write_text("2\n")
    done = site.run("pysendmaild", "--foreground")
    assert done.returncode == 75
    assert b"has format 2, of a newer pysendmail" in done.stderr
    assert site.send("waits", "user@example.net", uid=12001).returncode == 0
    layout.write_text("1\n")
    site.daemon.start()
    assert catcher.wait_for(1)[0].subject == b"waits"
    wait_until(site.is_idle)
