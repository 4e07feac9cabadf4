"""What a debugger or a log shows of the values of a session."""

from __future__ import annotations

import pytest

from pysendmail.smtp import Recipient, Transaction, Transcript, Verdict
from pysendmail.smtp.phases import MAIL
from pysendmail.smtp.server import Transaction as ReceivedTransaction
from pysendmail.smtp.steps import Body, Chunk, Mark, Secret, Told


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Secret(b"AUTH PLAIN secret\r\n", shown=10), "Secret(b'AUTH PLAIN'...)"),
        (Body(b"secret\r\n"), "Body(8 octets)"),
        (Chunk(b"secret"), "Chunk(6 octets)"),
        (Mark(), "Mark(passed=False)"),
        (Told(5), "Told(5)"),
        (MAIL, "Phase('mail')"),
        (Recipient(b"b@y"), "Recipient(b'b@y')"),
        (Transaction(b"a@x", [b"b@y"], b"secret"), "Transaction(b'a@x', (Recipient(b'b@y'),))"),
        (
            Transcript(1),
            "Transcript(mail=None, recipients=[None], data=None, final=None)",
        ),
        (
            Verdict(Transaction(b"", [], b"secret"), Transcript(0), OSError("gone")),
            "Verdict(Transcript(mail=None, recipients=[], data=None, final=None), "
            "trouble=OSError('gone'))",
        ),
        (
            ReceivedTransaction(b"a@x"),
            "<Transaction from b'a@x' to [], 0 octets>",
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_value_is_shown_with_its_facts_and_without_secrets(value: object, shown: str) -> None:
    assert repr(value) == shown
    assert "secret" not in repr(value)
