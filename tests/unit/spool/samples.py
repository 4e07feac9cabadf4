"""Messages, envelopes and outcomes for the tests of the spool."""

from __future__ import annotations

from pysendmail.message.content import Content
from pysendmail.message.envelope import Envelope, Recipient
from pysendmail.message.message import Message, MessageAtRest
from pysendmail.message.outcome import DEFERRED, DELIVERED, FAILED, Outcome

ALICE, BOB, CAROL = b"alice@example.com", b"bob@example.com", b"carol@example.net"
FIRST, SECOND, THIRD = "00000000000001", "00000000000002", "00000000000003"
BOUNCE = "0000000000000B"
TEXT = b"From: root@example.org\r\nSubject: report\r\n\r\nall is well\r\n"


def message(text: bytes = TEXT) -> Message:
    content = Content()
    content.write(text)
    return MessageAtRest(content)


def envelope(*recipients: bytes, sender: bytes = b"root@example.org") -> Envelope:
    return Envelope(sender, tuple(Recipient(address) for address in recipients or (ALICE, BOB)))


def octets(one: Message) -> bytes:
    return b"".join(one.chunks())


def delivered(recipient: bytes) -> Outcome:
    return Outcome(recipient, DELIVERED, b"2.0.0", b"250 2.0.0 queued", b"mx.example.com")


def deferred(recipient: bytes, text: bytes = b"450 4.2.0 later") -> Outcome:
    return Outcome(recipient, DEFERRED, b"4.2.0", text, b"mx.example.com")


def failed(recipient: bytes) -> Outcome:
    return Outcome(recipient, FAILED, b"5.1.1", b"550 5.1.1 unknown", b"mx.example.com")


def notice(queue_id: str = BOUNCE, next_attempt: float = 0.0):
    return queue_id, envelope(b"root@example.org", sender=b""), message(), next_attempt


def enter(spool, queue_id: str = FIRST, *recipients: bytes, **options):
    """Enter a sample that arrived at 1000 and is due at 1100, unless `options` say otherwise."""
    facts = {"arrived": 1000.0, "uid": 33, "next_attempt": 1100.0, **options}
    text = facts.pop("text", TEXT)
    sent = facts.pop("sent", None) or envelope(*recipients)
    return spool.enter(queue_id, sent, message(text), **facts)
