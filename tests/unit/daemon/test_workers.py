"""The workers: urgent first, never more than so many, and nothing stops the others."""

from __future__ import annotations

import threading

from pysendmail.daemon.workers import Workers
from tests.helpers.waiting import wait_until
from tests.unit.daemon.house import PATIENCE_S


class Blocking:
    """A delivery that runs until it is let go."""

    def __init__(self) -> None:
        self.began, self.go = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.began.set()
        assert self.go.wait(PATIENCE_S)


def make(most: int = 1) -> tuple[Workers, list[Exception]]:
    errors: list[Exception] = []
    return Workers(most, errors.append), errors


def test_urgent_deliveries_come_first() -> None:
    workers, _ = make()
    blocking, done = Blocking(), list[str]()
    workers.put(blocking)
    assert blocking.began.wait(PATIENCE_S)
    workers.put(lambda: done.append("waiting"))
    workers.put(lambda: done.append("urgent"), caller=0)
    blocking.go.set()
    wait_until(lambda: len(done) == 2)
    assert done == ["urgent", "waiting"]
    assert workers.close(PATIENCE_S)


def test_callers_come_in_turns() -> None:
    workers, _ = make()
    blocking, done = Blocking(), list[str]()
    workers.put(blocking)
    assert blocking.began.wait(PATIENCE_S)
    for number in range(3):
        workers.put(lambda number=number: done.append(f"alice {number}"), caller=1000)
    workers.put(lambda: done.append("bob"), caller=1001)
    blocking.go.set()
    wait_until(lambda: len(done) == 4)
    assert done == ["alice 0", "bob", "alice 1", "alice 2"]
    assert workers.close(PATIENCE_S)


def test_delivery_that_raises_is_reported_and_the_thread_goes_on() -> None:
    workers, errors = make()
    done: list[int] = []
    workers.put(lambda: done.append(1 // 0))
    workers.put(lambda: done.append(1))
    wait_until(lambda: done)
    assert [type(error) for error in errors] == [ZeroDivisionError]
    assert workers.close(PATIENCE_S)


def test_no_more_threads_than_allowed_and_spare_tells_how_many() -> None:
    workers, _ = make(3)
    assert workers.spare == 3
    deliveries = [Blocking() for _ in range(5)]
    for delivery in deliveries:
        workers.put(delivery)
    wait_until(lambda: sum(delivery.began.is_set() for delivery in deliveries) == 3)
    assert workers.spare == 0
    for delivery in deliveries:
        delivery.go.set()
    wait_until(lambda: workers.spare == 3)
    assert workers.close(PATIENCE_S)


def test_idle_thread_is_used_again() -> None:
    workers, _ = make(4)
    names: list[str] = []
    for count in range(1, 4):
        workers.put(lambda: names.append(threading.current_thread().name))
        wait_until(lambda count=count: len(names) == count and workers.spare == 4)
    assert workers.close(PATIENCE_S)


def test_delivery_that_has_not_begun_can_be_withdrawn() -> None:
    workers, _ = make()
    blocking, done = Blocking(), list[int]()
    workers.put(blocking)
    assert blocking.began.wait(PATIENCE_S)

    def late() -> None:
        done.append(1)

    workers.put(late, caller=0)
    assert workers.withdraw(late)
    assert not workers.withdraw(late)
    assert not workers.withdraw(blocking)
    blocking.go.set()
    assert workers.close(PATIENCE_S)
    assert done == []


def test_close_does_not_wait_beyond_its_patience() -> None:
    workers, _ = make()
    blocking = Blocking()
    workers.put(blocking)
    assert blocking.began.wait(PATIENCE_S)
    assert not workers.close(0.01)
    blocking.go.set()


def test_nothing_begins_after_close() -> None:
    workers, _ = make()
    assert workers.close(PATIENCE_S)
    late = Blocking()
    workers.put(late, caller=0)
    assert workers.withdraw(late)
    assert not late.began.is_set()
