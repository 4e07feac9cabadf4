"""A daemon's days, recorded, and the recovery from what a power cut leaves of them.

`record` runs every operation on the directory spool, with the daemon's own parts and a smarthost in
memory. `recover` starts the same parts on what is left, until nothing but held entries waits.
`complaints` compares: what was answered with success is delivered, bounced or waits, and nothing
goes out again but what DESIGN allows.

The possible duplicate lies between the smarthost's word and the end of the settle that crosses the
recipient off; in a run of the queue, whose removals are synced together, that end is the sync. So a
recipient may be sent to again only while he is not settled, a bounce may come twice only while its
original is not, or it is not itself.

Every recipient stands for one message, so that addresses tell all there is to tell.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pysendmail.daemon import removals
from pysendmail.daemon.drop_intake import DropIntake
from pysendmail.daemon.lifecycle import put_aside
from pysendmail.daemon.scheduler import Scheduler
from pysendmail.daemon.settle import settle
from pysendmail.daemon.submissions import Submissions
from pysendmail.message.outcome import DEFERRED, Outcome
from pysendmail.message.queue_id import is_queue_id
from pysendmail.spool.directory import DirectorySpool
from pysendmail.submission.drop_door import drop, drop_directory, make_drop_directory
from pysendmail.submission.request import format_request
from pysendmail.submission.submitter import find_submitter
from tests.fault.recording import Change, Recording
from tests.unit.daemon.house import FakeRelay, make_state
from tests.unit.relay.peers import Peer
from tests.unit.submission.samples import TEXT, ended, raw, request

DAY_S = 86_400.0
BEGIN = 1_700_000_000.0
FINAL = re.compile(rb"^Final-Recipient: rfc822; *(\S+?)\r?$", re.MULTILINE)

# What a mark says, with the addresses it is about.
ANSWERED, TAKEN, BOUNCED, SETTLED, BOUNCE_SETTLED = (
    "answered", "taken", "bounced", "settled", "bounce settled",
)  # fmt: skip
HELD, RELEASING, RELEASED, REMOVING, REMOVED = (
    "held", "releasing", "released", "removing", "removed",
)  # fmt: skip


class Clock:
    """The time, for everybody."""

    def __init__(self, now: float) -> None:
        self.now = now

    @contextmanager
    def shown(self) -> Iterator[Clock]:
        """Let `time.time` tell our time."""
        real = time.time
        time.time = lambda: self.now
        try:
            yield self
        finally:
            time.time = real


BODY = TEXT.partition(b"\n\n")[2].rstrip()  # as a peer keeps it


class Telling(list[Any]):
    """The messages of a peer, which tells of each as it takes it."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def append(self, message: tuple[list[str], bytes]) -> None:
        super().append(message)
        self._world.take(*message)


class World:
    """What the smarthost took, and what it answers: 250 but to whom `answers` says otherwise."""

    def __init__(self, tell: Any = lambda _mark: None) -> None:
        self.answers: dict[str, str] = {"nobody@example.net": "550 5.1.1 unknown"}
        self.taken: Counter[str] = Counter()
        self.bounced: Counter[str] = Counter()
        self.spoiled: set[str] = set()
        self._tell = tell

    def peer(self) -> Peer:
        peer = Peer(self.answers)
        peer.messages = Telling(self)
        return peer

    def take(self, recipients: list[str], octets: bytes) -> None:
        if failed := [address.decode() for address in FINAL.findall(octets)]:
            self.bounced.update(failed)
            self._tell((BOUNCED, failed))
        else:
            self.taken.update(recipients)
            if not octets.endswith(BODY):
                self.spoiled.update(recipients)
            self._tell((TAKEN, recipients))


class Parts:
    """A daemon's parts on a spool, run by hand."""

    def __init__(self, spool: DirectorySpool, path: str, world: World) -> None:
        self.path = path
        self.spool = spool
        relay = FakeRelay(make_peer=world.peer)
        self.state = make_state(relay, spool=spool, scratch=drop_directory(path))
        self.submissions = Submissions(self.state)
        drops = DropIntake(
            drop_directory(path),
            take=self.submissions.take_dropped,
            put_aside=lambda name: put_aside(path, name),
            note=lambda _what, _name: None,
        )
        self.scheduler = Scheduler(self.state, drops)

    def run(self, now: float) -> None:
        """Attempt what is due."""
        self.scheduler.runs.deliver(self.spool.due(now, 100))

    def close(self) -> None:
        self.state.workers.close(10.0)
        self.spool.close()


def id_of(number: int) -> str:
    return f"{number:014X}"


class Story:
    """The operations, each with marks of what had been promised, sent and settled by then."""

    def __init__(self, root: Path, recording: Recording, clock: Clock) -> None:
        self.path = str(root / "spool")
        self._recording = recording
        self._clock = clock
        self.world = World(recording.mark)
        self._open()

    def _open(self) -> None:
        spool = DirectorySpool.create(self.path)
        make_drop_directory(self.path)
        self.parts = Parts(spool, self.path, self.world)

    def restart(self) -> None:
        self.parts.close()
        self._open()

    def tell(self, what: str, *names: str) -> None:
        self._recording.mark((what, [f"{name}@example.net" for name in names]))

    def submit(self, number: int, *names: str, mode: bytes = b"b") -> None:
        self._clock.now += 1.0
        asked = request(
            *(f"{name}@example.net".encode() for name in names), queue_id=id_of(number), mode=mode
        )
        submissions = self.parts.submissions
        answer = submissions.submit(asked, raw(), find_submitter(0), submissions.hold(0))
        assert answer.status == 0
        self.tell(ANSWERED, *names)

    def leave(self, number: int, name: str) -> None:
        """Use the drop directory."""
        self._clock.now += 1.0
        asked = request(f"{name}@example.net".encode(), queue_id=id_of(number), size=len(TEXT))
        drop(self.path, id_of(number), format_request(asked), [TEXT])
        self.tell(ANSWERED, name)

    def take_drops(self) -> None:
        self.parts.scheduler.take_drops()

    def run(self) -> None:
        """Attempt what is due; what is pending in no entry any more is settled."""
        before, bounces = waiting(self.parts.spool)
        self.parts.run(self._clock.now)
        after, bounces_after = waiting(self.parts.spool)
        self._recording.mark((SETTLED, sorted(before - after)))
        self._recording.mark((BOUNCE_SETTLED, sorted(bounces - bounces_after)))

    def change(self, number: int, action: str, name: str) -> None:
        begin = {"release": RELEASING, "remove": REMOVING}.get(action)
        end = {"hold": HELD, "release": RELEASED, "remove": REMOVED}.get(action)
        if begin:
            self.tell(begin, name)
        self.parts.spool.change(id_of(number), action)
        if end:
            self.tell(end, name)

    def settle_late(self, number: int, name: str) -> None:
        """Enter a message whose attempt is under way, which then is deferred."""
        self.submit(number, name, mode=b"q")
        claim = self.parts.spool.claim(id_of(number))
        assert claim is not None
        late = Outcome(claim.entry.pending[0].address, DEFERRED, b"4.4.2", b"too slow")
        facts = {"config": self.parts.state.config, "journal": self.parts.state.journal}
        settle(claim, ended(late), now=self._clock.now, age=0.0, **facts)

    def all(self) -> None:
        """Tell it from the creation of the spool to an idle day."""
        answers = self.world.answers
        self.submit(1, "alice")
        self.run()
        answers |= {
            "bob@example.net": "450 4.2.0 later",
            "erin@example.net": "550 5.1.1 unknown",
            "frank@example.net": "450 4.2.0 later",
        }
        self.submit(2, "bob", mode=b"i")  # deferred, with its caller waiting
        self.submit(3, "direct", mode=b"i")  # delivered, never in the spool
        self.submit(4, "dave", "erin", "frank")
        self.run()  # one delivered, one bounced, one left
        self.run()  # the bounce goes out
        self.leave(5, "gina")
        self.leave(6, "henry")
        self.take_drops()
        self.run()  # two removals, one sync
        self.submit(7, "ida", mode=b"q")
        self.change(7, "hold", "ida")
        self.change(7, "expedite", "ida")
        self.submit(8, "jack", mode=b"q")
        self.change(8, "hold", "jack")
        self.change(8, "release", "jack")
        self.change(8, "expedite", "jack")
        self.submit(9, "kate", mode=b"q")
        self.change(9, "remove", "kate")
        self.settle_late(10, "liam")
        self.submit(11, "mary")
        self.leave(11, "mary")  # the answer was lost, so it comes again
        self.take_drops()
        self.restart()
        self.parts.spool.sweep(self._clock.now)
        self.run()  # jack, and mary who is remembered
        self._clock.now += 7 * DAY_S
        answers["nora@example.net"] = "450 4.2.0 later"
        self.submit(12, "nora")
        self.run()  # bob and frank are too old by now, liam is delivered
        self.change(7, "release", "ida")
        self.run()  # ida, and the bounces of bob and frank
        self.parts.spool.sweep(self._clock.now)
        self._recording.mark(("end", []))


def waiting(spool: DirectorySpool) -> tuple[set[str], set[str]]:
    """Return who waits for a message in the spool, and for whom a bounce waits there."""
    people: set[str] = set()
    bounces: set[str] = set()
    for entry in spool.entries():
        message = spool.open_message(entry.queue_id)
        assert message is not None
        failed = FINAL.findall(b"".join(message.chunks()))
        message.close()
        bounces.update(address.decode() for address in failed)
        if not failed:
            people.update(recipient.address.decode() for recipient in entry.pending)
    return people, bounces


def record(root: Path) -> tuple[Recording, float]:
    """Return the whole story below `root`, an empty directory, and when it ended."""
    recording = Recording(str(root))
    # The thread that syncs removals behind the back of the runs would do so at instants of its own.
    in_order = patch.object(removals, "SECONDS_PER_SYNC", 30.0)
    with in_order, Clock(BEGIN).shown() as clock, recording:
        story = Story(root, recording, clock)
        try:
            story.all()
        finally:
            story.parts.close()
    return recording, clock.now


class Recovered:
    """What came of a tree after the cut."""

    def __init__(self, world: World, waits: set[str], broken: Sequence[str]) -> None:
        self.taken = world.taken
        self.bounced = world.bounced
        self.spoiled = world.spoiled
        self.waits = waits
        self.broken = list(broken)


def recover(root: Path, now: float, *, sweep_first: bool) -> Recovered:
    """Start a daemon on what is there and let it run until only held entries wait."""
    world = World()
    world.answers["erin@example.net"] = "550 5.1.1 unknown"
    path = str(root / "spool")
    with Clock(now).shown() as clock:
        spool = DirectorySpool.create(path)
        make_drop_directory(path)
        parts = Parts(spool, path, world)
        try:
            if sweep_first:
                spool.sweep(clock.now)
            parts.scheduler.take_drops()
            for _ in range(4):
                parts.run(clock.now)
                clock.now += 2 * 3600.0
            spool.sweep(clock.now)
            parts.run(clock.now)
            held = {entry.queue_id for entry in spool.entries() if entry.held}
            assert held == {entry.queue_id for entry in spool.entries()}, "something is stuck"
            people, bounces = waiting(spool)
            broken = [place.name for place in Path(path, "broken").iterdir()]
            return Recovered(world, people | bounces, broken)
        finally:
            parts.close()


class Told:
    """What the marks say that lie before an instant."""

    def __init__(self, changes: Iterable[Change] = ()) -> None:
        self._by_kind: dict[str, set[str]] = {}
        for change in changes:
            if change.mark is not None:
                kind, addresses = change.mark
                self._by_kind.setdefault(kind, set()).update(addresses)

    def __getitem__(self, kind: str) -> set[str]:
        return self._by_kind.get(kind, set())


def complaints(told: Told, after: Recovered) -> list[str]:
    """Return in what the two sentences do not hold."""
    safe = told[TAKEN] | told[BOUNCED] | after.taken.keys() | after.bounced.keys() | after.waits
    lost = told[ANSWERED] - safe - told[REMOVING]
    found = [f"{who} is lost" for who in sorted(lost)]
    found += [f"{who} is sent what is not the message" for who in sorted(after.spoiled)]
    found += [f"{name} is put aside" for name in after.broken if is_queue_id(name)]
    for who, times in after.taken.items():
        if times > 1:
            found.append(f"{who} is sent to {times} times")
        if who in told[SETTLED] | told[REMOVED]:
            found.append(f"{who} is sent to again, though settled or removed")
        if who in told[HELD] - told[RELEASING]:
            found.append(f"{who} is sent to, though held")
    for who, times in after.bounced.items():
        allowed = 0 if who in told[BOUNCE_SETTLED] else 1 if who in told[SETTLED] else 2
        if times > allowed:
            found.append(f"{who} is bounced {times} times, {allowed} may be")
    for who in told[HELD] - told[RELEASING] - after.waits:
        found.append(f"{who} does not wait, though held")
    for who in told[RELEASED] & after.waits:
        found.append(f"{who} waits on, though released")
    return found
