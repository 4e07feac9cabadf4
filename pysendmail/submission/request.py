"""The request: what a caller of sendmail asks for, and its bytes on the socket and in a drop file.

A request is a head and the raw message. The head is a sequence of records, each ended by NUL: first
`pysendmail/1 submit`, then records of one letter and a value (the table below), then an empty
record. The message follows, `size` octets, just as it came from standard input
(docs/submission.md).

`request_parser` reads it; what only that needs is not here, since sendmail imports this.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pysendmail.message.envelope import Recipient

MAGIC = b"pysendmail/1 "
# The verbs: a message to be sent, something about the queue, how the daemon fares.
SUBMIT, ASK_QUEUE, ASK_STATUS = b"submit", b"queue", b"status"

# A head is mostly operands, bounded by what the kernel lets a process be started with.
HEAD_LIMIT = 4 * 1024 * 1024

# Delivery modes (-od) and error modes (-oe), by the letters that callers use.
INTERACTIVE, BACKGROUND, QUEUE = b"i", b"b", b"q"
MODES = {"interactive": INTERACTIVE, "background": BACKGROUND, "queue": QUEUE}  # as configured
NOTIFY = (b"NEVER", b"SUCCESS", b"FAILURE", b"DELAY")
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
TEXT = {
    b"F": "full_name", b"B": "body_type", b"R": "ret", b"V": "envid",
    b"m": "mode", b"e": "error_mode", b"L": "tag",
}  # fmt: skip
FLAGS = {b"t": "from_header", b"G": "gateway", b"n": "literal", b"v": "verbose"}
NUMBERS = {b"s": "size", b"h": "hops"}


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
    for letter, name in TEXT.items():
        if getattr(request, name):
            yield letter + getattr(request, name)
    for letter, name in FLAGS.items():
        if getattr(request, name):
            yield letter
    for letter, name in NUMBERS.items():
        yield b"%b%d" % (letter, getattr(request, name))
