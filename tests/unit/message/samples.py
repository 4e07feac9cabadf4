"""Messages as the house has them, for the tests of this package."""

from __future__ import annotations

from pysendmail.message.content import Content
from pysendmail.message.intake import read_message
from pysendmail.message.message import Message


def taken(text: bytes) -> Message:
    """Return a message as it is after the intake."""
    return read_message([text], limit=1 << 30, content=Content)
