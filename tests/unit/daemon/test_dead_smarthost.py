"""Ten thousand entries and a smarthost that is dead for days, or finds us too fast: few questions,
and no loss.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from pysendmail.config.keys import DAY, HOUR
from pysendmail.relay.breaker import LONGEST_PAUSE_S
from pysendmail.relay.offer import Away
from pysendmail.smtp import ConnectError, Reply, TransientError
from tests.unit.daemon.house import FakeRelay, House
from tests.unit.relay.peers import OFFERS, Peer
from tests.unit.smtp.streams import Clock
from tests.unit.spool.samples import enter, octets

ENTRIES = 10_000
LIFETIME_S = 5.0 * DAY
UNDER_WAY = 10  # what may be on its way over one connection when the first answer comes


class Smarthost:
    """Refuses connections until it is `up`; counts those that were asked for."""

    def __init__(self) -> None:
        self.up = False
        self.connects = 0

    def __call__(self) -> Peer:
        self.connects += 1
        if not self.up:
            raise ConnectError("alpha", (("192.0.2.1:25", "refused"),))
        return Peer()


class AtOnce:
    """Workers that do each thing when it is given to them: what happens is done when it returns."""

    spare = 4
    pressed = False

    def put(self, delivery: Callable[[], None], *, urgent: bool = False) -> None:
        delivery()

    def failed(self, error: Exception) -> None:
        raise error


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time of the pool and of the day, which stands still until told."""
    clock = Clock()
    monkeypatch.setattr("time.time", clock)
    monkeypatch.setattr("time.monotonic", clock)
    monkeypatch.setattr("pysendmail.daemon.scheduler.SWEEP_SHARE", float("inf"))
    monkeypatch.setattr("pysendmail.daemon.scheduler.GIVE_WAY_S", 0)
    return clock


def fill_queue(house: House, clock: Clock, entries: int = ENTRIES) -> None:
    for number in range(entries):
        enter(
            house.spool,
            f"{number:014X}",
            b"%d@example.org" % number,
            arrived=clock.now,
            next_attempt=clock.now,
        )


def live_on(house: House, clock: Clock, seconds: float) -> None:
    """Keep house and look at the queue whenever a smarthost may be probed, for so long."""
    end = clock.now + seconds
    while clock.now < end:
        house.scheduler.keep_house()
        for thread in threading.enumerate():
            if thread.name == "sweep":
                thread.join()
        house.runs.fill()
        clock.now += max(house.relay.pool.next_probe(), 1.0)


def test_long_queue_costs_a_dead_smarthost_a_connection_in_five_minutes_and_no_entry(
    clock: Clock,
) -> None:
    smarthost = Smarthost()
    house = House(
        FakeRelay(make_peer=smarthost, clock=clock), lifetime=LIFETIME_S, delay_warning=0.0
    )
    house.state.workers = AtOnce()  # type: ignore[assignment]
    fill_queue(house, clock)

    live_on(house, clock, HOUR)
    assert smarthost.connects <= HOUR / LONGEST_PAUSE_S + 6  # the pauses that double up to it
    live_on(house, clock, LIFETIME_S - 2 * HOUR)
    assert smarthost.connects <= LIFETIME_S / LONGEST_PAUSE_S + 6

    entries = list(house.spool.entries())
    assert len(entries) == ENTRIES
    assert all(entry.envelope.sender for entry in entries)  # a bounce has none
    assert sum(entry.attempts for entry in entries) == smarthost.connects


def test_long_queue_comes_back_as_a_slope(clock: Clock) -> None:
    smarthost = Smarthost()
    house = House(FakeRelay(make_peer=smarthost, clock=clock), lifetime=LIFETIME_S)
    house.state.workers = AtOnce()  # type: ignore[assignment]
    fill_queue(house, clock)
    live_on(house, clock, HOUR)
    places: list[int] = []

    class Returning(Peer):
        """Counts, while it has its first messages in hand, how many others would be served."""

        def _answer(self, verb: str, address: str = "") -> str:
            if verb == "MAIL" and len(places) < 4:
                places.append(free_places(house))
            return super()._answer(verb, address)

    smarthost.up = True
    house.relay.peers.append(Returning(offers=("mx",)))
    live_on(house, clock, HOUR)
    # Beside its own: one, two, four, and that is `connections`. A message goes out before the
    # verdict on the one before it is looked at.
    assert places == [0, 1, 1, 3]
    assert house.spool.count() == 0
    assert sorted(house.relay.delivered) == sorted(
        [f"{number}@example.org"] for number in range(ENTRIES)
    )


THROTTLED = {
    "421 greeting": (TransientError(Reply(421, (b"4.7.0 too many connections",)), b""), {}),
    "421 to MAIL": (None, {"MAIL": "421 4.7.0 try again later"}),
    "450 to MAIL": (None, {"MAIL": "450 4.7.1 too much mail from you"}),
    "454 to the message": (None, {".": "454 Throttling failure: Maximum sending rate exceeded"}),
}


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "step by step"])
@pytest.mark.parametrize(("greeting", "answers"), THROTTLED.values(), ids=THROTTLED.keys())
def test_smarthost_that_finds_us_too_fast_is_asked_ever_less(
    clock: Clock, greeting: Exception | None, answers: dict[str, str], pipelining: bool
) -> None:
    connects, asked = [0], [0]

    class Throttling(Peer):
        def _answer(self, verb: str, address: str = "") -> str:
            asked[0] += verb == "MAIL"
            return super()._answer(verb, address)

    def throttle() -> Peer:
        connects[0] += 1
        if greeting:
            raise greeting
        return Throttling(answers, offers=OFFERS if pipelining else ("mx",))

    house = House(FakeRelay(make_peer=throttle, clock=clock), delay_warning=0.0)
    house.state.workers = AtOnce()  # type: ignore[assignment]
    fill_queue(house, clock, 500)
    probes = HOUR / LONGEST_PAUSE_S + 6
    live_on(house, clock, HOUR)
    assert connects[0] <= probes
    assert asked[0] <= probes + UNDER_WAY
    assert house.spool.count() == 500


def test_long_queue_goes_out_at_the_rate(clock: Clock) -> None:
    relay = FakeRelay(messages_per_minute=300, clock=clock)
    house = House(relay, delay_warning=0.0)
    house.state.workers = AtOnce()  # type: ignore[assignment]
    fill_queue(house, clock, 500)
    began = clock.now
    while house.spool.count():
        house.runs.fill()
        assert len(relay.delivered) <= 5 + (clock.now - began) * 5 + 1e-6
        clock.now += max(relay.pool.next_probe(), 0.05)
    assert clock.now - began == pytest.approx(500 / 5, rel=0.05)
    assert len(relay.delivered) == 500


def free_places(house: House) -> int:
    """Return how many sessions more the pool would lend now."""
    [alpha], pool = house.relay.smarthosts, house.relay.pool
    borrowed = []
    with pytest.raises(Away):
        while True:
            borrowed.append(pool.borrow(alpha, deadline=0.0)[0])
    for client in borrowed:
        pool.give_back(alpha, client, 0)
    return len(borrowed)


def test_what_merely_waits_is_late_and_fails_at_its_time_and_costs_no_connection(
    clock: Clock,
) -> None:
    smarthost = Smarthost()
    house = House(FakeRelay(make_peer=smarthost, clock=clock), lifetime=LIFETIME_S)
    house.state.workers = AtOnce()  # type: ignore[assignment]
    fill_queue(house, clock, 100)
    house.spool.change(f"{0:014X}", "hold")

    live_on(house, clock, 4 * HOUR)
    assert not any(entry.warned for entry in house.spool.entries())
    live_on(house, clock, 12 * 60)
    originals = [entry for entry in house.spool.entries() if entry.envelope.sender]
    assert [entry.queue_id for entry in originals if not entry.warned] == [f"{0:014X}"]
    assert house.spool.count() == 100 + 99

    live_on(house, clock, LIFETIME_S - 5 * HOUR)
    assert len([entry for entry in house.spool.entries() if entry.envelope.sender]) == 100
    live_on(house, clock, HOUR)
    [held] = [entry for entry in house.spool.entries() if entry.envelope.sender]
    assert held.held
    bounces = [octets(house.spool.open_message(entry.queue_id)) for entry in house.spool.entries()]
    assert sum(b"Subject: Undelivered mail" in bounce for bounce in bounces) == 99
    assert smarthost.connects <= LIFETIME_S / LONGEST_PAUSE_S + 10

    smarthost.up = True
    live_on(house, clock, HOUR)
    assert house.spool.count() == 1
    assert len(house.relay.delivered) == 2 * 99
