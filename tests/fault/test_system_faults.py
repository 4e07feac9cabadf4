"""The file system of the spool is full, read-only, or will not survive: a clear line, the right
exit status, nothing lost, and mail goes out by itself when the trouble is over.
"""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pysendmail.spool.directory import DirectorySpool
from tests.helpers.catcher import Catcher
from tests.helpers.installed import Installation
from tests.helpers.system import Site, message
from tests.helpers.volume import EXT4, OVERLAY, TMPFS, CannotMount, Volume, why_not
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


on_any_volume = pytest.mark.parametrize("volume", [TMPFS, EXT4, OVERLAY], indirect=True)


@pytest.fixture
def volume(request: pytest.FixtureRequest) -> Iterator[Volume]:
    """A file system of 8 MiB with 1000 inodes."""
    if reason := why_not():
        pytest.skip(reason)
    try:
        made = Volume("size=8m,nr_inodes=1000", kind=getattr(request, "param", TMPFS))
    except CannotMount as error:
        pytest.skip(str(error))
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


@on_any_volume
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


@on_any_volume
def test_inodes_are_kept_in_reserve_too(room: Room, catcher: Catcher, volume: Volume) -> None:
    site = room()
    site.daemon.start()
    catcher.stop()
    (volume.seen / "many").mkdir()
    for number in range(970):
        (volume.seen / "many" / f"{number}").touch()
    done = site.send("refused", "user@example.net")
    assert (done.returncode, b"reserve" in done.stderr) == (75, True)


@on_any_volume
def test_full_spool_stops_no_message_whose_smarthost_answers(
    room: Room, catcher: Catcher, volume: Volume
) -> None:
    site = room()
    site.daemon.start()
    fill(volume.seen)
    assert site.send("through", "user@example.net").returncode == 0
    assert catcher.wait_for(1)[0].subject == b"through"


@on_any_volume
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


@on_any_volume
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


@pytest.mark.parametrize("mode", ["-odb", "-odi"])
def test_daemon_with_a_file_size_limit_refuses_what_is_larger_until_it_is_lifted(
    room: Room, catcher: Catcher, mode: str
) -> None:
    site = room()
    site.daemon.start()
    catcher.answer("450 4.2.1 mailbox busy")
    large = message("large", "Hello.\n" * 10_000)
    limits = resource.prlimit(site.daemon.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(site.daemon.pid, resource.RLIMIT_FSIZE, (50_000, limits[1]))
    done = site.sendmail("-i", mode, "user@example.net", stdin=large)
    assert done.returncode == 75
    assert b"File too large" in done.stderr
    assert done.stderr.count(b"\n") == 1
    assert site.send("small", "user@example.net", mode=mode).returncode == 0
    resource.prlimit(site.daemon.pid, resource.RLIMIT_FSIZE, limits)
    assert site.sendmail("-i", mode, "user@example.net", stdin=large).returncode == 0
    catcher.answer()
    assert {one.subject for one in catcher.wait_for(2)} == {b"large", b"small"}
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
    site.run("mailq")  # it looks before each answer, and by itself twice a minute
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


@pytest.mark.parametrize("volume", [EXT4], indirect=True)
def test_disk_that_breaks_takes_nothing_more_and_gives_back_what_waits_once_it_is_repaired(
    room: Room, catcher: Catcher, volume: Volume
) -> None:
    site = room()
    site.daemon.start()
    catcher.answer("450 4.2.1 mailbox busy", recipient="slow@example.net")
    assert site.send("before", "slow@example.net").returncode == 0
    volume.remount("abort")  # as ext4 does by itself when the disk fails
    done = site.send("refused", "user@example.net", mode="-odb")
    assert done.returncode == 75
    assert b"Read-only file system" in done.stderr
    assert done.stderr.count(b"\n") == 1
    assert site.send("through", "user@example.net").returncode == 0
    catcher.answer()
    assert site.daemon.stop() == 0
    volume.repair()
    site.daemon.start()
    assert {one.subject for one in catcher.wait_for(2)} == {b"through", b"before"}
    site.wait_idle()


@on_any_volume
def test_daemon_does_not_start_on_a_read_only_spool_and_says_why(
    room: Room, volume: Volume
) -> None:
    site = room()
    site.make_spool()
    volume.remount("ro")
    done = site.run("pysendmaild", "--foreground")
    assert done.returncode == 75
    assert b"Read-only file system" in done.stderr


@on_any_volume
def test_spool_that_will_not_survive_is_warned_of(
    room: Room, request: pytest.FixtureRequest
) -> None:
    kind = request.node.callspec.params["volume"]
    site = room()
    site.daemon.start()
    checked = site.run("pysendmail", "check", "--offline").stdout.decode()
    if kind == EXT4:
        assert "will not survive" not in site.daemon.log()
        assert f"lies on {kind}" not in checked
    else:
        assert "spool will not survive" in site.daemon.log()
        assert f"lies on {kind}" in site.daemon.log()
        assert f"lies on {kind}" in checked


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


@pytest.mark.parametrize("mode", [0o700, 0o000, 0o755])
def test_drop_directory_of_a_wrong_mode_is_told_and_set_right_at_the_next_start(
    room: Room, catcher: Catcher, volume: Volume, mode: int
) -> None:
    site = room()
    site.make_spool()
    (volume.seen / "spool/drop").chmod(mode)
    done = site.send("refused", "user@example.net", uid=12001)
    assert done.returncode == 75
    assert b"spool/drop: Permission denied" in done.stderr
    assert done.stderr.count(b"\n") == 1
    site.make_spool()
    assert site.send("taken", "user@example.net", uid=12001).returncode == 0
    site.daemon.start()
    assert [one.subject for one in catcher.wait_for(1)] == [b"taken"]


@pytest.mark.parametrize("name", ["queue", "incoming", "format"])
def test_part_of_the_spool_of_a_wrong_owner_is_named_at_the_start_and_used_once_it_is_right(
    room: Room, catcher: Catcher, volume: Volume, name: str
) -> None:
    site = room()
    spool = volume.seen / "spool"
    spool.mkdir(mode=0o711)
    os.chown(spool, 12000, 12000)
    site.make_spool()
    catcher.stop()
    assert site.send("waits", "user@example.net", uid=12001).returncode == 0
    os.chown(spool / name, 0, 0)
    (spool / name).chmod(0o600)
    done = site.run("pysendmaild", "--foreground")
    assert done.returncode == 75
    assert f"Permission denied: '{name}'".encode() in done.stderr
    assert done.stderr.count(b"\n") == 1
    os.chown(spool / name, 12000, 12000)
    (spool / name).chmod(0o700)
    catcher.start()
    site.daemon.start()
    assert [one.subject for one in catcher.wait_for(1)] == [b"waits"]


def test_newer_spool_is_refused_and_mail_for_it_waits_in_the_drop_directory(
    room: Room, catcher: Catcher, volume: Volume
) -> None:
    site = room()
    site.make_spool()
    layout = volume.seen / "spool/format"
    layout.write_text("2\n")
    done = site.run("pysendmaild", "--foreground")
    assert done.returncode == 75
    assert b"has format 2, of a newer pysendmail; this one knows 1" in done.stderr
    assert site.send("waits", "user@example.net", uid=12001).returncode == 0
    layout.write_text("1\n")
    site.daemon.start()
    assert catcher.wait_for(1)[0].subject == b"waits"
    wait_until(site.is_idle)
