"""Send a message to whom its own header names: the envelope is read off it.

For programs that compose mail; a mail system has its envelopes from elsewhere. The message stays
as it is, but for its `Bcc` and `Resent-Bcc` fields, which nobody must see. Parsing is left to the
standard library's `email`, loaded when it is needed.
"""

from __future__ import annotations

from .arguments import address_of
from .errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from email.message import EmailMessage, Message
    from typing import Any

    from .client import Client
    from .transaction import Recipient
    from .transcript import Transcript

_HIDDEN = (b"bcc", b"resent-bcc")


def sendmail(
    client: Client,
    message: bytes | Message,
    *,
    sender: bytes | None = None,
    recipients: Iterable[bytes | Recipient] | None = None,
    **options: Any,
) -> Transcript:
    """Hand over `message`: its octets, or an object of the package `email`.

    Without `sender` it is the one of `Sender`, else the only one of `From`, else the null sender;
    without `recipients` they are all of `To`, `Cc` and `Bcc`, each once. A message that was resent
    (RFC 5322 section 3.6.6) is for those of its `Resent-` fields only. `options` are those of
    `Transaction`.

    Raises `UsageError` when the header does not tell: several authors and no `Sender`, no
    recipient, resent more than once; besides that whatever `Client.transaction` raises.
    """
    octets = message if isinstance(message, bytes) else _octets_of(message, utf8=True)
    head, body = split_header(octets)
    if sender is None or recipients is None:
        header = _parse(head)
        prefix = _resent_prefix(header)
        sender = _sender_of(header, prefix) if sender is None else sender
        recipients = _recipients_of(header, prefix) if recipients is None else recipients
    recipients = tuple(recipients)
    smtputf8 = not all(address_of(who).isascii() for who in (sender, *recipients))
    if not (smtputf8 or isinstance(message, bytes)):
        head, body = split_header(_octets_of(message, utf8=False))
    content = without_hidden_fields(head) + body
    options.setdefault("smtputf8", smtputf8)
    options.setdefault("body", b"" if content.isascii() else b"8BITMIME")
    return client.transaction(sender, recipients, content, **options)


def split_header(octets: bytes) -> tuple[bytes, bytes]:
    """Return the header, its lines ended by CRLF, and the rest, from the empty line on.

    A line ends at its LF, with any CRs before that, and a CR elsewhere is a space, as on the wire
    (see `body`): the fields that we hide are then the fields that the recipients would see. RFC
    5322 section 2.1.
    """
    lines: list[bytes] = []
    position = 0
    while position < len(octets):
        end = octets.find(b"\n", position) + 1 or len(octets)
        line = octets[position:end].rstrip(b"\r\n")
        if not line:
            return b"".join(lines), b"\r\n" + octets[end:]
        lines.append(line.replace(b"\r", b" ") + b"\r\n")
        position = end
    return b"".join(lines), b""


def without_hidden_fields(head: bytes) -> bytes:
    """Return header lines without those of blind carbon copies."""
    kept = []
    hidden = False
    for line in head.splitlines(keepends=True):
        if line[:1] not in b" \t":
            hidden = line.partition(b":")[0].rstrip().lower() in _HIDDEN
        if not hidden:
            kept.append(line)
    return b"".join(kept)


def _octets_of(message: Message, *, utf8: bool) -> bytes:
    """Serialise a composed message; with `utf8` its header stays readable (RFC 6532)."""
    from email import policy

    return message.as_bytes(policy=policy.SMTPUTF8 if utf8 else policy.SMTP)


def _parse(head: bytes) -> EmailMessage:
    from email.parser import HeaderParser
    from email.policy import default

    return HeaderParser(policy=default).parsestr(head.decode("utf-8", "surrogateescape"))


def _resent_prefix(header: EmailMessage) -> str:
    """Return what the fields that count begin with."""
    blocks = max(len(header.get_all(name, [])) for name in ("Resent-Date", "Resent-From"))
    if blocks > 1:
        raise UsageError("the message was resent more than once: say who sends it, and to whom")
    return "Resent-" if blocks else ""


def _addresses_of(header: EmailMessage, names: Sequence[str]) -> list[bytes]:
    """Return the addresses in some fields, each once, quoted as RFC 5322 wants them."""
    found = {
        address.addr_spec.encode("utf-8", "surrogateescape"): None
        for name in names
        for field in header.get_all(name, [])
        for address in field.addresses
        if address.addr_spec not in ("", "<>")
    }
    return list(found)


def _sender_of(header: EmailMessage, prefix: str) -> bytes:
    for name in (prefix + "Sender", prefix + "From"):
        addresses = _addresses_of(header, [name])
        if len(addresses) > 1:
            raise UsageError(f"{name} names several: say who sends the message")
        if addresses:
            return addresses[0]
    return b""


def _recipients_of(header: EmailMessage, prefix: str) -> list[bytes]:
    recipients = _addresses_of(header, [prefix + name for name in ("To", "Cc", "Bcc")])
    if not recipients:
        raise UsageError("the header names no recipient")
    return recipients
