"""Orders: whoever waits for one sleeps until it comes, from wherever it comes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from pysendmail.daemon.orders import Orders
from tests.unit.daemon.house import PATIENCE_S


@pytest.fixture
def orders() -> Iterator[Orders]:
    """Orders that hear signals, of which SIGUSR1 gives one."""
    orders = Orders()
    handler = signal.signal(signal.SIGUSR1, lambda *_: orders.put("signalled"))
    bell = signal.set_wakeup_fd(-1)
    orders.hear_signals()
    yield orders
    signal.set_wakeup_fd(bell)
    signal.signal(signal.SIGUSR1, handler)


def test_orders_are_obeyed_in_turn(orders: Orders) -> None:
    orders.put("one")
    orders.put("two")
    assert [orders.get(0), orders.get(0), orders.get(0)] == ["one", "two", None]


def test_order_of_another_thread_is_heard(orders: Orders) -> None:
    threading.Timer(0.01, orders.put, ["go"]).start()
    assert orders.get(PATIENCE_S) == "go"


def test_signal_that_another_thread_was_given_is_heard(orders: Orders) -> None:
    end = threading.Event()

    def send() -> None:
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        end.wait(PATIENCE_S)

    thread = threading.Thread(target=send)
    thread.start()
    assert orders.get(PATIENCE_S) == "signalled"
    end.set()
    thread.join()


def test_more_orders_than_a_pipe_holds_are_all_there(orders: Orders) -> None:
    for _ in range(100_000):
        orders.put("again")
    assert all(orders.get(0) == "again" for _ in range(100_000))
    assert orders.get(0) is None
