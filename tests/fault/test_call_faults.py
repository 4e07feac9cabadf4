"""Each system call on the spool fails once, with each error that it may have: who is told 0 has his
message delivered in the end, who is told anything else has one line; and the daemon goes on.

`test_spool_errors` does the same to the spool alone, in the process and for each change.
"""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pysendmail.daemon.acceptor import SPARE
from pysendmail.message.queue_id import new_queue_id
from pysendmail.submission.drop_door import drop
from pysendmail.submission.request import Request, format_request
from tests.helpers import strace
from tests.helpers.catcher import Catcher
from tests.helpers.installed import Completed, Installation
from tests.helpers.strace import ERRORS, Faults, calls_below, failing, plan, tracing
from tests.helpers.system import Site, message
from tests.helpers.waiting import wait_until
from tests.integration.conftest import installation as installation
from tests.integration.conftest import stranger as stranger

USER, SLOW, BAD = "user@example.net", "slow@example.net", "bad@example.net"
pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def catcher() -> Iterator[Catcher]:
    """A smarthost that takes a message for some, and for others neither now nor ever."""
    smarthost = Catcher()
    smarthost.answer("450 4.2.1 mailbox busy", recipient=SLOW)
    smarthost.answer("550 5.1.1 no such user", recipient=BAD)
    yield smarthost
    smarthost.close()


@pytest.fixture
def site(installation: Installation, catcher: Catcher) -> Iterator[Site]:
    """A site with its spool made and no daemon."""
    if reason := strace.why_not():
        pytest.skip(reason)
    made = Site(installation, catcher, linger="false", retry_first="3s", retry_longest="3s")
    made.make_spool()
    yield made
    made.close()


def is_told_in_one_line(done: Completed) -> bool:
    """Tell whether this is how a message that could not be taken is refused."""
    return (
        done.returncode == 75
        and done.stderr.startswith(b"sendmail: ")
        and done.stderr.count(b"\n") == 1
        and b"Error: " not in done.stderr  # the name of an exception nobody foresaw
    )


@pytest.mark.parametrize("door", ["direct", "drop"])
def test_each_call_of_sendmail_fails_with_each_error(
    site: Site, catcher: Catcher, tmp_path: Path, door: str, stranger: int
) -> None:
    log, promised, odd = tmp_path / "log", [], []
    uid = [] if door == "direct" else ["setpriv", f"--reuid={stranger}", "--clear-groups"]

    def send(subject: str, *options: str) -> Completed:
        return site.send(subject, SLOW, within=[*tracing(log), *options, *uid])

    assert send("traced", "-e", "trace=" + ",".join(ERRORS)).returncode == 0
    for call, number, error in plan(calls_below(log.read_text(), site.directory / "spool")):
        subject = f"{call} {number} {error}"
        done = send(subject, *failing(call, error, number))
        assert "(INJECTED)" in log.read_text(), subject
        if done.returncode == 0:
            promised.append(subject.encode())
        elif not is_told_in_one_line(done):
            odd.append((subject, done.returncode, done.stderr))
    assert odd == []
    assert promised
    catcher.answer()
    site.daemon.start()
    wait_until(
        lambda: set(promised) <= {one.subject for one in catcher.received()},
        seconds=60,
        what=f"{len(promised)} messages",
        evidence=site.evidence,
    )
    site.wait_idle()


class Promises:
    """What was sent while calls of the daemon failed, and what was answered.

    A message has three recipients: one whom the smarthost takes, one whom it defers at first, and
    one whom it refuses. With status 0 each of them has to come to an end.
    """

    def __init__(self, site: Site, catcher: Catcher) -> None:
        self._site = site
        self._catcher = catcher
        self.made: list[str] = []
        self.odd: list[tuple[str, int, bytes]] = []

    def send(self, subject: str, mode: str = "-odb") -> int:
        """Send one message; return the status."""
        done = self._site.send(subject, USER, SLOW, BAD, mode=mode)
        if done.returncode == 0:
            self.made.append(subject)
        elif not is_told_in_one_line(done):
            self.odd.append((subject, done.returncode, done.stderr))
        return done.returncode

    def drop(self, subject: str) -> None:
        """Leave one message in the drop directory."""
        text = message(subject)
        recipients = (USER.encode(), SLOW.encode(), BAD.encode())
        request = Request(
            queue_id=new_queue_id(),
            sender=b"sender@example.com",
            operands=recipients,
            size=len(text),
        )
        spool = str(self._site.directory / "spool")
        drop(spool, request.queue_id, format_request(request), [text])
        self.made.append(subject)

    def received(self) -> Counter[tuple[str, bytes]]:
        """Return how often each recipient got each message."""
        received = (one for one in self._catcher.received() if one.sender)
        return Counter((one.subject.decode(), who) for one in received for who in one.recipients)

    def is_settled(self, subject: str) -> bool:
        """Tell whether a message was refused, or has come to its end but for who is deferred."""
        return subject not in self.made or not {USER, BAD} - self._ended(subject)

    def broken(self) -> list[tuple[str, set[str]]]:
        """Return the messages of which somebody has got neither the message nor a bounce."""
        open_ends = [(subject, {USER, SLOW, BAD} - self._ended(subject)) for subject in self.made]
        return [(subject, who) for subject, who in open_ends if who]

    def _ended(self, subject: str) -> set[str]:
        ended = set()
        for one in self._catcher.received():
            text = one.content.decode()
            if one.sender and one.subject.decode() == subject:
                ended |= {recipient.decode() for recipient in one.recipients}
            elif not one.sender and f"\r\nSubject: {subject}\r\n" in text:
                ended |= {BAD} if f"<{BAD}>" in text else set()
        return ended


@pytest.fixture
def promises(site: Site, catcher: Catcher) -> Promises:
    """What is sent to the site, whose daemon runs."""
    site.daemon.start()
    return Promises(site, catcher)


def test_each_call_of_the_daemon_fails_with_each_error(
    site: Site, catcher: Catcher, promises: Promises
) -> None:
    def send(subject: str, options: list[str], enough: int) -> Faults:
        faults = Faults(site.daemon.pid, options)
        try:
            promises.send(subject)
            wait_until(lambda: faults.count() >= enough or promises.is_settled(subject))
        finally:
            faults.end()
        return faults

    spool, failed = site.directory / "spool", 0
    traced = send("traced", ["-e", "trace=" + ",".join(ERRORS)], enough=1)
    for call, number, error in plan(sorted(set(calls_below(traced.calls, spool)))):
        failed += send(f"{call} {number} {error}", failing(call, error, number), enough=1).count()
    assert failed > 50
    catcher.answer()
    site.wait_idle()
    assert (promises.odd, promises.broken()) == ([], [])
    assert max(promises.received().values()) == 1
    assert not find_bugs(site.daemon.log())


# What a disk, a quota or a kernel in trouble refuses, all of it, and what the log says of it.
TROUBLES = {
    "full": ("pwrite64 fsync renameat", "ENOSPC", "No space left on device"),
    "over its quota": ("pwrite64 fsync renameat", "EDQUOT", "Disk quota exceeded"),
    "broken": ("pread64 pwrite64 fsync renameat unlinkat getdents64", "EIO", "Input/output error"),
    "read-only": ("pwrite64 renameat unlinkat utimensat ftruncate", "EROFS", "Read-only file"),
    "without locks": ("flock", "ENOLCK", "No locks available"),
    "without descriptors": ("openat socket accept4", "EMFILE", "Too many open files"),
    "without files in the system": ("openat socket accept4", "ENFILE", "Too many open files in"),
    "without memory in the kernel": (
        "openat newfstatat pread64 flock",
        "ENOMEM",
        "Cannot allocate",
    ),
    "without memory": ("mmap brk mremap", "ENOMEM", ""),  # what there is may be enough
    "without threads": ("clone clone3", "EAGAIN", "cannot accept"),
    "left by its callers": ("accept4", "ECONNABORTED", "cannot accept"),
}


@pytest.mark.parametrize(("calls", "error", "words"), TROUBLES.values(), ids=TROUBLES.keys())
def test_daemon_in_trouble_for_a_while_keeps_its_promises_and_goes_on_by_itself(
    site: Site, catcher: Catcher, promises: Promises, calls: str, error: str, words: str
) -> None:
    assert promises.send("before") == 0
    wait_until(lambda: promises.is_settled("before"))
    silent = [socket.socket(socket.AF_UNIX) for _ in range(SPARE)]
    for caller in silent:  # the threads that wait have somebody to serve: it takes new ones
        caller.connect(site.socket)
    names = ",".join(f"?{call}" for call in calls.split())
    faults = Faults(site.daemon.pid, failing(names, error, "1+"))
    meanwhile = threading.Thread(target=lambda: [promises.send(f"{n}", "-odi") for n in range(2)])
    try:
        promises.drop("dropped")
        meanwhile.start()
        wait_until(lambda: not meanwhile.is_alive() or (words and words in site.daemon.log()))
        assert faults.count() > 0
    finally:
        faults.end()
        meanwhile.join()
        for caller in silent:
            caller.close()
    assert promises.send("after") == 0
    catcher.answer()
    wait_until(lambda: not promises.broken(), what="all that was promised", evidence=site.evidence)
    site.wait_idle()
    assert (promises.odd, promises.broken()) == ([], [])
    assert max(promises.received().values()) == 1
    assert words in site.daemon.log()
    assert not find_bugs(site.daemon.log())


def find_bugs(log: str) -> list[str]:
    """Return the lines of a log that tell of something nobody foresaw."""
    words = ("internal error", "in itself", "Traceback")
    return [line for line in log.splitlines() if any(word in line for word in words)]
