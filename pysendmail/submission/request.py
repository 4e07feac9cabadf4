"""The request: what a caller of sendmail asks for, and its bytes on the socket and in a drop file.

A request is a head and the raw message. The head is a sequence of records, each ended by NUL: first
`pysendmail/1 submit`, then records of one letter and a value (the table below), then an empty
record. The message follows, `size` octets, just as it came from standard input
(docs/submission.md).

`parse_request` raises ValueError for everything that `format_request` could not have written, and
never anything else; a letter it does not know is an error too, since leaving out half of what
somebody asked for is worse than refusing it.
"""

from __future__ import annotations

from pysendmail.message.envelope import Recipient
from pysendmail.message.queue_id import is_queue_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"pysendmail/1 "
# The verbs: a message to be sent, something about the queue, how the daemon fares.
SUBMIT, ASK_QUEUE, ASK_STATUS = b"submit", b"queue", b"status"

# A head is mostly operands, bounded by what the kernel lets a process be started with.
HEAD_LIMIT = 4 * 1024 * 1024

# Delivery modes (-od) and error modes (-oe), by the letters that callers use.
INTERACTIVE, BACKGROUND, QUEUE = b"i", b"b", b"q"
MODES = {"interactive": INTERACTIVE, "background": BACKGROUND, "queue": QUEUE}  # as configured
NOTIFY = (b"NEVER", b"SUCCESS", b"FAILURE", b"DELAY")
ENVID_LIMIT = 100  # octets as xtext, RFC 3461 section 4.4
ORCPT_LIMIT = 500  # likewise, section 4.2
PRINT, MAIL_BACK, WRITE_BACK, QUIET, ALWAYS_OK = b"p", b"m", b"w", b"q", b"e"
ERROR_MODES = (PRINT, MAIL_BACK, WRITE_BACK, QUIET, ALWAYS_OK)
BY_MAIL = (MAIL_BACK, WRITE_BACK, ALWAYS_OK)  # a failure is told by a bounce
EIGHT_BIT = b"8BITMIME"
BODY_TYPES = (b"7BIT", EIGHT_BIT)
RETURNS = (b"FULL", b"HDRS")


class Request:
    """One submission as it was asked for; nothing in it is trusted.

    `sender` is None where -f was not given, b"" for the null sender. `operands` are the recipients
    of the command line, each an address list in header syntax; `recipients` those of RCPT, each one
    address with wishes of its own. `mode` is b"" where the configuration decides.
    """

    __slots__ = (
        "body_type", "envid", "error_mode", "from_header", "full_name", "gateway", "hops",
        "literal", "mode", "notify", "operands", "queue_id", "recipients", "ret", "sender", "size",
        "tag", "verbose",
    )  # fmt: skip

    def __init__(
        self,
        *,
        queue_id: str,
        size: int = 0,
        sender: bytes | None = None,
        operands: tuple[bytes, ...] = (),
        recipients: tuple[Recipient, ...] = (),
        from_header: bool = False,
        full_name: bytes = b"",
        body_type: bytes = b"",
        notify: tuple[bytes, ...] = (),
        ret: bytes = b"",
        envid: bytes = b"",
        gateway: bool = False,
        literal: bool = False,
        mode: bytes = b"",
        error_mode: bytes = PRINT,
        verbose: bool = False,
        hops: int = 0,
        tag: bytes = b"",
    ) -> None:
        self.queue_id = queue_id
        self.size = size
        self.sender = sender
        self.operands = operands
        self.recipients = recipients
        self.from_header = from_header
        self.full_name = full_name
        self.body_type = body_type
        self.notify = notify
        self.ret = ret
        self.envid = envid
        self.gateway = gateway
        self.literal = literal
        self.mode = mode
        self.error_mode = error_mode
        self.verbose = verbose
        self.hops = hops
        self.tag = tag

    def __repr__(self) -> str:
        facts = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"Request({facts})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Request) and repr(self) == repr(other)

    __hash__ = None  # type: ignore[assignment]


# Letter -> attribute, by what the value is. A record is written only where it says something.
_TEXT = {
    b"F": "full_name", b"B": "body_type", b"R": "ret", b"V": "envid",
    b"m": "mode", b"e": "error_mode", b"L": "tag",
}  # fmt: skip
_FLAGS = {b"t": "from_header", b"G": "gateway", b"n": "literal", b"v": "verbose"}
_NUMBERS = {b"s": "size", b"h": "hops"}
_CHOICES = {
    "mode": (b"", INTERACTIVE, BACKGROUND, QUEUE),
    "error_mode": ERROR_MODES,
    "body_type": (b"", *BODY_TYPES),
    "ret": (b"", *RETURNS),
}


def format_head(verb: bytes, records: Iterator[bytes] | list[bytes]) -> bytes:
    """Return the head of a request: the verb, the records and the empty record."""
    return b"\0".join([MAGIC + verb, *records, b"", b""])


def format_request(request: Request) -> bytes:
    """Return the head that asks for a submission; `request.size` octets of message must follow."""
    return format_head(SUBMIT, _records(request))


def _records(request: Request) -> Iterator[bytes]:
    yield b"i" + request.queue_id.encode()
    if request.sender is not None:
        yield b"f" + request.sender
    for operand in request.operands:
        yield b"r" + operand
    for recipient in request.recipients:
        yield b"c" + recipient.address
        if recipient.notify:
            yield b"d" + b",".join(recipient.notify)
        if recipient.orcpt:
            yield b"o" + recipient.orcpt
    for notify in request.notify:
        yield b"N" + notify
    for letter, name in _TEXT.items():
        if getattr(request, name):
            yield letter + getattr(request, name)
    for letter, name in _FLAGS.items():
        if getattr(request, name):
            yield letter
    for letter, name in _NUMBERS.items():
        yield b"%b%d" % (letter, getattr(request, name))


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
        elif letter in _TEXT:
            facts[_TEXT[letter]] = value
        elif letter in _FLAGS:
            facts[_FLAGS[letter]] = True
        elif letter in _NUMBERS:
            facts[_NUMBERS[letter]] = parse_number(value)
        else:
            raise ValueError(f"unknown record {letter!r}")
    for name, choices in _CHOICES.items():
        if facts.get(name, choices[0]) not in choices:
            raise ValueError(f"{name} cannot be {facts[name]!r}")
    if not is_envid(facts.get("envid", b"x")):
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
