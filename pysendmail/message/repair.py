"""Repair: what no server, or not every server, would take, made so that it means the same.

`shorten_lines` is for every server: no line has more than 998 octets (RFC 5322 section 2.1.1).
`to_seven_bit` is for one without 8BITMIME (RFC 6152 section 3). Header fields are folded or get
encoded words, parts of the body another transfer encoding, each for itself; every other octet stays
what it was. What cannot be repaired without changing its meaning goes as it is, and the server may
judge: a signed message above all, for there the repair would be the damage.

Both return the very message they were given when there is nothing to do. They read the body and
write another one, bounded in memory; raises OSError when that fails.
"""

from __future__ import annotations

import codecs

from pysendmail.message.encode import (
    CRLF,
    base64,
    mended_base64,
    mended_quoted_printable,
    quoted_printable,
)
from pysendmail.message.encoded_field import with_encoded_words
from pysendmail.message.folding import folded
from pysendmail.message.lines import survey
from pysendmail.message.message import Message, format_field
from pysendmail.message.mime import IDENTITY, Unreadable, leaves, read_fields
from pysendmail.message.rewrite import is_signed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pysendmail.message.content import Content, Readable
    from pysendmail.message.lines import Survey
    from pysendmail.message.message import Field
    from pysendmail.message.mime import Leaf

MIME_VERSION, CONTENT_TYPE = b"MIME-Version", b"Content-Type"
TRANSFER_ENCODING = b"Content-Transfer-Encoding"
QUOTED_PRINTABLE, BASE64 = b"quoted-printable", b"base64"

# Quoted-printable makes three octets of one above 127, base64 four of any three. Beyond one in six
# base64 is shorter, and such a text would be no more readable in the other.
READABLE = 6


class Change:
    """One leaf and how it is written anew; `label`, its new transfer encoding, b"" for the same."""

    __slots__ = ("encode", "label", "leaf")

    def __init__(
        self, leaf: Leaf, encode: Callable[[Iterable[bytes]], Iterator[bytes]], label: bytes = b""
    ) -> None:
        self.leaf = leaf
        self.encode = encode
        self.label = label


def shorten_lines(message: Message, *, content: Callable[[], Content]) -> Message:
    """Return the message without lines that are too long; a new body is in what `content` makes."""
    if is_signed(message.fields):
        return message
    if survey(message.body.chunks()).long_line:
        message = reencoded(message, lambda found: found.long_line, content)
    return with_changed(message, folded)


def to_seven_bit(message: Message, *, content: Callable[[], Content]) -> Message:
    """Return the message without octets above 127; a new body is in what `content` makes."""
    if is_signed(message.fields):
        return message
    if not all(chunk.isascii() for chunk in message.body.chunks()):
        message = reencoded(message, lambda found: found.high > 0, content)
    return with_changed(message, lambda field: folded(with_encoded_words(field)))


def with_changed(message: Message, change: Callable[[Field], Field]) -> Message:
    """Return the message with each field changed, itself where none is."""
    fields = tuple(map(change, message.fields))
    return message if fields == message.fields else message.with_fields(fields)


def reencoded(
    message: Message, is_bad: Callable[[Survey], bool], content: Callable[[], Content]
) -> Message:
    """Return the message with those leaves written anew whose content is bad."""
    whole = message.body
    try:
        found = leaves(message)
    except Unreadable:
        return message
    changes = []
    for leaf in found:
        facts = survey(whole.chunks(leaf.start, leaf.end))
        if is_bad(facts) and (change := change_of(leaf, facts)):
            changes.append(change)
    if not changes:
        return message
    fields: Sequence[Field] = message.fields
    body, position = content(), 0
    for change in changes:
        leaf = change.leaf
        if change.label and leaf.header < 0:
            fields = relabelled(fields, change, whole)
        elif change.label:
            copy(whole.chunks(position, leaf.header), body)
            copy(header_of(change, whole), body)
            position = leaf.start
        copy(whole.chunks(position, leaf.start), body)
        copy(change.encode(whole.chunks(leaf.start, leaf.end)), body)
        position = leaf.end
    if position == whole.size and changes[-1].label == BASE64:
        body.write(CRLF)  # what ended the last line is in the base64 now
    copy(whole.chunks(position), body)
    return Message(fields, body)


def copy(chunks: Iterable[bytes], content: Content) -> None:
    """Write what the chunks hold."""
    for chunk in chunks:
        content.write(chunk)


def change_of(leaf: Leaf, facts: Survey) -> Change | None:
    """Return how a leaf is written anew, None where we do not know how."""
    if leaf.encoding in IDENTITY:
        is_text = not leaf.type or leaf.type.startswith(b"text/")
        if is_text and facts.high * READABLE <= facts.size:
            return Change(leaf, quoted_printable, QUOTED_PRINTABLE)
        return Change(leaf, base64, BASE64)
    if leaf.encoding == QUOTED_PRINTABLE:
        return Change(leaf, mended_quoted_printable)
    return Change(leaf, mended_base64) if leaf.encoding == BASE64 else None


def header_of(change: Change, whole: Readable) -> list[bytes]:
    """Return the new header of a part, with the empty line after it."""
    found = read_fields(whole, change.leaf.header)
    fields = relabelled(found[0] if found else [], change, whole)
    return [field.raw for field in fields] + [CRLF]


def relabelled(fields: Sequence[Field], change: Change, whole: Readable) -> list[Field]:
    """Return the fields of a leaf's header, so that they say what its content is from now on."""
    leaf = change.leaf
    present = {field.key for field in fields}
    added = []
    if leaf.of_message and MIME_VERSION.lower() not in present:
        added.append(format_field(MIME_VERSION, b"1.0"))
    if not leaf.type:
        charset = charset_of(whole.chunks(leaf.start, leaf.end))
        added.append(format_field(CONTENT_TYPE, b"text/plain; charset=" + charset))
    encoding = format_field(TRANSFER_ENCODING, change.label)
    kept = []
    for field in fields:
        if field.key != encoding.key:
            kept.append(field)
        elif encoding not in kept:  # a second one would contradict the first
            kept.append(encoding)
    return [*kept, *added] if encoding in kept else [*kept, *added, encoding]


def charset_of(chunks: Iterable[bytes]) -> bytes:
    """Return the name of the character set that octets are in, as far as they tell."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    ascii_only = True
    try:
        for chunk in chunks:
            ascii_only = ascii_only and chunk.isascii()
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return b"unknown-8bit"  # RFC 1428 section 3
    return b"us-ascii" if ascii_only else b"utf-8"
