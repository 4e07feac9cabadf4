"""A user fills the drop directory with what is no mail; the daemon goes on, others are served.

DROP_FILES in the environment: how many files, instead of 50,000.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.footprint import BOUND_KIB, Footprint
from tests.helpers.installed import Installation
from tests.helpers.system import Site
from tests.helpers.users import acting_as, as_root
from tests.helpers.volume import Volume, why_not
from tests.helpers.waiting import wait_until
from tests.helpers.weigher import Weigher
from tests.integration.conftest import NOBODY as NOBODY
from tests.integration.conftest import installation as installation
from tests.integration.conftest import stranger as stranger

BOB, MALLORY = 12001, 12002
FILES = int(os.environ.get("DROP_FILES", "50000"))

pytestmark = [pytest.mark.root, as_root, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture
def weigher() -> Iterator[Weigher]:
    """A smarthost."""
    smarthost = Weigher()
    yield smarthost
    smarthost.close()


@pytest.fixture
def volume() -> Iterator[Volume]:
    """A file system of memory, with room for all."""
    if reason := why_not():
        pytest.skip(reason)
    made = Volume(f"size={FILES * 8 + 100_000}k,nr_inodes={FILES + 1000}")
    yield made
    made.close()


@pytest.fixture
def site(
    installation: Installation, weigher: Weigher, volume: Volume, stranger: int
) -> Iterator[Site]:
    """A site with an empty spool on the volume, its daemon not running."""
    spool = str(volume.path / "spool")
    made = Site(
        installation,
        weigher,
        people=volume,
        spool=spool,
        linger="false",
        reserve="0",  # type: ignore[arg-type]
    )
    made.make_spool()
    yield made
    made.close()


def litter(drops: Path, name: str, content: bytes) -> None:
    """Put so many files there, as a user does."""
    directory = os.open(drops, os.O_PATH | os.O_DIRECTORY)
    with acting_as(MALLORY):
        for number in range(FILES):
            flags = os.O_WRONLY | os.O_CREAT
            fd = os.open(f"{name}-{number}", flags, 0o640, dir_fd=directory)
            if content:
                os.write(fd, content)
            os.close(fd)
    os.close(directory)


def is_empty(directory: Path) -> bool:
    with os.scandir(directory) as found:
        return next(found, None) is None


def lines_of(site: Site) -> int:
    return site.daemon.log().count("\n")


def test_files_that_are_no_mail_go_while_mail_of_others_is_taken_in_between(
    site: Site, weigher: Weigher, volume: Volume
) -> None:
    drops = volume.seen / "spool/drop"
    litter(drops, "junk", b"no request")
    assert site.send("bob", "user@example.net", uid=BOB).returncode == 0
    site.daemon.start()
    footprint, lines = Footprint(site.daemon.pid), lines_of(site)
    weigher.wait_for(1, seconds=300)
    assert not is_empty(drops), "his mail was the last that was taken"
    wait_until(
        lambda: is_empty(drops),
        seconds=1200,
        what="an empty drop directory",
        evidence=site.daemon.log,
    )
    assert len(os.listdir(volume.seen / "spool/broken")) == FILES
    assert lines_of(site) - lines < 100
    assert footprint.above_idle < BOUND_KIB


def test_files_that_look_unfinished_stay_and_keep_no_mail_of_others_waiting(
    site: Site, weigher: Weigher, volume: Volume
) -> None:
    drops = volume.seen / "spool/drop"
    litter(drops, "writing", b"")
    site.daemon.start()
    footprint = Footprint(site.daemon.pid)
    socket = site.socket
    site.configure(socket=f"{site.directory}/none")  # for sendmail: there is no daemon
    for number in range(3):
        assert site.send(f"bob {number}", "user@example.net", uid=BOB).returncode == 0
    weigher.wait_for(3, seconds=300)
    site.configure(socket=socket)
    assert footprint.above_idle < BOUND_KIB
