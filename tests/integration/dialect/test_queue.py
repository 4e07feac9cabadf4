"""The queue and the verdicts: V37-V39, V44, and a smarthost that never answers."""

from __future__ import annotations

import os
import re
import tempfile

import pytest

from tests.helpers.sink import BLACKHOLE, DOWN, FULL, REJ550
from tests.helpers.waiting import wait_until
from tests.integration.dialect.cases import through
from tests.integration.dialect.world import DIRECT, DROP, ROOT, SOCKET, World

EMPTY = b"Mail queue is empty\n"
WAIT_S = 5.0  # the site's `wait`


@through("V37", (SOCKET, DIRECT))
@pytest.mark.parametrize("words", [["mailq"], ["sendmail", "-bp"]], ids=" ".join)
def test_empty_queue(world: World, words: list[str]) -> None:
    done = world.run(*words)
    assert (done.returncode, done.stdout, done.stderr) == (0, EMPTY, b"")


@through("V37", (SOCKET, DIRECT))
def test_empty_queue_by_a_link_of_somebody_else(world: World) -> None:
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        os.symlink(world.program, f"{directory}/mailq")
        process = world.popen(f"{directory}/mailq")
        assert process.communicate(timeout=20.0) == (EMPTY, b"")
    assert process.returncode == 0


@through("V38")
def test_listing_of_what_waits(world: World) -> None:
    send_two_while_down(world)
    listing = world.listing()
    assert len(re.findall(r"^[A-F0-9]", listing, re.MULTILINE)) == 2
    assert re.search(r"Kbytes in 2 Request", listing.splitlines()[-1])
    assert listing.count(" alice@example.test\n") == 2
    assert listing.count(" bob@example.org\n") == 2
    # behind the drop directory the second may wait for the first to find the smarthost back
    assert listing.count("cannot connect") >= (1 if world.door == DROP else 2)
    # check_mailq, as sendmail and as postfix
    assert re.search(r"^\s+Total\sRequests:\s(\d+)$", listing, re.MULTILINE | re.I)[1] == "2"  # type: ignore[index]
    assert re.search(r"-- \d+ Kbytes in (\d+) ", listing.splitlines()[-1])[1] == "2"  # type: ignore[index]


@through("V39")
@pytest.mark.parametrize("words", [["sendmail", "-q"], ["runq"]], ids=" ".join)
def test_run_of_the_queue_when_the_smarthost_is_back(world: World, words: list[str]) -> None:
    send_two_while_down(world)
    world.sink.play(FULL)
    done = world.run(*words, uid=world.owner)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert len(world.mails(2)) == 2
    assert world.listing().encode() == EMPTY


def send_two_while_down(world: World) -> None:
    """Leave two messages in the queue, of which one at least has been attempted."""
    world.sink.play(DOWN)
    for _ in range(2):
        world.sendmail("bob@example.org")
    wait_until(
        lambda: len(world.entries()) == 2 and "cannot connect" in world.listing(),
        what="two messages that cannot be sent",
        evidence=world.site.evidence,
    )


@through("V44", (SOCKET, DIRECT))
@pytest.mark.parametrize(
    ("words", "status", "lines", "notices"),
    [
        (["-odi"], 67, 1, 0),
        (["-odb"], 0, 0, 1),
        (["-oee", "-odi"], 0, 0, 1),
        (["-oem", "-odi"], 67, 0, 1),
        (["-oeq", "-odi"], 67, 0, 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_refusal_by_the_smarthost(
    world: World, words: list[str], status: int, lines: int, notices: int
) -> None:
    world.sink.play(REJ550)
    done = world.run("sendmail", *words, "bad@example.org", stdin=b"Subject: t\n\nbody\n")
    assert (done.returncode, done.stdout) == (status, b"")
    assert len(done.stderr.splitlines()) == lines
    assert (b"bad@example.org: 550 5.1.1 no such user" in done.stderr) is bool(lines)
    check_notices(world, notices)


@through("V44", [DROP])
@pytest.mark.parametrize("words", [["-odi"], ["-odb"], ["-oee", "-odi"]], ids=" ".join)
def test_refusal_that_comes_when_nobody_waits(world: World, words: list[str]) -> None:
    world.sink.play(REJ550)
    world.sendmail(*words, "bad@example.org")
    check_notices(world, 1)


def check_notices(world: World, count: int) -> None:
    """So many notices come to alice, from nobody."""
    for mail in world.mails(count):
        assert (mail.sender, mail.recipients) == (b"", (b"alice@example.test",))
        assert mail.parsed.get_content_type() == "multipart/report"
        assert b"550 5.1.1 no such user" in mail.body


@through("blackhole", [SOCKET])
def test_smarthost_that_never_answers_holds_the_caller_no_longer_than_wait(world: World) -> None:
    world.sink.play(BLACKHOLE)
    world.sendmail("-odi", "bob@example.org", seconds=WAIT_S + 2.0)
    assert len(world.entries()) == 1


@through("blackhole", [DIRECT])
def test_smarthost_that_never_answers_holds_the_caller_of_the_direct_door_no_longer(
    world: World,
) -> None:
    world.sink.play(BLACKHOLE)
    world.sendmail("-odi", "bob@example.org", env={"PYSENDMAIL_WAIT": "1s"}, seconds=3.0)
    assert len(world.entries()) == 1


@through("V37", [SOCKET])
def test_others_see_the_true_count_and_not_the_entries(world: World) -> None:
    send_two_while_down(world)
    done = world.run("mailq", uid=4242)
    assert done.stdout.endswith(b" Kbytes in 2 Requests.\n")
    assert b"bob" not in done.stdout
    assert world.run("sendmail", "-bpc", uid=4242).stdout == b"2\n"
    assert world.run("sendmail", "-q", uid=4242).returncode == 77
    assert world.run("mailq", uid=ROOT).stdout.count(b"bob@example.org") == 2
