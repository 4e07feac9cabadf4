"""The bytes of an entry: the one format, whatever the backend keeps them in.

    pysendmail-entry 1 HHHHHHHH MMMMMMMMMMMM CCCCCCCC LF    the first line, of fixed length
    {...} LF                                                the head: what was true on entering
    the message, canonical                                  never rewritten
    CCCCCCCC {...} LF                                       the journal: a record for each change

H and M are the lengths of head and message in octets, C a CRC-32, all in lower-case hex. The first
line's sum covers the line before it and the head; it stands for "this was written to the end by
us", not for secrecy. Records carry the new values of what changed; they are appended, one at a
time, each durable before the next. So a record that does not check ends the journal: it was being
written when the machine stopped, and what it said was not yet promised to anybody.

The head also has a CRC-32 of the message. It is looked at where the file says by its mode that it
was being entered when the machine stopped (`file`); there it tells a whole message from a torn one.

Head and records are JSON in ASCII. Octets are text in UTF-8, what is no UTF-8 as lone surrogates
(PEP 383), which makes every octet string come back as it was and addresses readable. Keys of newer
versions are kept. `parse_…` raise BrokenEntry and nothing else, whatever they are given.
"""

from __future__ import annotations

import json
import math
from binascii import crc32

from pysendmail.message.envelope import Envelope, Recipient
from pysendmail.message.outcome import DEFERRED, Outcome
from pysendmail.spool.entry import Entry
from pysendmail.spool.errors import BadQueueId, BrokenEntry, TornEntry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

VERSION = 1
_MAGIC = b"pysendmail-entry"
_FIRST_LINE = b"%s %d %08x %012x"
FIRST_LINE_LENGTH = len(_FIRST_LINE % (_MAGIC, VERSION, 0, 0)) + len(" 01234567\n")

# 65,536 recipients with their DSN options fit; a larger "length" is a broken first line.
_LONGEST_HEAD = 64 * 1024 * 1024

_MESSAGE_SUM = "message_sum"

# The facts a record may change, under their own names and as they are.
_PLAIN = ("attempts", "last_attempt", "next_attempt", "held", "warned")


class FirstLine:
    """Where things are in an entry: the head, the message, and the journal after it."""

    __slots__ = ("_sealed", "_sum", "head_end", "message_end")

    def __init__(self, head_end: int, message_end: int, sealed: bytes, checksum: int) -> None:
        self.head_end = head_end
        self.message_end = message_end
        self._sealed = sealed
        self._sum = checksum

    def check(self, head: bytes) -> None:
        """Raise TornEntry unless this is the head the line was written for."""
        if crc32(self._sealed + head) != self._sum:
            raise TornEntry("the checksum of the head does not agree")


def checksum(chunks: Iterable[bytes]) -> int:
    """Return the CRC-32 of a message."""
    value = 0
    for chunk in chunks:
        value = crc32(chunk, value)
    return value


def format_start(entry: Entry, message_sum: int) -> bytes:
    """Return everything before the message, whose `checksum` is `message_sum`: first line, head."""
    head = _format_json(
        {
            **entry.extra,
            _MESSAGE_SUM: message_sum,
            "queue_id": entry.queue_id,
            "arrived": entry.arrived,
            "uid": entry.uid,
            **_format_envelope(entry.envelope),
            **format_change(None, entry),
        }
    )
    sealed = _FIRST_LINE % (_MAGIC, VERSION, len(head), entry.size)
    return b"%s %08x\n%s" % (sealed, crc32(sealed + head), head)


def parse_first_line(line: bytes) -> FirstLine:
    """Read the first `FIRST_LINE_LENGTH` octets of an entry."""
    words = line[:FIRST_LINE_LENGTH].removesuffix(b"\n").split(b" ")
    if len(words) < 2 or words[0] != _MAGIC:
        raise TornEntry("not an entry of pysendmail")
    if words[1].isdigit() and words[1] != b"%d" % VERSION:
        raise BrokenEntry(f"entry format {words[1]!r}, this program knows {VERSION}")
    try:
        head_length, size, checksum = [int(word, 16) for word in words[2:]]
    except ValueError:
        raise TornEntry("the first line is torn") from None
    sealed = _FIRST_LINE % (_MAGIC, VERSION, head_length, size)
    # Formatted again it must be the same: int() is generous about signs, blanks and underscores.
    if line != b"%s %08x\n" % (sealed, checksum) or head_length > _LONGEST_HEAD:
        raise TornEntry("the first line is torn")
    head_end = FIRST_LINE_LENGTH + head_length
    return FirstLine(head_end, head_end + size, sealed, checksum)


def parse_entry(first_line: FirstLine, head: bytes, journal: bytes) -> tuple[Entry, int]:
    """Return the entry as head and journal tell, and the length of the journal that counts.

    Everything after that length is a torn record: to be cut off before the next one is written.
    """
    first_line.check(head)
    try:
        facts = _parse_head(head)
        end = _parse_journal(journal, facts)
        return Entry(**facts, size=first_line.message_end - first_line.head_end), end
    except _MALFORMED as error:
        raise BrokenEntry(f"head or journal is malformed: {error!r}") from error


def check_message(head: bytes, chunks: Iterable[bytes]) -> None:
    """Raise TornEntry unless this is the message that the head tells of.

    Older versions did not write its sum, nor the message before it was certain to be whole.
    """
    if _parse_json(head).get(_MESSAGE_SUM) not in (None, checksum(chunks)):
        raise TornEntry("the checksum of the message does not agree")


def format_record(old: Entry, new: Entry) -> bytes:
    """Return the journal record that turns `old` into `new`."""
    record = _format_json(format_change(old, new))
    return b"%08x %s" % (crc32(record), record)


def format_change(old: Entry | None, new: Entry) -> dict[str, Any]:
    """Return what is different in `new` (without `old`: all worth saying), as JSON has it."""
    change: dict[str, Any] = {
        name: getattr(new, name)
        for name in _PLAIN
        if old is None or getattr(new, name) != getattr(old, name)
    }
    waiting = {recipient.address for recipient in new.pending}
    before = new.envelope.recipients if old is None else old.pending
    crossed_off = {recipient.address for recipient in before} - waiting
    reasons = {} if old is None else old.reasons
    news = [outcome for who, outcome in new.reasons.items() if outcome != reasons.get(who)]
    if crossed_off:
        change["crossed_off"] = [
            place
            for place, recipient in enumerate(new.envelope.recipients)
            if recipient.address in crossed_off
        ]
    if news:
        change["reasons"] = [_format_outcome(outcome) for outcome in news]
    return change


def _parse_head(head: bytes) -> dict[str, Any]:
    """Return the arguments for an Entry as it was when it entered, but for its size."""
    said = _parse_json(head)
    said.pop(_MESSAGE_SUM, None)
    envelope = _parse_envelope(said)
    facts = {
        "queue_id": said.pop("queue_id"),
        "envelope": envelope,
        "arrived": _number(said.pop("arrived")),
        "uid": _whole(said.pop("uid")),
        "pending": envelope.recipients,
        "reasons": {},
        "extra": {},
    }
    _apply(said, facts)
    return facts


def _parse_journal(journal: bytes, facts: dict[str, Any]) -> int:
    """Apply the records to the arguments for an Entry; return the length of those that count."""
    end = 0
    while (line_end := journal.find(b"\n", end) + 1) > 0:
        checksum, _, record = journal[end:line_end].partition(b" ")
        if checksum != b"%08x" % crc32(record):
            break
        _apply(_parse_json(record), facts)
        end = line_end
    return end


def _apply(said: dict[str, Any], facts: dict[str, Any]) -> None:
    """Take what head or record say into the arguments for an Entry; the rest is `extra`."""
    for name, read in _READERS.items():
        if name in said:
            facts[name] = read(said.pop(name))
    places = said.pop("crossed_off", ())
    news = said.pop("reasons", ())
    if places:
        gone = {_recipient_at(place, facts["envelope"]).address for place in places}
        facts["pending"] = tuple([one for one in facts["pending"] if one.address not in gone])
    if places or news:
        waiting = {one.address for one in facts["pending"]}
        latest = {outcome.recipient: outcome for outcome in _parse_outcomes(news)}
        known = {**facts["reasons"], **latest}
        facts["reasons"] = {who: reason for who, reason in known.items() if who in waiting}
    if said:
        _format_json(said)  # or it could not be written again: 1e999, or nested very deep
        facts["extra"].update(said)


def _recipient_at(place: object, envelope: Envelope) -> Recipient:
    if not 0 <= _whole(place) < len(envelope.recipients):
        raise ValueError("a recipient that is not in the envelope")
    return envelope.recipients[_whole(place)]


def _format_envelope(envelope: Envelope) -> dict[str, Any]:
    """Options that nobody asked for are not mentioned."""
    options = {
        "ret": _text(envelope.ret),
        "envid": _text(envelope.envid),
        "eight_bit": envelope.eight_bit,
        "smtputf8": envelope.smtputf8,
    }
    return {
        "sender": _text(envelope.sender),
        "recipients": [_format_recipient(recipient) for recipient in envelope.recipients],
        **{name: value for name, value in options.items() if value},
    }


def _parse_envelope(facts: dict[str, Any]) -> Envelope:
    """Take the envelope's keys out of `facts`."""
    return Envelope(
        _octets(facts.pop("sender")),
        [_parse_recipient(recipient) for recipient in facts.pop("recipients")],
        ret=_octets(facts.pop("ret", "")),
        envid=_octets(facts.pop("envid", "")),
        eight_bit=bool(facts.pop("eight_bit", False)),
        smtputf8=bool(facts.pop("smtputf8", False)),
    )


def _format_recipient(recipient: Recipient) -> dict[str, Any]:
    options: dict[str, Any] = {
        "notify": [_text(word) for word in recipient.notify],
        "orcpt": _text(recipient.orcpt),
    }
    return {
        "address": _text(recipient.address),
        **{name: value for name, value in options.items() if value},
    }


def _parse_recipient(facts: dict[str, Any]) -> Recipient:
    return Recipient(
        _octets(facts["address"]),
        notify=[_octets(word) for word in facts.get("notify", ())],
        orcpt=_octets(facts.get("orcpt", "")),
    )


def _format_outcome(outcome: Outcome) -> dict[str, Any]:
    """Only deferrals wait, so the kind goes without saying."""
    return {
        "recipient": _text(outcome.recipient),
        "status": _text(outcome.status),
        "text": _text(outcome.text),
        "remote": _text(outcome.remote),
        **({"maybe_duplicate": True} if outcome.maybe_duplicate else {}),
    }


def _parse_outcomes(items: Iterable[dict[str, Any]]) -> list[Outcome]:
    return [
        Outcome(
            _octets(facts["recipient"]),
            DEFERRED,
            _octets(facts["status"]),
            _octets(facts["text"]),
            _octets(facts["remote"]),
            maybe_duplicate=bool(facts.get("maybe_duplicate", False)),
        )
        for facts in items
    ]


def _format_json(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def _parse_json(text: bytes) -> dict[str, Any]:
    try:
        facts, end = _DECODER.raw_decode(str(text, "ascii"))
    except (ValueError, RecursionError) as error:
        raise BrokenEntry(f"not JSON: {error}") from error
    if not isinstance(facts, dict) or text[end:] != b"\n":
        raise BrokenEntry("not a JSON object in a line")
    return facts


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")  # NaN, Infinity


_DECODER = json.JSONDecoder(parse_constant=_no_number)


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _number(value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{value!r} is no whole number")
    return value


def _time_or_none(value: object) -> float | None:
    return None if value is None else _number(value)


# What foreign facts under our names make the readers above raise.
_MALFORMED = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    RecursionError,
    BadQueueId,
)

_READERS: dict[str, Callable[[object], Any]] = {
    "attempts": _whole,
    "last_attempt": _time_or_none,
    "next_attempt": _number,
    "held": bool,
    "warned": bool,
}
