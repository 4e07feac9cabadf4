"""Envelopes as values."""

from __future__ import annotations

from pysendmail.message.envelope import Envelope, Recipient

ALICE = Recipient(b"alice@x.test", [b"FAILURE", b"DELAY"], b"rfc822;alice@x.test")


def test_recipients_are_equal_by_value() -> None:
    again = Recipient(b"alice@x.test", (b"FAILURE", b"DELAY"), b"rfc822;alice@x.test")
    assert again == ALICE
    assert hash(again) == hash(ALICE)
    assert Recipient(b"alice@x.test") != ALICE
    assert ALICE != b"alice@x.test"
    assert "FAILURE" in repr(ALICE)


def test_envelopes_are_equal_by_value() -> None:
    one = Envelope(b"s@x", [ALICE], ret=b"FULL", envid=b"id")
    assert one == Envelope(b"s@x", (ALICE,), ret=b"FULL", envid=b"id")
    assert hash(one) == hash(Envelope(b"s@x", (ALICE,), ret=b"FULL", envid=b"id"))
    assert one != Envelope(b"s@x", (ALICE,), ret=b"FULL", envid=b"id", eight_bit=True)
    assert one != b"s@x"
    assert "s@x" in repr(one)


def test_envelope_for_other_recipients_keeps_all_else() -> None:
    bob = Recipient(b"bob@x")
    one = Envelope(b"s@x", [ALICE], ret=b"HDRS", envid=b"i", eight_bit=True, smtputf8=True)
    assert one.with_recipients([bob]) == Envelope(
        b"s@x", [bob], ret=b"HDRS", envid=b"i", eight_bit=True, smtputf8=True
    )
