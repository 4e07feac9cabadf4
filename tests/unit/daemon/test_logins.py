"""Logins at the SMTP listener: what is right, and how fast anybody may guess."""

from __future__ import annotations

import pytest

from pysendmail.daemon import logins
from pysendmail.daemon.logins import WINDOW_S, WRONG_LIMIT, WRONG_S, Logins, machine_of


@pytest.mark.parametrize("password", [None, b"secret"])
def test_user_without_password_lets_nobody_in(password: bytes | None) -> None:
    known = Logins(b"me", password)
    assert not known.is_right(b"me", b"")
    assert not known.is_right(b"", b"secret")
    assert known.is_right(b"me", b"secret") == (password is not None)


def test_wrong_logins_from_this_machine_are_answered_one_after_the_other() -> None:
    known = Logins(b"me", b"secret")
    addresses = ("127.0.0.1", "::1", "127.0.0.2", "::ffff:127.0.0.1")
    waits = [known.note_wrong(address, 100.0) for address in addresses]
    assert waits == [WRONG_S, 2 * WRONG_S, 3 * WRONG_S, 4 * WRONG_S]
    assert known.note_wrong("127.0.0.1", 200.0) == WRONG_S
    assert not known.barred("127.0.0.1", 200.0)


def test_machine_that_guesses_is_barred_for_a_while_and_no_other_is() -> None:
    known = Logins(b"me", b"secret")
    for count in range(WRONG_LIMIT):
        assert not known.barred("192.0.2.1", 100.0 + count)
        assert known.note_wrong("192.0.2.1", 100.0 + count) == WRONG_S
    assert known.barred("192.0.2.1", 99.0 + WINDOW_S)
    assert not known.barred("192.0.2.2", 99.0 + WINDOW_S)
    assert not known.barred("192.0.2.1", 100.0 + WINDOW_S)


def test_addresses_of_one_network_of_ipv6_are_one_machine() -> None:
    assert machine_of("2001:db8::1") == machine_of("2001:db8::ffff:1") != machine_of("2001:db9::1")
    assert machine_of("fe80::1%eth0") == machine_of("fe80::2")
    assert machine_of("::ffff:192.0.2.1") != machine_of("::ffff:192.0.2.2")


def test_machines_remembered_are_bounded_and_the_quiet_ones_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logins, "MACHINES_LIMIT", 2)
    monkeypatch.setattr(logins, "WRONG_LIMIT", 1)
    known = Logins(b"me", b"secret")
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3"):
        known.note_wrong(address, 100.0)
    assert known.barred("192.0.2.1", 100.0)
    assert not known.barred("192.0.2.2", 100.0)
    assert known.barred("192.0.2.3", 100.0)
