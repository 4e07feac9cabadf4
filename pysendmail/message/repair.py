"""Repair: what no server, or not every server, would take, made so that it means the same.

`shorten_lines` is for every server: no line has more than 998 octets (RFC 5322 section 2.1.1).
`to_seven_bit` is for one without 8BITMIME (RFC 6152 section 3). Header fields are folded or get
encoded words, parts of the body another transfer encoding, each for itself; every other octet stays
what it was. What cannot be repaired without changing its meaning goes as it is, and the server may
judge: a signed message above all, for there the repair would be the damage.

Both return the very message they were given when there is nothing to do. Memory is bounded. They
raise OSError when the body cannot be read.
"""

from __future__ import annotations

from pysendmail.message.encode import (
    base64,
    mended_base64,
    mended_quoted_printable,
    quoted_printable,
)
from pysendmail.message.encoded_field import with_encoded_words
from pysendmail.message.folding import folded
from pysendmail.message.lines import survey
from pysendmail.message.message import Message
from pysendmail.message.mime import IDENTITY, Unreadable, charset_parameter, leaves
from pysendmail.message.reencoded import BASE64, Change, Reencoded, copied, relabelled
from pysendmail.message.rewrite import is_signed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pysendmail.message.content import Content
    from pysendmail.message.lines import Survey
    from pysendmail.message.message import Field
    from pysendmail.message.mime import Leaf

# A longer header gets no encoded words: they make several octets of one.
HEADER_LIMIT = 128 * 1024

QUOTED_PRINTABLE = b"quoted-printable"

# Quoted-printable makes three octets of one above 127, base64 four of any three. Beyond one in six
# base64 is shorter, and such a text would be no more readable in the other.
READABLE = 6


def shorten_lines(message: Message, *, content: Callable[[], Content]) -> Message:
    """Return the message without lines that are too long; a new body is in what `content` makes.

    Raises OSError when it cannot be kept there.
    """
    if is_signed(message.fields):
        return message
    if survey(message.body.chunks()).long_line:
        new = reencoded(message, lambda found: found.long_line, folded)
        if new is not message:
            body = content()
            for chunk in new.body.chunks():
                body.write(chunk)
            message = Message(new.fields, body)
    return with_changed(message, folded)


def to_seven_bit(message: Message) -> Message:
    """Return the message without octets above 127; a new body is made of the old while read."""
    message = message.opened()
    if is_signed(message.fields):
        return message
    charset = charset_parameter(message.fields)

    def in_ascii(field: Field) -> Field:
        return folded(with_encoded_words(field, charset))

    if not all(chunk.isascii() for chunk in message.body.chunks()):
        message = reencoded(message, lambda found: found.high > 0, in_ascii)
    long = sum(len(field.raw) for field in message.fields) > HEADER_LIMIT
    return with_changed(message, folded if long else in_ascii)


def with_changed(message: Message, change: Callable[[Field], Field]) -> Message:
    """Return the message with each field changed, itself where none is."""
    fields = message.fields
    changed = tuple(map(change, fields))
    return message if changed == fields else message.with_fields(changed)


def reencoded(
    message: Message, is_bad: Callable[[Survey], bool], change_field: Callable[[Field], Field]
) -> Message:
    """Return the message with those leaves written anew whose header or content is bad."""
    whole = message.body
    try:
        found = leaves(message)
    except Unreadable:
        return message
    changes = []
    for leaf in found:
        facts = survey(whole.chunks(leaf.start, leaf.end))
        encode, label = encoding_for(leaf, facts) if is_bad(facts) else (copied, b"")
        header_is_bad = leaf.header >= 0 and is_bad(survey(whole.chunks(leaf.header, leaf.start)))
        if encode is not copied or header_is_bad:
            changes.append(Change(leaf, encode, label, change_field=change_field))
    if not changes:
        return message
    fields: Sequence[Field] = message.fields
    if changes[0].leaf.header < 0:  # its header is the message's own
        fields = relabelled(fields, changes[0], whole)
    return Message(fields, Reencoded(whole, changes))


def encoding_for(
    leaf: Leaf, facts: Survey
) -> tuple[Callable[[Iterable[bytes]], Iterator[bytes]], bytes]:
    """Return how a content is written anew and its new transfer encoding, b"" for the same."""
    if leaf.encoding in IDENTITY:
        is_text = not leaf.type or leaf.type.startswith(b"text/")
        if is_text and facts.high * READABLE <= facts.size:
            return quoted_printable, QUOTED_PRINTABLE
        return base64, BASE64
    mended = {QUOTED_PRINTABLE: mended_quoted_printable, BASE64: mended_base64}
    return mended.get(leaf.encoding, copied), b""
