"""Who may see, hold and delete whose mail: real users, with a daemon that is not root."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.helpers.catcher import Catcher
from tests.helpers.system import Site
from tests.helpers.users import as_root
from tests.integration.conftest import SiteMaker

SERVICE, ALICE = 12000, 12001

pytestmark = [pytest.mark.root, as_root]


@pytest.fixture
def mallory(stranger: int) -> int:
    """Who has nothing to do with alice's mail."""
    return stranger


@pytest.fixture
def site(make_site: SiteMaker, catcher: Catcher, ca_file: Path) -> Site:
    """A site whose daemon has a user of its own; alice has a message waiting."""
    made = make_site(catcher)
    public = made.directory / "ca.pem"
    public.write_bytes(ca_file.read_bytes())
    made.configure(ca_file=str(public))
    spool = made.directory / "spool"
    spool.mkdir(mode=0o711)
    os.chown(spool, SERVICE, SERVICE)
    made.daemon.start()
    catcher.stop()
    assert made.send("secret plan", "bob@example.net", mode="-odq", uid=ALICE).returncode == 0
    return made


def id_of(site: Site) -> str:
    """Return the queue id of the message that waits, as root sees it."""
    found = re.search(r"^[0-9A-F]{14}", site.mailq(), re.MULTILINE)
    assert found
    return found[0]


def test_owner_sees_and_holds_and_deletes_her_own(site: Site) -> None:
    queue_id = id_of(site)
    for action in ("show", "hold", "release", "delete"):
        done = site.run("pysendmail", "queue", action, queue_id, uid=ALICE)
        assert (done.returncode, done.stderr) == (0, b"")
    assert site.is_idle()


def test_other_sees_neither_message_nor_recipients(site: Site, mallory: int) -> None:
    queue_id = id_of(site)
    for words in (("mailq",), ("mailq", "-v"), ("pysendmail", "queue", "show", queue_id)):
        done = site.run(*words, uid=mallory)
        for told in (b"bob@example.net", b"secret plan", b"sender@example.com"):
            assert told not in done.stdout + done.stderr


@pytest.mark.parametrize("action", ["show", "hold", "release", "delete", "flush"])
def test_other_changes_nothing_and_is_told_no_more_than_of_none(
    site: Site, mallory: int, action: str
) -> None:
    queue_id = id_of(site)
    before = site.run("pysendmail", "queue", "show", queue_id).stdout
    done = site.run("pysendmail", "queue", action, queue_id, uid=mallory)
    none = site.run("pysendmail", "queue", action, "0" * 14, uid=mallory)
    assert done.returncode == none.returncode != 0
    assert done.stderr.replace(queue_id.encode(), b"0" * 14) == none.stderr
    assert site.run("pysendmail", "queue", "show", queue_id).stdout == before


def test_other_can_run_no_queue(site: Site, mallory: int) -> None:
    for words in (("sendmail", "-q"), ("runq",), ("pysendmail", "queue", "flush")):
        assert site.run(*words, uid=mallory).returncode == 77


def test_other_without_a_daemon_reads_nothing_of_the_spool(site: Site, mallory: int) -> None:
    queue_id = id_of(site)
    site.daemon.stop()
    for words in (("mailq",), ("pysendmail", "queue", "show", queue_id)):
        done = site.run(*words, uid=mallory)
        assert done.returncode == 69
        assert b"not yours to read" in done.stderr
    done = site.run("pysendmail", "queue", "delete", queue_id, uid=mallory)
    assert done.returncode == 69
    assert queue_id in site.mailq()


def test_forged_fields_of_a_request_reach_no_header_and_no_log_line_of_their_own(
    site: Site, catcher: Catcher
) -> None:
    forged = "Mallory\r\nBcc: victim@example.net\n\nbody"
    done = site.sendmail(
        "-F", forged, "-f", "m@example.com", "-L", "tag\nforged: line", "bob@example.net",
        stdin=b"Subject: t\n\n", uid=ALICE,
    )  # fmt: skip
    catcher.start()
    site.flush()
    for one in catcher.wait_for(2 if done.returncode == 0 else 1):
        assert one.recipients == (b"bob@example.net",)
        assert b"\r\nBcc:" not in one.content
    assert "\nforged:" not in site.daemon.log()
