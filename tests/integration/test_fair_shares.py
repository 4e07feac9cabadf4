"""One user cannot starve another: real users, a daemon with a user of its own, one connection to
the smarthost, which answers when the test says so.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from pysendmail.daemon.server import CONNECTIONS
from pysendmail.message.envelope import Envelope, Recipient
from pysendmail.message.message import Message, format_field
from pysendmail.message.slices import Octets
from pysendmail.spool.directory import DirectorySpool
from pysendmail.spool.disk import Disk
from pysendmail.submission.request import Request, format_request
from tests.helpers.footprint import Weighing
from tests.helpers.installed import Installation
from tests.helpers.system import Site, message
from tests.helpers.users import acting_as, as_root
from tests.helpers.weigher import ALL, Weigher

SERVICE, BOB, MALLORY = 12000, 12001, 12002
BACKLOG = 1000
AHEAD = 6  # messages of others that may be on their way already, or have their turn before

pytestmark = [pytest.mark.root, as_root]


@pytest.fixture
def weigher() -> Iterator[Weigher]:
    """A smarthost without CHUNKING: few messages are under way at a time."""
    smarthost = Weigher([name for name in ALL if name != b"CHUNKING"])
    yield smarthost
    smarthost.close()


@pytest.fixture
def site(installation: Installation, weigher: Weigher, stranger: int) -> Iterator[Site]:
    """A site with one connection to the smarthost; its daemon runs."""
    made = Site(installation, weigher, connections="1", wait="60s", linger="false")
    spool = made.directory / "spool"
    spool.mkdir(mode=0o711)
    os.chown(spool, SERVICE, SERVICE)
    made.daemon.start()
    yield made
    made.close()


def submission(site: Site, subject: str, *words: str, uid: int) -> Weighing:
    """Start a sendmail, with its message written."""
    weighing = Weighing(
        [site.installation.program("sendmail"), *words, "user@example.net"],
        env={"PYSENDMAIL_CONFIG": str(site.path)},
        uid=uid,
    )
    weighing.feed([message(subject)])
    return weighing


def place_of(subject: bytes, weigher: Weigher) -> int:
    """Let messages through one by one until this one has come; return how many came before."""
    while True:
        subjects = [weight.subject for weight in list(weigher.weights)]
        if subject in subjects:
            return subjects.index(subject)
        count = len(subjects)
        weigher.release(1)
        weigher.wait_for(count + 1)


def test_caller_does_not_wait_behind_all_callers_of_another_user(
    site: Site, weigher: Weigher
) -> None:
    weigher.hold()
    with ExitStack() as ends:
        for number in range(50):
            one = submission(site, f"mallory {number}", uid=MALLORY)
            ends.callback(one.end, 60.0)
        site.daemon.wait_for_log(lambda log: log.count(": submitted ") >= 50, "her messages")
        bob = submission(site, "bob", uid=BOB)
        site.daemon.wait_for_log(lambda log: f"submitted uid={BOB}" in log, "his message")
        assert place_of(b"bob", weigher) < AHEAD
        assert bob.end(30.0).status == 0
        weigher.release()


class UnsyncedDisk(Disk):
    """A disk whose syncs are left out: a backlog is there at once."""

    def sync(self, fd: int) -> None:
        pass


def make_backlog(site: Site, uid: int) -> None:
    """Enter many messages of a user that are due; nobody serves the spool meanwhile."""
    spool = DirectorySpool(str(site.directory / "spool"), disk=UnsyncedDisk())
    now = time.time()
    for number in range(BACKLOG):
        spool.enter(
            f"{number:014X}",
            Envelope(b"sender@example.com", [Recipient(b"user@example.net")]),
            Message([format_field(b"Subject", b"backlog")], Octets(b"Hello.\r\n")),
            arrived=now,
            uid=uid,
            next_attempt=now - 60,
        )
    spool.close()


@pytest.mark.parametrize("mode", ["-odi", "-odb"])
def test_message_does_not_wait_behind_the_backlog_of_another_user(
    site: Site, weigher: Weigher, mode: str
) -> None:
    site.daemon.stop()
    make_backlog(site, MALLORY)
    weigher.hold()
    site.daemon.start()
    weigher.wait_for_held()
    bob = submission(site, "bob", mode, uid=BOB)
    site.daemon.wait_for_log(lambda log: f"submitted uid={BOB}" in log, "his message")
    if mode == "-odb":
        assert bob.end(30.0).status == 0
    assert place_of(b"bob", weigher) < AHEAD
    if mode == "-odi":
        assert bob.end(30.0).status == 0


def test_message_in_the_drop_directory_does_not_wait_behind_the_backlog_either(
    site: Site, weigher: Weigher
) -> None:
    site.daemon.stop()
    make_backlog(site, MALLORY)
    assert site.send("bob", "user@example.net", uid=BOB).returncode == 0
    weigher.hold()
    site.daemon.start()
    site.daemon.wait_for_log(lambda log: "from the drop directory" in log, "his message")
    assert place_of(b"bob", weigher) < AHEAD


@pytest.mark.parametrize("how", ["silent", "half a head", "half a message", "garbage"])
def test_user_who_opens_all_connections_there_are_keeps_no_other_from_sending(
    site: Site, weigher: Weigher, how: str
) -> None:
    head = format_request(Request(queue_id="0" * 14, size=1_000_000, operands=(b"a@b.c",)))
    said = {
        "silent": b"",
        "half a head": head[:-5],
        "half a message": head + b"Subject: half",
        "garbage": b"\0x\xff" * 1000,
    }[how]
    with ExitStack() as clients:
        with acting_as(MALLORY):
            for _ in range(2 * CONNECTIONS):
                client = clients.enter_context(socket.socket(socket.AF_UNIX))
                client.settimeout(10.0)
                client.connect(site.socket)
                with suppress(BrokenPipeError, ConnectionResetError):
                    client.sendall(said)
        assert site.send("bob", "user@example.net", uid=BOB).returncode == 0
        assert [one.subject for one in weigher.wait_for(1)] == [b"bob"]
        assert site.send("root", "user@example.net").returncode == 0
        assert weigher.wait_for(2)[1].subject == b"root"
        assert os.listdir(site.directory / "spool/drop") == []
