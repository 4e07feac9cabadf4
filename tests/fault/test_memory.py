"""Memory is bounded whatever callers do: at most 64 MiB above a process with nothing to do, for one
large message, for a hundred at a time, and for one that is made to be large.

Real programs, and the peak that the kernel tells of each. MESSAGE_MIB in the environment: how large
the one message is, instead of 300 MiB.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator

import pytest

from pysendmail.submission.exit_status import EX_DATAERR, EX_OK, EX_UNAVAILABLE
from tests.fault.bombs import ALIASES, BOMBS, header_lines_just_allowed
from tests.helpers.footprint import BOUND_KIB, Footprint, Weighed, Weighing
from tests.helpers.installed import Installation
from tests.helpers.system import Site
from tests.helpers.users import as_root
from tests.helpers.weigher import ALL, Weigher
from tests.integration.conftest import NOBODY
from tests.integration.conftest import installation as installation
from tests.integration.conftest import stranger as stranger

MIB = 1024 * 1024
LARGE = int(os.environ.get("MESSAGE_MIB", "300")) * MIB
SECONDS = 60.0 + LARGE / MIB  # for each step of a large message
MANY, MANY_SIZE = 100, 25_000_000
SEVEN_BIT = [name for name in ALL if name not in (b"8BITMIME", b"CHUNKING")]
LINE = b"x" * 75 + b"\n"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


class Message:
    """A message of so many octets and a few, made while it is read; `digest` is that of its body
    as it must arrive, once it was read.
    """

    def __init__(self, subject: bytes, size: int) -> None:
        self._subject = subject
        self._size = size
        self._sum = hashlib.sha256()

    @property
    def digest(self) -> str:
        return self._sum.hexdigest()

    def __iter__(self) -> Iterator[bytes]:
        yield b"Subject: %b\n\n" % self._subject
        for number in range(self._size // (800 * len(LINE)) + 1):
            block = b"%075d\n" % number + LINE * 799
            self._sum.update(block.replace(b"\n", b"\r\n"))
            yield block


@pytest.fixture
def weigher() -> Iterator[Weigher]:
    """A smarthost that can do all."""
    smarthost = Weigher()
    yield smarthost
    smarthost.close()


@pytest.fixture
def seven_bit() -> Iterator[Weigher]:
    """A smarthost for which what has eight bits must be encoded."""
    smarthost = Weigher(SEVEN_BIT)
    yield smarthost
    smarthost.close()


Sites = Callable[..., Site]


@pytest.fixture
def sites(installation: Installation) -> Iterator[Sites]:
    """A maker of sites."""
    made: list[Site] = []

    def make(smarthost: Weigher, **keys: str) -> Site:
        keys = {"wait": "1h", "linger": "false", "message_size": "4GiB", **keys}
        made.append(Site(installation, smarthost, **keys))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for site in made:
        site.close()


def submission(site: Site, *words: str, uid: int | None = None) -> Weighing:
    program = [site.installation.program("sendmail"), *words]
    return Weighing(program, env={"PYSENDMAIL_CONFIG": str(site.path)}, uid=uid)


def send(site: Site, message: Message, door: str) -> Weighed:
    """Send a message by this door."""
    if door == "-bs":
        weighing = submission(site, "-bs")
        weighing.feed(session_of(message))
    else:
        weighing = submission(
            site, "-i", "user@example.net", uid=NOBODY if door == "drop" else None
        )
        weighing.feed(message)
    return weighing.end(SECONDS)


def session_of(message: Message) -> Iterator[bytes]:
    yield b"EHLO x\nMAIL FROM:<a@example.com>\nRCPT TO:<user@example.net>\nDATA\n"
    yield from message
    yield b".\nQUIT\n"


@pytest.mark.parametrize("door", ["socket", "-bs", "direct", "drop"])
def test_message_of_any_size_goes_through_each_door_in_bounded_memory(
    sites: Sites, weigher: Weigher, request: pytest.FixtureRequest, door: str
) -> None:
    if door == "drop":
        request.getfixturevalue("stranger")
    site = sites(weigher)
    if door != "direct":
        site.daemon.start()
    if door == "drop":
        site.daemon.stop()
    small, large = Message(b"small", 1000), Message(b"large", LARGE)
    told = [send(site, message, door) for message in (small, large)]
    assert [(one.status, one.stderr) for one in told] == [(EX_OK, b"")] * 2
    if door == "drop":
        site.daemon.start()
    weights = weigher.wait_for(2, seconds=SECONDS)
    assert {one.subject: one.digest for one in weights} == {
        b"small": small.digest, b"large": large.digest,
    }  # fmt: skip
    assert told[1].peak - told[0].peak < BOUND_KIB


@pytest.mark.parametrize("how", ["socket", "drop", "in seven bit"])
def test_daemon_takes_and_delivers_a_message_of_any_size_in_bounded_memory(
    sites: Sites, weigher: Weigher, seven_bit: Weigher, how: str, request: pytest.FixtureRequest
) -> None:
    smarthost = seven_bit if how == "in seven bit" else weigher
    site = sites(smarthost)
    site.daemon.start()
    message = Message(b"large", LARGE)
    if how == "drop":
        uid = request.getfixturevalue("stranger")
        site.daemon.stop()
        assert submission_of(site, message, uid=uid).status == EX_OK
        site.daemon.start()
        footprint = Footprint(site.daemon.pid)
    else:
        site.send("small", "user@example.net")
        footprint = Footprint(site.daemon.pid)
        chunks = message if how == "socket" else (one.replace(b"x", b"\xe9") for one in message)
        assert submission_of(site, chunks).status == EX_OK
    weight = smarthost.wait_for(1 if how == "drop" else 2, seconds=SECONDS)[-1]
    assert weight.ascii
    assert how == "in seven bit" or weight.digest == message.digest
    assert footprint.above_idle < BOUND_KIB


def submission_of(site: Site, chunks: Message | Iterator[bytes], uid: int | None = None) -> Weighed:
    weighing = submission(site, "-i", "user@example.net", uid=uid)
    weighing.feed(chunks)
    return weighing.end(SECONDS)


@pytest.mark.parametrize("door", ["socket", "-bs", "direct", "drop"])
def test_message_beyond_the_limit_is_refused_in_one_line(
    sites: Sites, weigher: Weigher, request: pytest.FixtureRequest, door: str
) -> None:
    if door == "drop":
        request.getfixturevalue("stranger")
    site = sites(weigher, message_size="50MiB")
    if door != "direct":
        site.daemon.start()
    if door == "drop":
        site.daemon.stop()
    small, large = (send(site, Message(b"m", size), door) for size in (1000, LARGE))
    if door == "-bs":
        assert large.status == EX_OK
        assert [line[:3] for line in large.stdout.splitlines()][-2:] == [b"552", b"221"]
    else:
        assert large.status == EX_DATAERR
        assert large.stderr.count(b"\n") == 1
        assert b"larger than 52428800 octets" in large.stderr
    assert large.peak - small.peak < BOUND_KIB


@pytest.mark.root
@as_root
def test_hundred_large_messages_at_a_time_are_delivered_in_bounded_memory(
    sites: Sites, weigher: Weigher, stranger: int
) -> None:
    site = sites(weigher, wait="1s")
    site.daemon.start()
    site.send("small", "user@example.net")
    footprint = Footprint(site.daemon.pid)
    told = at_once(site, MANY, lambda number: Message(b"m%d" % number, MANY_SIZE), stranger)
    assert [(one.status, one.stderr) for one in told] == [(EX_OK, b"")] * MANY
    weights = weigher.wait_for(MANY + 1, seconds=600.0)
    assert len({one.subject for one in weights}) == len(weights) == MANY + 1
    assert len({one.digest for one in weights}) == 2
    assert footprint.above_idle < BOUND_KIB


@pytest.mark.root
@as_root
@pytest.mark.parametrize("mode", ["-odi", "-odb"])
def test_hundred_large_headers_at_a_time_are_delivered_in_bounded_memory(
    sites: Sites, seven_bit: Weigher, stranger: int, mode: str
) -> None:
    site = sites(seven_bit)
    site.daemon.start()
    site.send("small", "user@example.net")
    footprint = Footprint(site.daemon.pid)
    told = at_once(site, MANY, lambda _: header_lines_just_allowed(), stranger, mode)
    assert [(one.status, one.stderr) for one in told] == [(EX_OK, b"")] * MANY
    seven_bit.wait_for(MANY + 1, seconds=600.0)
    assert footprint.above_idle < BOUND_KIB


def at_once(
    site: Site,
    count: int,
    message: Callable[[int], Message | Iterator[bytes]],
    uid: int,
    mode: str = "-odi",
) -> list[Weighed]:
    """Send so many at once."""
    weighings = [submission(site, "-i", mode, "user@example.net", uid=uid) for _ in range(count)]
    feeders = [
        threading.Thread(target=weighing.feed, args=(message(number),))
        for number, weighing in enumerate(weighings)
    ]
    for feeder in feeders:
        feeder.start()
    for feeder in feeders:
        feeder.join()
    return [weighing.end(600.0) for weighing in weighings]


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.__name__)
def test_bomb_costs_bounded_memory_on_its_way_and_on_its_way_back(
    sites: Sites, seven_bit: Weigher, bomb: Callable[[], Iterator[bytes]]
) -> None:
    site = sites(seven_bit, from_="sender@example.com")
    (site.directory / "aliases").write_text(ALIASES)
    words = ["-i", "-oem", "-R", "full", "-f", "sender@example.com"]
    to = ["-t"] if b"\nTo: " in b"".join(bomb())[:100] else ["user@example.net"]
    status = BOMBS[bomb]
    small = run(site, [*words, "user@example.net"], iter([b"Subject: small\n\n"]))
    peaks = [run(site, [*words, *to], bomb(), status)]  # by the direct door
    site.daemon.start()
    footprint = Footprint(site.daemon.pid)
    peaks.append(run(site, [*words, *to], bomb(), status))
    seven_bit.refuses = True
    run(site, [*words, *to], bomb(), status or EX_UNAVAILABLE)
    site.wait_idle(60.0)
    taken = [one for one in seven_bit.weights if one.subject != b"small"]
    senders = {b"sender@example.com", b""} if status == EX_OK else set()
    assert {one.sender for one in taken} == senders
    assert footprint.above_idle < BOUND_KIB
    assert max(peaks) - small < BOUND_KIB


def run(site: Site, words: list[str], chunks: Iterator[bytes], expected: int = EX_OK) -> int:
    """Run sendmail and return its peak; AssertionError where it ends with another status."""
    weighing = submission(site, *words)
    weighing.feed(chunks)
    told = weighing.end(120.0)
    assert told.status == expected, told
    return told.peak
