"""Who a submission is from, by what was asked for and by the configured rules (message.senders)."""

from __future__ import annotations

from pysendmail.config.providers import FOREIGN
from pysendmail.message.address import AddressError, parse_mailbox, qualify
from pysendmail.message.outcome import printable
from pysendmail.message.senders import Senders
from pysendmail.submission.exit_status import EX_USAGE, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pysendmail.config.keys import Config
    from pysendmail.message.address import Mailbox
    from pysendmail.submission.request import Request
    from pysendmail.submission.submitter import Submitter

MAILER_DAEMON = b"MAILER-DAEMON"


class Sender:
    """Who a submission is from; all addresses are qualified.

    `asked` is the envelope sender that was asked for, `envelope` the one it goes out under, both
    b"" for the null sender. `author` is the address for a message without From, and `author_for`
    gives the one for an address in From.
    """

    __slots__ = ("asked", "author", "author_for", "envelope")

    def __init__(
        self, asked: bytes, envelope: bytes, author: bytes, author_for: Callable[[bytes], bytes]
    ) -> None:
        self.asked = asked
        self.envelope = envelope
        self.author = author
        self.author_for = author_for

    def __repr__(self) -> str:
        return f"Sender({self.asked!r}, {self.envelope!r}, {self.author!r}, …)"


def find_sender(request: Request, submitter: Submitter, config: Config) -> Sender:
    """Return who the submission is from: what -f says, else the submitter; raises Refused.

    The null sender stays in any case: it marks a bounce, and a bounce must not be answered.
    """
    rules = senders_of(config, submitter.login, submitter.uid)
    if is_null_sender(request):
        author = rules.author_for(qualified(MAILER_DAEMON, config.origin))
        return Sender(b"", b"", author, rules.author_for)
    mailbox = parse_sender(request)
    asked = rules.own if mailbox is None else qualify(mailbox, config.origin)
    envelope, author = rules.sender_for(asked), rules.author_for(asked)
    if author == asked:
        author = envelope  # no rule of its own for the header
    return Sender(asked, envelope, author, rules.author_for)


def parse_sender(request: Request) -> Mailbox | None:
    """Return the sender of -f, None for the null sender or none given; raises Refused."""
    if request.sender is None or is_null_sender(request):
        return None
    try:
        return parse_mailbox(request.sender.strip())
    except AddressError as error:
        raise Refused(EX_USAGE, b"-f: %b" % printable(str(error).encode())) from error


def is_null_sender(request: Request) -> bool:
    """Tell whether -f has asked for the null sender."""
    return request.sender is not None and request.sender.strip() in (b"", b"<>")


def senders_of(config: Config, login: bytes, uid: int | None = None) -> Senders:
    """Return the configured rules for a submitter; `login` can stand in an address."""
    origin = config.origin
    identities = {}
    for entry in config.identities:
        name, _, address = entry.encode("utf-8", "surrogateescape").partition(b": ")
        name = name if name.startswith(b"@") else qualified(name, origin)
        identities[name] = qualified(address, origin)
    return Senders(
        qualified(login, origin),
        origin=origin,
        by_uid=b"" if uid is None else b"%d@%b" % (uid, origin),
        sender=qualified(config.sender, origin),
        author=qualified(config.from_, origin),
        identities=identities,
        rewrite=config.rewrite != "",
        only_foreign=config.rewrite == FOREIGN,
    )


def qualified(address: bytes, origin: bytes) -> bytes:
    """Return a configured address with a domain, b"" for none."""
    return qualify(parse_mailbox(address), origin) if address else b""
