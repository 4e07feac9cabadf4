"""How the queue is shown: mailq's text, and JSON for programs.

The text is Postfix's, with the widths of its long queue ids, since that is what every script reads
(monitoring's `Kbytes in N Request`, `grep -c '^[A-F0-9]'`): only a line that begins an entry may
start with a hexadecimal digit. The line with `Total requests` is for those who take us for
Sendmail.
"""

from __future__ import annotations

import json
import time

from pysendmail.message.outcome import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pysendmail.spool.entry import Entry

EMPTY = b"Mail queue is empty"
HEADER = b"----Queue ID----- --Size-- ---Arrival Time---- -Sender/Recipient-------"
RECIPIENT_COLUMN = 47
REASON_COLUMN = 78  # where a reason ends
HELD, ACTIVE = b"!", b"*"


def format_entry(entry: Entry, *, active: bool) -> Iterator[bytes]:
    """Yield the lines of one entry: the entry, each reason before its recipients, an empty line."""
    flag = HELD if entry.held else ACTIVE if active else b""
    arrived = time.strftime("%a %b %d %H:%M:%S", time.localtime(entry.arrived)).encode()
    sender = printable(entry.envelope.sender) or b"MAILER-DAEMON"
    yield b"%-17b %8d %19b %b" % (entry.queue_id.encode() + flag, entry.size, arrived, sender)
    reason = None
    for recipient in entry.pending:
        outcome = entry.reasons.get(recipient.address)
        text = reason_line(outcome.remote, outcome.text) if outcome else b""
        if text and text != reason:
            yield text.rjust(REASON_COLUMN)
        reason = text
        yield b" " * RECIPIENT_COLUMN + printable(recipient.address)
    yield b""


def reason_line(remote: bytes, text: bytes) -> bytes:
    """Return why a recipient waits, in parentheses, so that no reason looks like an entry."""
    said = b"%b said: %b" % (remote, text) if remote else text
    return b"(%b)" % printable(said)


def format_total(count: int, size: int) -> Iterator[bytes]:
    """Yield the last lines, over all entries whether they were shown or not."""
    if not count:
        yield EMPTY
        return
    yield b"                Total requests: %d" % count
    plural = b"" if count == 1 else b"s"
    yield b"-- %d Kbytes in %d Request%b." % ((size + 1023) // 1024, count, plural)


def format_json(entry: Entry, *, active: bool) -> bytes:
    """Return one entry as a JSON object on one line; times are epoch seconds, sizes octets."""
    waiting = []
    for recipient in entry.pending:
        outcome = entry.reasons.get(recipient.address)
        facts: dict[str, object] = {"recipient": text_of(recipient.address)}
        if outcome:
            facts |= {
                "status": text_of(outcome.status),
                "reason": text_of(outcome.text),
                "smarthost": text_of(outcome.remote),
                "may_be_duplicate": outcome.maybe_duplicate,
            }
        waiting.append(facts)
    record = {
        "queue_id": entry.queue_id,
        "state": "held" if entry.held else "active" if active else "waiting",
        "sender": text_of(entry.envelope.sender),
        "recipients": waiting,
        "size": entry.size,
        "arrived": entry.arrived,
        "attempts": entry.attempts,
        "last_attempt": entry.last_attempt,
        "next_attempt": entry.next_attempt,
        "uid": entry.uid,
    }
    return json.dumps(record).encode()


def text_of(data: bytes) -> str:
    """Return bytes as the text that JSON needs."""
    return data.decode("utf-8", "backslashreplace")
