"""pysendmail explain as it is installed: it tells, and does nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.helpers.catcher import Catcher
from tests.integration.conftest import SiteMaker

PHP = b"To: bob@example.net\r\nFrom: Vera <vera@freemail.example>\r\nSubject: hi\r\n\r\nHello\r\n"


@pytest.fixture
def plain() -> Iterator[Catcher]:
    catcher = Catcher()
    yield catcher
    catcher.close()


def test_explain_tells_all_and_sends_and_writes_nothing(
    make_site: SiteMaker, plain: Catcher
) -> None:
    site = make_site(plain, user="", ca_file="", rewrite="foreign", from_="web@example.com")
    before = sorted(site.directory.rglob("*"))
    done = site.run("pysendmail", "explain", "-t", "-i", "-fwww-data@web1", stdin=PHP)
    assert (done.returncode, done.stderr) == (0, b"")
    for line in (
        b"  sender     <root@example.com>, instead of <www-data@web1>\n",
        b"  recipient  <bob@example.net>\n",
        b"  + From: Vera <web@example.com>   [sent under",
        b"  + Reply-To: vera@freemail.example   [sent under",
        f"  smarthost  localhost:{plain.port}, STARTTLS where it is offered, no login\n".encode(),
        b"\nway in\n  direct: no daemon runs, and you may write the spool",
    ):
        assert line in done.stdout
    assert sorted(site.directory.rglob("*")) == before
    assert plain.received() == []
    assert plain.log() == ""


def test_explain_tells_of_the_daemon_and_asks_it_nothing(
    make_site: SiteMaker, plain: Catcher
) -> None:
    site = make_site(plain, user="", ca_file="")
    site.daemon.start()
    done = site.run("pysendmail", "explain", "bob@example.net", stdin=PHP)
    assert b"\nway in\n  the daemon, at " in done.stdout
    assert site.daemon.stop() == 0
    assert plain.received() == []


def test_explain_ends_with_the_status_of_a_real_call(make_site: SiteMaker, plain: Catcher) -> None:
    site = make_site(plain, user="", ca_file="")
    for argv, status, said in (
        (["-t"], 64, b"refused: No recipient addresses found in the message header (status 64)\n"),
        (["a@b@c"], 65, b"a@b@c: the address cannot be read (status 65)\n"),
        (["-bp"], 64, b""),
        (["-Z"], 64, b""),
    ):
        explained = site.run("pysendmail", "explain", *argv, stdin=b"Subject: t\n\nx\n")
        assert explained.returncode == status, argv
        assert said in explained.stdout + explained.stderr
        if said:
            assert site.sendmail(*argv, stdin=b"Subject: t\n\nx\n").returncode == status


def test_explain_tells_how_it_is_used(make_site: SiteMaker, plain: Catcher) -> None:
    done = make_site(plain, user="", ca_file="").run("pysendmail", "explain", "--help")
    assert (done.returncode, done.stdout[:24]) == (0, b"usage: pysendmail explai")


def test_user_who_may_not_read_the_configuration_is_told_so(
    make_site: SiteMaker, plain: Catcher, stranger: int
) -> None:
    site = make_site(plain, user="", ca_file="", from_="secret@example.com")
    os.chmod(site.path, 0o600)
    done = site.run("pysendmail", "explain", "bob@example.net", stdin=PHP, uid=stranger)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"note: cannot be read by you, so it does not count here: " in done.stdout
    assert b"secret" not in done.stdout
    assert b"  recipient  <bob@example.net>\n" in done.stdout
