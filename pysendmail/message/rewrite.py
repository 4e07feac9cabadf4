"""Rewriting of address fields: bare names are completed, authors replaced, and nothing else moves.

Only the octets of an address are replaced, in place; names, folding and order stay. A
message with a DKIM signature is never touched: the signature is worth more than our improvements.
"""

from __future__ import annotations

from pysendmail.message.address import comparable, parse_list, qualify
from pysendmail.message.message import HEADER_LIMIT, Field, format_field
from pysendmail.message.phrase import format_phrase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pysendmail.message.address import Mailbox
    from pysendmail.message.lexer import Token
    from pysendmail.message.message import Message

ADDRESS_FIELDS = frozenset(
    prefix + name
    for prefix in (b"", b"resent-")
    for name in (b"from", b"to", b"cc", b"reply-to", b"sender")
)

AUTHOR_FIELDS = frozenset((b"from", b"resent-from"))
SENDER_FIELDS = frozenset((b"sender", b"resent-sender"))


# Half of what is read as a header; the rest is left for the fields that are added.
QUALIFIED_LIMIT = HEADER_LIMIT // 2


def qualify_headers(message: Message, origin: bytes) -> Message:
    """Return the message with `@origin` behind every bare name in its address fields.

    They stay bare in a field of so many that the header could not be read again.
    """
    if is_signed(message.fields):
        return message
    room = QUALIFIED_LIMIT - sum(len(field.raw) for field in message.fields)
    fields = list(message.fields)
    for place, field in enumerate(fields):
        if field.key in ADDRESS_FIELDS:
            new = with_qualified(field, origin)
            growth = len(new.raw) - len(field.raw)
            if growth <= room:
                fields[place] = new
                room -= growth
    return message.with_fields(fields)


def set_authors(
    message: Message, author_for: Callable[[bytes], bytes], *, reply_to: bool = True
) -> Message:
    """Return the message with the address in From (and Resent-From) that `author_for` gives for it.

    The display name is kept. The author's own address goes into Reply-To when there is none, so
    that answers still find him, unless `reply_to` says no. A Sender who would have to be replaced
    is left out: who sends is in From. A message without From is left as it is.
    """
    if is_signed(message.fields):
        return message
    changed: dict[bytes, Field] = {}
    fields = []
    for field in message.fields:
        new = field
        if field.key in AUTHOR_FIELDS or field.key in SENDER_FIELDS:
            new = with_author(field, author_for)
        if new is not field:
            changed.setdefault(field.key, field)
        if new is field or field.key in AUTHOR_FIELDS:
            fields.append(new)
    fields = list(first_of_each(fields, frozenset(changed)))  # a second From would undo the first
    if reply_to and b"from" in changed:
        fields = with_reply_to(fields, changed[b"from"])
    return message.with_fields(fields) if changed else message


def would_change(message: Message, author_for: Callable[[bytes], bytes]) -> bool:
    """Tell whether a field names somebody who would have to be replaced, signed or not."""
    return any(
        with_author(field, author_for) is not field
        for field in message.fields
        if field.key in AUTHOR_FIELDS or field.key in SENDER_FIELDS
    )


def first_of_each(fields: Iterable[Field], keys: frozenset[bytes]) -> Iterator[Field]:
    """Yield the fields, of those with one of the keys only the first that says something."""
    seen = set()
    for field in fields:
        if field.key not in keys:
            yield field
        elif field.value and field.key not in seen:
            seen.add(field.key)
            yield field


def with_author(field: Field, author_for: Callable[[bytes], bytes]) -> Field:
    """Return the field with the address that `author_for` gives, itself where that is the same.

    For several authors one address stands, the first's. An old `root (Cron Daemon)` becomes
    `Cron Daemon <…>`: not every server that looks so closely at From reads the old form.
    """
    mailboxes, bad = parse_list(field.body)
    given = [mailbox.address for mailbox in mailboxes] or [b""]
    wanted = [author_for(address) for address in given]
    if not field.value or list(map(comparable, wanted)) == list(map(comparable, given)):
        return field
    if len(mailboxes) != 1 or bad:
        return format_field(field.name, wanted[0])
    if name := name_in_comment(field.body, mailboxes[0]):
        return format_field(field.name, b"%b <%b>" % (name, wanted[0]))
    return with_replaced(field, [(mailboxes[0], wanted[0])])


def name_in_comment(body: bytes, mailbox: Mailbox) -> bytes:
    """Return, as a phrase, the comment that is all there is beside the one address, or b""."""
    before, comment = body[: mailbox.start].strip(), body[mailbox.end :].strip()
    name = comment[1:-1]
    if before or comment[:1] + comment[-1:] != b"()" or any(mark in name for mark in b"()\\"):
        return b""
    return format_phrase(name)


def with_reply_to(fields: list[Field], author: Field) -> list[Field]:
    """Return the fields with the addresses of `author` in Reply-To, where no other is."""
    addresses = [mailbox.address for mailbox in parse_list(author.body)[0]]
    if not addresses or any(field.key == b"reply-to" and field.value for field in fields):
        return fields
    reply_to = format_field(b"Reply-To", b",\r\n\t".join(addresses))
    rest = [field for field in fields if field.key != reply_to.key]  # there may be empty ones
    place = [field.key for field in rest].index(b"from") + 1
    return [*rest[:place], reply_to, *rest[place:]]


def is_signed(fields: Iterable[Field]) -> bool:
    """Tell whether a signature among the fields covers header and body (RFC 6376)."""
    return any(field.key == b"dkim-signature" for field in fields)


def with_qualified(field: Field, origin: bytes) -> Field:
    """Return an address field without bare names."""
    mailboxes, _ = parse_list(field.body)
    bare = [(mailbox, qualify(mailbox, origin)) for mailbox in mailboxes if not mailbox.domain]
    return with_replaced(field, bare) if bare else field


def with_replaced(field: Field, replacements: Iterable[tuple[Mailbox | Token, bytes]]) -> Field:
    """Return the field with other octets where the mailboxes or tokens, in ascending order, are."""
    body, new_body = field.body, bytearray()
    position = 0
    for old, new in replacements:
        new_body += body[position : old.start] + new
        position = old.end
    return field.with_body(bytes(new_body + body[position:]))
