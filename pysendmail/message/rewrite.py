"""Rewriting of address fields: bare names are completed, From is set, and nothing else moves.

Only the octets of an address are replaced, in place; names, comments, folding and order stay. A
message with a DKIM signature is never touched: the signature is worth more than our improvements.
"""

from __future__ import annotations

from pysendmail.message.address import comparable, parse_list, qualify
from pysendmail.message.message import Field, format_field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pysendmail.message.address import Mailbox
    from pysendmail.message.lexer import Token
    from pysendmail.message.message import Message

ADDRESS_FIELDS = frozenset(
    prefix + name
    for prefix in (b"", b"resent-")
    for name in (b"from", b"to", b"cc", b"reply-to", b"sender")
)


def qualify_headers(message: Message, origin: bytes) -> Message:
    """Return the message with `@origin` behind every bare name in its address fields."""
    if is_signed(message.fields):
        return message
    return message.with_fields(
        [
            with_qualified(field, origin) if field.key in ADDRESS_FIELDS else field
            for field in message.fields
        ]
    )


def set_from(message: Message, address: bytes) -> Message:
    """Return the message with `address` in From, the display name kept.

    The author's own address goes into Reply-To when there is none, so that answers still find him.
    A message without From is left as it is.
    """
    author = message.find(b"From")
    if author is None or is_signed(message.fields):
        return message
    mailboxes, bad = parse_list(author.body)
    if [comparable(mailbox.address) for mailbox in mailboxes] == [comparable(address)]:
        return message
    if len(mailboxes) == 1 and not bad:
        changed = with_replaced(author, [(mailboxes[0], address)])
    else:
        changed = format_field(author.name, address)
    fields = [
        changed if field is author else field
        for field in message.fields
        if field is author or field.key != author.key  # a second From would undo the first
    ]
    reply_to = message.find(b"Reply-To")
    if mailboxes and (reply_to is None or not reply_to.value):
        authors = b",\r\n\t".join([mailbox.address for mailbox in mailboxes])
        fields = [field for field in fields if field is not reply_to]
        fields.insert(fields.index(changed) + 1, format_field(b"Reply-To", authors))
    return message.with_fields(fields)


def is_signed(fields: Iterable[Field]) -> bool:
    """Tell whether a signature among the fields covers header and body (RFC 6376)."""
    return any(field.key == b"dkim-signature" for field in fields)


def with_qualified(field: Field, origin: bytes) -> Field:
    """Return an address field without bare names."""
    mailboxes, _ = parse_list(field.body)
    bare = [(mailbox, qualify(mailbox, origin)) for mailbox in mailboxes if not mailbox.domain]
    return with_replaced(field, bare) if bare else field


def with_replaced(field: Field, replacements: Sequence[tuple[Mailbox | Token, bytes]]) -> Field:
    """Return the field with other octets where the mailboxes or tokens, in ascending order, are."""
    body = field.body
    pieces = []
    position = 0
    for old, new in replacements:
        pieces += [body[position : old.start], new]
        position = old.end
    return field.with_body(b"".join([*pieces, body[position:]]))
