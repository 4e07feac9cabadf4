"""The race between an attempt and its caller's patience: nothing is lost, whoever is first."""

from __future__ import annotations

import threading

import pytest

from pysendmail.daemon.delivery import WaitedDelivery
from tests.unit.daemon.house import PATIENCE_S
from tests.unit.submission.samples import ended

RESULT = ended()


class Settled:
    """Keeps what was settled."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, object]] = []

    def __call__(self, claim: object, attempt: object) -> None:
        self.calls.append((claim, attempt))


def test_verdict_in_time_is_the_callers() -> None:
    settled = Settled()
    delivery = WaitedDelivery(lambda: RESULT, settled)
    delivery()
    assert delivery.wait(0)
    assert delivery.result() is RESULT
    assert settled.calls == []


def test_verdict_that_came_after_all_prevents_the_handing_over() -> None:
    delivery = WaitedDelivery(lambda: RESULT, Settled())
    delivery()
    assert not delivery.hand_over(lambda: pytest.fail("must not be entered"))
    assert delivery.result() is RESULT


def test_verdict_after_the_handing_over_settles_the_claim() -> None:
    settled = Settled()
    delivery = WaitedDelivery(lambda: RESULT, settled)
    assert not delivery.wait(0)
    assert delivery.hand_over(lambda: "claim")  # type: ignore[arg-type,return-value]
    delivery()
    assert settled.calls == [("claim", RESULT)]


def test_submission_that_was_known_leaves_nothing_to_settle() -> None:
    settled = Settled()
    delivery = WaitedDelivery(lambda: RESULT, settled)
    assert delivery.hand_over(lambda: None)
    delivery()
    assert settled.calls == []


def raising() -> None:
    raise ZeroDivisionError


def test_failure_in_time_is_raised_to_the_caller_and_the_worker() -> None:
    settled = Settled()
    delivery = WaitedDelivery(raising, settled)  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        delivery()
    assert delivery.wait(0)
    assert not delivery.hand_over(lambda: pytest.fail("must not be entered"))
    with pytest.raises(ZeroDivisionError):
        delivery.result()
    assert settled.calls == []


def test_failure_after_the_handing_over_gives_the_claim_back() -> None:
    settled = Settled()
    delivery = WaitedDelivery(raising, settled)  # type: ignore[arg-type]
    assert delivery.hand_over(lambda: "claim")  # type: ignore[arg-type,return-value]
    with pytest.raises(ZeroDivisionError):
        delivery()
    assert settled.calls == [("claim", None)]


def test_spool_that_takes_nothing_leaves_the_attempt_alone() -> None:
    settled = Settled()
    delivery = WaitedDelivery(lambda: RESULT, settled)
    with pytest.raises(OSError, match="full"):
        delivery.hand_over(lambda: (_ for _ in ()).throw(OSError("full")))
    delivery()
    assert settled.calls == []


def test_attempt_that_ends_while_the_message_is_being_entered_settles_it() -> None:
    settled = Settled()
    ended_attempt, entering = threading.Event(), threading.Event()

    def attempt():
        assert entering.wait(PATIENCE_S)
        ended_attempt.set()
        return RESULT

    def enter():
        entering.set()
        assert ended_attempt.wait(PATIENCE_S)  # the attempt is over, and cannot say so yet
        return "claim"

    delivery = WaitedDelivery(attempt, settled)
    worker = threading.Thread(target=delivery)
    worker.start()
    assert delivery.hand_over(enter)
    worker.join(PATIENCE_S)
    assert settled.calls == [("claim", RESULT)]


def test_both_at_once_settle_exactly_one_way() -> None:
    for _ in range(200):
        settled, entered = Settled(), []
        delivery = WaitedDelivery(lambda: RESULT, settled)
        worker = threading.Thread(target=delivery)
        worker.start()
        handed_over = delivery.hand_over(lambda entered=entered: entered.append(1) or "claim")
        worker.join(PATIENCE_S)
        assert len(entered) == len(settled.calls) == int(handed_over)
        assert handed_over or delivery.result() is RESULT
