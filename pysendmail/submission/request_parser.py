"""Requests read: what `request` formats, from a socket or a drop file that anybody may have made.

`parse_request` raises ValueError for everything that `format_request` could not have written, and
never anything else; a letter it does not know is an error too, since leaving out half of what
somebody asked for is worse than refusing it.
"""

from __future__ import annotations

from pysendmail.message.envelope import Recipient
from pysendmail.message.queue_id import is_queue_id
from pysendmail.submission.request import (
    BACKGROUND,
    BODY_TYPES,
    ERROR_MODES,
    FLAGS,
    INTERACTIVE,
    MAGIC,
    NOTIFY,
    NUMBERS,
    QUEUE,
    RETURNS,
    TEXT,
    Request,
)

ENVID_LIMIT = 100  # octets as xtext, RFC 3461 section 4.4
ORCPT_LIMIT = 500  # likewise, section 4.2
CHOICES = {
    "mode": (b"", INTERACTIVE, BACKGROUND, QUEUE),
    "error_mode": ERROR_MODES,
    "body_type": (b"", *BODY_TYPES),
    "ret": (b"", *RETURNS),
}


def split_head(head: bytes) -> tuple[bytes, list[bytes]]:
    """Return verb and records of a head that ends with its empty record; raises ValueError."""
    first, *records = head.split(b"\0")
    if not first.startswith(MAGIC):
        raise ValueError("not a request, or one of another version")
    if records[-2:] != [b"", b""]:
        raise ValueError("the head has no end")
    return first[len(MAGIC) :], records[:-2]


def parse_request(records: list[bytes]) -> Request:
    """Return the submission that the records ask for; raises ValueError."""
    facts: dict[str, object] = {}
    operands, notify = [], []
    recipients: list[Recipient] = []
    for record in records:
        letter, value = record[:1], record[1:]
        if letter == b"r":
            operands.append(value)
        elif letter == b"c":
            recipients.append(Recipient(value))
        elif letter == b"d" and recipients:
            recipients[-1].notify = parse_notify(value.split(b","))
        elif letter == b"o" and recipients:
            recipients[-1].orcpt = parse_orcpt(value)
        elif letter == b"N":
            notify.append(value)
        elif letter == b"i":
            facts["queue_id"] = parse_queue_id(value)
        elif letter == b"f":
            facts["sender"] = value
        elif letter in TEXT:
            facts[TEXT[letter]] = value
        elif letter in FLAGS:
            facts[FLAGS[letter]] = True
        elif letter in NUMBERS:
            facts[NUMBERS[letter]] = parse_number(value)
        else:
            raise ValueError(f"unknown record {letter!r}")
    for name, choices in CHOICES.items():
        if facts.get(name, choices[0]) not in choices:
            raise ValueError(f"{name} cannot be {facts[name]!r}")
    if "envid" in facts and not is_envid(facts["envid"]):
        raise ValueError(f"envid cannot be {facts['envid']!r}")
    if "queue_id" not in facts:
        raise ValueError("no queue id")
    return Request(
        operands=tuple(operands),
        recipients=tuple(recipients),
        notify=parse_notify(notify),
        **facts,  # type: ignore[arg-type]
    )


def parse_queue_id(value: bytes) -> str:
    """Return a queue id; raises ValueError."""
    queue_id = value.decode("ascii", "replace")
    if not is_queue_id(queue_id):
        raise ValueError("a queue id has 14 upper-case hexadecimal digits")
    return queue_id


def parse_notify(words: list[bytes]) -> tuple[bytes, ...]:
    """Return the words of NOTIFY (RFC 3461 section 4.1); raises ValueError."""
    for word in words:
        if word not in NOTIFY:
            raise ValueError(f"notify cannot be {word!r}")
    if len(set(words)) < len(words) or (b"NEVER" in words and len(words) > 1):
        raise ValueError("NOTIFY words are said once, and NEVER stands alone")
    return tuple(words)


def parse_orcpt(value: bytes) -> bytes:
    """Return an original recipient with its type (RFC 3461 section 4.2); raises ValueError."""
    kind, _, address = value.partition(b";")
    named = kind.replace(b"-", b"").isalnum()
    printable = bool(address) and all(32 <= byte <= 126 for byte in address)
    escapes = address.count(b"+") + address.count(b"=") + address.count(b" ")
    if not named or not printable or len(value) + 2 * escapes > ORCPT_LIMIT:
        raise ValueError(f"orcpt cannot be {value!r}")
    return value


def is_envid(value: object) -> bool:
    """Tell whether this is an envelope id: printable, not longer than RFC 3461 allows as xtext."""
    if not isinstance(value, bytes) or not value or not all(33 <= byte <= 126 for byte in value):
        return False
    return len(value) + 2 * (value.count(b"+") + value.count(b"=")) <= ENVID_LIMIT


def parse_number(value: bytes) -> int:
    """Return a number of at most 15 digits; raises ValueError."""
    if not value.isdigit() or len(value) > 15:
        raise ValueError("a number was expected")
    return int(value)
