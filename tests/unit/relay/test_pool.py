"""The pool with fake clients and a clock that stands still until told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from pysendmail.message.outcome import DEFERRED
from pysendmail.relay import pool as module
from pysendmail.relay.attempt import attempt
from pysendmail.relay.breaker import FIRST_PAUSE_S
from pysendmail.relay.offer import Away
from pysendmail.relay.policy import POLICY, Rule
from pysendmail.relay.pool import Pool
from pysendmail.relay.smarthost import Smarthost
from pysendmail.smtp import ConnectError, Extensions
from tests.helpers.waiting import wait_until
from tests.unit.relay.peers import Peer, session, smarthost
from tests.unit.smtp.streams import Clock
from tests.unit.spool.samples import envelope, message

PATIENCE_S = 20.0


class FakeClient:
    """What a pool asks of a client."""

    def __init__(self) -> None:
        self.broken = False
        self.extensions = Extensions()
        self.good = True
        self.logged_in = False
        self.said_quit = False
        self.closed = False

    def usable(self) -> bool:
        return self.good

    def quit(self) -> None:
        self.said_quit = True

    def close(self) -> None:
        self.closed = True


class House:
    """A pool over two smarthosts, and what it did."""

    def __init__(self, **options: float) -> None:
        self.clock = Clock()
        self.alpha, self.beta = smarthost("alpha"), smarthost("beta")
        self.opened: list[FakeClient] = []
        self.heard: list[tuple[Smarthost, Rule, bytes]] = []
        self.trouble: Exception | None = None
        self.greets = False  # the smarthost, in time for others to come along
        facts = {
            "connections": 8,
            "messages_per_connection": 100,
            "messages_per_minute": 0,
            "idle_timeout": 30.0,
            **options,
        }
        self.pool = Pool(
            (self.alpha, self.beta),
            self.open,
            lambda *facts: self.heard.append(facts),
            clock=self.clock,
            **facts,  # type: ignore[arg-type]
        )

    def open(
        self,
        smarthost: Smarthost,
        *,
        deadline: float | None,
        greeted: Callable[[], None],
        before_login: Callable[[], None],
    ) -> FakeClient:
        if self.trouble:
            raise self.trouble
        client = FakeClient()
        self.opened.append(client)
        if self.greets:
            greeted()
        before_login()
        client.logged_in = True
        return client

    def probe(self) -> FakeClient:
        """Fail, and begin to find out whether that is over: one is greeted again."""
        self.fail()
        self.greets = True
        self.clock.now += FIRST_PAUSE_S
        client, _warm = self.borrow()
        return client

    def open_beside(self) -> Future[FakeClient]:
        """Borrow one more beside the probe's: what the future waits for is that it may be used."""
        future: Future[FakeClient] = Future()

        def borrow() -> None:
            try:
                future.set_result(self.borrow(within=60.0)[0])
            except Away as away:
                future.set_exception(away)

        before = len(self.opened)
        threading.Thread(target=borrow, daemon=True).start()
        wait_until(lambda: len(self.opened) > before or future.done())
        return future

    def borrow(self, smarthost: Smarthost | None = None, *, within: float = 0.0):
        return self.pool.borrow(smarthost or self.alpha, self.clock.now + within)

    def deliver(self) -> FakeClient:
        client, _warm = self.borrow()
        self.end(client)
        return client

    def end(self, client: FakeClient) -> None:
        """Give back after a transaction with nothing amiss."""
        self.pool.give_back(self.alpha, client, 1)
        self.pool.answered(self.alpha)

    def fail(self, smarthost: Smarthost | None = None) -> None:
        self.pool.report(smarthost or self.alpha, POLICY["connection"], b"refused")


def test_session_is_kept_warm_for_the_next_message() -> None:
    house = House()
    client, warm = house.borrow()
    assert not warm
    house.pool.give_back(house.alpha, client, 1)
    assert house.borrow() == (client, True)
    assert len(house.opened) == 1


def test_each_smarthost_has_sessions_of_its_own() -> None:
    house = House()
    house.deliver()
    _client, warm = house.borrow(house.beta)
    assert not warm


def test_broken_session_is_closed_without_a_word() -> None:
    house = House()
    client, _ = house.borrow()
    client.broken = True
    house.pool.give_back(house.alpha, client, 1)
    assert client.closed
    assert not client.said_quit
    assert house.borrow() != (client, True)


def test_session_ends_politely_after_its_number_of_messages() -> None:
    house = House(messages_per_connection=2)
    client = house.deliver()
    assert not client.closed
    assert house.deliver() is client
    assert client.said_quit
    assert client.closed
    assert house.deliver() is not client


def test_idle_session_that_the_smarthost_ended_is_not_used() -> None:
    house = House()
    client = house.deliver()
    client.good = False
    fresh, warm = house.borrow()
    assert client.closed
    assert not warm
    assert fresh is not client


def test_sweep_ends_what_was_idle_too_long() -> None:
    house = House(idle_timeout=30.0)
    client = house.deliver()
    house.clock.now += 29.0
    house.pool.sweep()
    assert not client.closed
    house.clock.now += 1.0
    house.pool.sweep()
    assert client.said_quit
    assert client.closed
    assert house.borrow()[1] is False


def test_after_trouble_each_success_widens() -> None:
    house = House(connections=3)
    house.fail()
    house.pool.retry_now()
    house.deliver()
    clients = [house.borrow()[0] for _ in range(2)]
    with pytest.raises(Away, match="busy"):
        house.borrow()
    for client in clients:
        house.end(client)
    clients = [house.borrow()[0] for _ in range(3)]
    with pytest.raises(Away, match="busy"):
        house.borrow()


def test_who_waits_for_a_place_gets_the_one_that_comes_free() -> None:
    house = House(connections=1)
    first, _ = house.borrow()
    got: list[tuple[FakeClient, bool]] = []
    waiter = threading.Thread(target=lambda: got.append(house.pool.borrow(house.alpha, None)))
    waiter.start()
    house.pool.give_back(house.alpha, first, 1)
    waiter.join(PATIENCE_S)
    assert got == [(first, True)]


def test_who_waits_for_a_place_hears_when_the_smarthost_goes_away() -> None:
    house = House(connections=1)
    first, _ = house.borrow()
    heard: list[bytes] = []

    def wait() -> None:
        try:
            house.pool.borrow(house.alpha, None)
        except Away as away:
            heard.append(away.text)

    waiter = threading.Thread(target=wait)
    waiter.start()
    first.broken = True
    house.fail()
    waiter.join(PATIENCE_S)
    assert heard == [b"alpha:25 is away: refused"]
    house.pool.give_back(house.alpha, first, 1)


def test_trouble_is_heard_and_opens_the_breaker() -> None:
    house = House()
    house.fail()
    assert house.heard == [(house.alpha, POLICY["connection"], b"refused")]
    with pytest.raises(Away, match="refused"):
        house.borrow()
    house.borrow(house.beta)


def test_one_probe_at_a_time_when_the_pause_is_over() -> None:
    house = House()
    house.fail()
    house.clock.now += 5.0
    probe, _ = house.borrow()
    with pytest.raises(Away):
        house.borrow()
    house.end(probe)
    house.borrow()
    house.borrow()


def test_session_given_back_says_nothing_of_the_smarthost() -> None:
    house = House()
    house.fail()
    house.clock.now += 5.0
    probe, _ = house.borrow()
    house.pool.give_back(house.alpha, probe, 1)
    assert house.pool.states()[0][1:4] == (False, 0.0, b"refused")
    assert house.borrow() == (probe, True)


def test_delivery_from_before_the_trouble_does_not_end_the_probe() -> None:
    house = House()
    house.deliver()
    old, _ = house.borrow()
    house.fail()
    house.clock.now += 5.0
    probe, _ = house.borrow()
    house.pool.give_back(house.alpha, old, 1)
    with pytest.raises(Away, match="refused"):
        house.borrow()
    house.end(probe)
    house.borrow()


def test_sessions_opened_beside_the_probe_are_used_once_it_has_succeeded() -> None:
    house = House()
    house.probe()
    beside = [house.open_beside() for _ in range(6)]
    assert [client.logged_in for client in house.opened] == [True] + [False] * 6
    for used in (1, 3, 6):  # the probe's own is one of the 2, 4, 8 that may be used
        house.pool.answered(house.alpha)
        wait_until(lambda used=used: sum(one.done() for one in beside) == used)
    assert all(client.logged_in for client in house.opened)


def test_no_password_is_tried_beside_a_probe_that_fails() -> None:
    house = House()
    probe = house.probe()
    beside = [house.open_beside() for _ in range(3)]
    house.fail()
    for one in beside:
        with pytest.raises(Away, match="refused"):
            one.result(PATIENCE_S)
    house.pool.give_back(house.alpha, probe, 0)
    assert not any(client.logged_in for client in house.opened[1:])
    house.clock.now += 2 * FIRST_PAUSE_S
    house.borrow()


def test_nobody_comes_along_with_a_probe_that_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BESIDE_S", 0.0)
    house = House()
    house.probe()
    with pytest.raises(Away, match="refused"):
        house.open_beside().result(PATIENCE_S)
    with pytest.raises(Away):
        house.borrow()
    assert len(house.opened) == 2


def test_next_one_probes_when_the_probe_ends_without_a_verdict() -> None:
    house = House()
    probe = house.probe()
    beside = house.open_beside()
    house.pool.give_back(house.alpha, probe, 1)
    with pytest.raises(Away):
        beside.result(PATIENCE_S)
    _client, _warm = house.borrow()
    assert not house.pool.states()[0][1]
    house.pool.answered(house.alpha)
    assert house.pool.states()[0][1]


def test_trouble_of_a_session_beside_the_probe_is_nobodys_and_ends_no_other() -> None:
    house = House()
    house.probe()
    beside = house.open_beside()
    house.trouble = ConnectError("too many", ())
    with pytest.raises(Away, match="too many"):
        house.borrow()
    with pytest.raises(Away):  # and nobody else comes along
        house.borrow()
    assert not house.heard[1:]
    house.pool.answered(house.alpha)
    assert beside.result(PATIENCE_S).logged_in


def test_once_the_smarthost_works_sessions_beside_wait_for_their_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = House()
    house.probe()
    beside = [house.open_beside() for _ in range(3)]
    house.pool.answered(house.alpha)
    wait_until(lambda: any(one.done() for one in beside))
    house.clock.now += 2 * module.BESIDE_S
    house.pool.answered(house.alpha)
    assert all(one.result(PATIENCE_S).logged_in for one in beside)


def test_no_more_are_opened_beside_than_may_be_used() -> None:
    house = House(connections=3)
    house.probe()
    beside = [house.open_beside() for _ in range(2)]
    with pytest.raises(Away, match="busy"):
        house.borrow()
    for _ in range(2):
        house.pool.answered(house.alpha)
    assert all(one.result(PATIENCE_S).logged_in for one in beside)


def test_repeated_530_at_mail_doubles_the_pause() -> None:
    clock, alpha, pauses = Clock(), smarthost("alpha"), []
    pool = Pool(
        (alpha,),
        lambda smarthost, **_hooks: session(Peer({"MAIL": "530 5.7.0 log in"})),
        lambda *facts: None,
        connections=8,
        messages_per_connection=100,
        messages_per_minute=0,
        idle_timeout=1000.0,
        clock=clock,
    )
    for _ in range(4):
        result = attempt(envelope(), message(), [alpha], pool)
        assert result.tried
        pauses.append(pool.next_probe())
        clock.now += pauses[-1]
    pool.close()
    assert pauses == [5.0, 10.0, 20.0, 40.0]


def test_failed_opening_frees_its_place_and_goes_up() -> None:
    house = House(connections=1)
    house.trouble = ConnectError("alpha", ())
    with pytest.raises(ConnectError):
        house.borrow()
    house.trouble = None
    house.borrow()


def test_failed_probe_lets_the_next_one_wait_longer() -> None:
    house = House()
    house.fail()
    house.clock.now += 5.0
    house.trouble = ConnectError("alpha", ())
    with pytest.raises(ConnectError):
        house.borrow()
    house.fail()
    house.clock.now += 9.0
    with pytest.raises(Away):
        house.borrow()
    house.clock.now += 1.0
    house.trouble = None
    house.borrow()


def test_retry_now_probes_at_once() -> None:
    house = House()
    house.fail()
    house.pool.retry_now()
    house.borrow()


def test_admits_while_any_smarthost_would_be_tried() -> None:
    house = House()
    assert house.pool.admits()
    house.fail(house.alpha)
    assert house.pool.admits()
    house.fail(house.beta)
    assert not house.pool.admits()
    house.clock.now += 5.0
    assert house.pool.admits()


def test_next_probe_is_the_nearest() -> None:
    house = House()
    assert house.pool.next_probe() == 0.0
    house.fail(house.alpha)
    house.clock.now += 2.0
    house.fail(house.beta)
    assert house.pool.next_probe() == 3.0
    house.clock.now += 100.0
    assert house.pool.next_probe() == 0.0


def test_smarthost_that_has_answered_since_is_tried_without_a_pause() -> None:
    house = House()
    client, _ = house.borrow()
    house.fail()
    house.end(client)
    assert house.pool.admits()
    assert house.pool.next_probe() == 0.0


def test_pool_of_no_smarthost_admits_nothing_ever() -> None:
    pool = Pool(
        (),
        House().open,
        print,
        connections=1,
        messages_per_connection=1,
        messages_per_minute=0,
        idle_timeout=1.0,
    )
    assert not pool.admits()
    assert pool.next_probe() == float("inf")
    assert pool.states() == []


def test_states_tell_flow_trouble_and_warm_sessions() -> None:
    house = House()
    house.deliver()
    house.fail(house.beta)
    assert house.pool.states() == [
        (house.alpha, True, 0.0, b"", 1),
        (house.beta, False, 5.0, b"refused", 0),
    ]


def test_close_ends_the_idle_now_and_the_borrowed_later() -> None:
    house = House()
    house.deliver()
    idle, _ = house.borrow()
    borrowed, _ = house.borrow()
    house.pool.give_back(house.alpha, idle, 1)
    house.pool.close()
    assert idle.closed
    assert not borrowed.closed
    house.pool.give_back(house.alpha, borrowed, 1)
    assert borrowed.said_quit
    assert borrowed.closed


def test_many_threads_never_exceed_the_connections() -> None:
    house = House(connections=4)
    lock, busy, most = threading.Lock(), [0], [0]

    def work() -> None:
        for _ in range(25):
            client, _warm = house.pool.borrow(house.alpha, None)
            with lock:
                busy[0] += 1
                most[0] = max(most[0], busy[0])
            with lock:
                busy[0] -= 1
            house.pool.give_back(house.alpha, client, 1)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(12)]
    for thread in threads:
        thread.start()
    wait_until(lambda: not any(thread.is_alive() for thread in threads), what="the threads' end")
    assert most[0] <= 4


# --- the rate


def test_rate_that_is_reached_sends_nobody_waiting_and_opens_nothing() -> None:
    house = House(messages_per_minute=30)
    house.deliver()
    with pytest.raises(Away, match="alpha:25 has had its messages for now"):
        house.borrow(within=PATIENCE_S)
    assert len(house.opened) == 1
    assert house.pool.states()[0] == (house.alpha, True, 2.0, b"its rate is reached", 1)
    house.clock.now += 2.0
    house.deliver()


def test_each_smarthost_has_a_rate_of_its_own() -> None:
    house = House(messages_per_minute=30)
    house.deliver()
    assert house.pool.admits()
    house.borrow(house.beta)
    assert not house.pool.admits()
    assert house.pool.next_probe() == pytest.approx(2.0)
    house.clock.now += 2.0
    assert house.pool.admits()


def test_another_message_over_the_same_session_counts() -> None:
    house = House(messages_per_minute=180)
    house.borrow()
    assert [house.pool.another(house.alpha) for _ in range(4)] == [True, True, False, False]
    with pytest.raises(Away):
        house.borrow()


def test_next_probe_waits_for_breaker_and_rate() -> None:
    house = House(messages_per_minute=1)
    house.deliver()
    house.borrow(house.beta)
    house.fail(house.alpha)
    house.clock.now += 5.0
    assert house.pool.next_probe() == pytest.approx(55.0)


def test_session_that_has_gone_cold_costs_the_rate_nothing() -> None:
    house = House(messages_per_minute=120)
    house.deliver().good = False
    house.deliver()
    assert len(house.opened) == 2


def test_message_that_the_rate_has_no_room_for_is_not_tried() -> None:
    house = House(messages_per_minute=1)
    house.deliver()
    house.borrow(house.beta)
    result = attempt(envelope(), message(), [house.alpha, house.beta], house.pool)
    assert not result.tried
    assert {outcome.kind for outcome in result.outcomes} == {DEFERRED}
    assert house.heard == []
