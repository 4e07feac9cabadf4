"""What people are told to do about an outcome."""

from __future__ import annotations

import pytest

from pysendmail.message.advice import advice_on
from pysendmail.message.outcome import DEFERRED, DELIVERED, FAILED, Outcome


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (b"5.1.1", b"Check the address"),
        (b"5.1.8", b"the sender's address"),
        (b"5.2.1", b"another way"),
        (b"5.2.2", b"full"),
        (b"5.2.3", b"too large"),
        (b"5.3.4", b"too large"),
        (b"5.3.5", b"`newaliases`"),
        (b"5.4.6", b"`newaliases`"),
        (b"4.4.7", b"Send it again"),
        (b"5.6.7", b"such letters"),
        (b"5.7.1", b"a rule"),
        (b"5.0.0", b"`pysendmail check`"),
    ],
)
def test_failure_has_advice_by_its_status(status: bytes, words: bytes) -> None:
    advice = advice_on(Outcome(b"a@b", FAILED, status, b"no"), b"host.test")
    assert words in advice
    assert b"%" not in advice


def test_aliases_are_not_blamed_for_what_a_server_says() -> None:
    advice = advice_on(Outcome(b"a@b", FAILED, b"5.4.6", b"554 loop", b"mx"), b"host.test")
    assert b"newaliases" not in advice
    assert b"The server that refused it" in advice


def test_delay_asks_for_nothing_and_names_the_administrators_tools() -> None:
    advice = advice_on(Outcome(b"a@b", DEFERRED, b"4.7.0", b"535 no"), b"host.test")
    assert advice.startswith(b"There is nothing for you to do.")
    assert b"administrator of host.test" in advice


def test_success_needs_no_advice() -> None:
    assert advice_on(Outcome(b"a@b", DELIVERED, b"2.0.0", b"250 ok"), b"host.test") == b""
