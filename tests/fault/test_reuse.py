"""What is there twice: a process id in a lock, a queue id, a daemon."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from pysendmail.message.queue_id import new_queue_id
from pysendmail.submission.drop_door import drop
from pysendmail.submission.request import Request, format_request
from pysendmail.submission.socket_door import submit
from tests.helpers.catcher import Catcher
from tests.helpers.installed import SEARCH_PATH, Installation
from tests.helpers.system import Site, message
from tests.helpers.waiting import wait_until
from tests.integration.conftest import installation as installation


@pytest.fixture
def catcher() -> Iterator[Catcher]:
    """A smarthost."""
    smarthost = Catcher()
    yield smarthost
    smarthost.close()


@pytest.fixture
def site(installation: Installation, catcher: Catcher) -> Iterator[Site]:
    """A site; its daemon is started by the test."""
    made = Site(installation, catcher)
    yield made
    made.close()


@pytest.mark.parametrize("lingers", ["", " lingers"])
def test_process_that_has_got_the_number_of_a_dead_daemon_is_left_alone(
    site: Site, catcher: Catcher, lingers: str
) -> None:
    site.daemon.start()
    catcher.stop()
    assert site.send("waits", "user@example.net").returncode == 0
    site.daemon.kill()
    with subprocess.Popen(["sleep", "infinity"]) as innocent:
        (site.directory / "spool/daemon.lock").write_text(f"{innocent.pid}{lingers}\n")
        catcher.start()
        site.daemon.start()
        assert [one.subject for one in catcher.wait_for(1)] == [b"waits"]
        assert innocent.poll() is None
        innocent.kill()


def test_daemons_that_start_together_leave_one_and_the_others_say_whose_the_spool_is(
    site: Site, catcher: Catcher
) -> None:
    site.make_spool()
    program = [site.installation.program("pysendmaild"), "--foreground", "--config", str(site.path)]
    daemons = [
        subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *program],
            env={"PATH": SEARCH_PATH},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for _ in range(4)
    ]
    try:
        wait_until(lambda: [one.poll() for one in daemons].count(None) == 1, what="one daemon")
        [first] = [one for one in daemons if one.poll() is None]
        assert site.send("taken", "user@example.net").returncode == 0
        assert [one.subject for one in catcher.wait_for(1)] == [b"taken"]
        first.send_signal(signal.SIGTERM)
        assert first.wait(30) == 0
        for one in daemons:
            _, said = one.communicate()
            if one is not first:
                assert one.returncode == 69
                assert said.count(b"\n") == 1
                assert b"another daemon (pid " in said
                assert f"serves {site.directory}/spool".encode() in said
    finally:
        for one in daemons:
            one.kill()
            one.wait()


def test_queue_id_that_comes_again_by_whatever_door_is_one_message(
    site: Site, catcher: Catcher
) -> None:
    text = message("once")
    request = Request(
        queue_id=new_queue_id(),
        sender=b"sender@example.com",
        operands=(b"user@example.net",),
        size=len(text),
    )
    head, spool = format_request(request), str(site.directory / "spool")
    site.daemon.start()
    catcher.answer("450 4.2.1 mailbox busy")
    for _ in range(2):
        assert submit(site.socket, head, [text], silence=20.0).status == 0
        drop(spool, request.queue_id, head, [text])
        wait_until(lambda: not os.listdir(f"{spool}/drop"), what="the intake")
    site.daemon.restart()
    drop(spool, request.queue_id, head, [text])
    wait_until(lambda: not os.listdir(f"{spool}/drop"), what="the intake")
    catcher.answer()
    catcher.wait_for(1)
    site.wait_idle()
    assert [one.subject for one in catcher.received()] == [b"once"]
