"""A body some of whose leaves are written anew, while it is read; all other octets are copied.

Nothing is stored: each reading encodes again, in bounded memory, and the body it is made of must
stay open. Reading raises OSError as that one does.
"""

from __future__ import annotations

import codecs

from pysendmail.message.encode import CRLF
from pysendmail.message.message import format_field
from pysendmail.message.mime import read_fields
from pysendmail.message.phrase import UNKNOWN_CHARSET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pysendmail.message.content import Readable
    from pysendmail.message.message import Field
    from pysendmail.message.mime import Leaf

MIME_VERSION, CONTENT_TYPE = b"MIME-Version", b"Content-Type"
TRANSFER_ENCODING = b"Content-Transfer-Encoding"
BASE64 = b"base64"


class Change:
    """One leaf and how it is written anew.

    `encode` makes the new content of the old; `label` is its new transfer encoding, b"" for the
    same. `change_field` is asked about each field of a part's header.
    """

    __slots__ = ("change_field", "encode", "label", "leaf")

    def __init__(
        self,
        leaf: Leaf,
        encode: Callable[[Iterable[bytes]], Iterator[bytes]],
        label: bytes = b"",
        *,
        change_field: Callable[[Field], Field],
    ) -> None:
        self.leaf = leaf
        self.encode = encode
        self.label = label
        self.change_field = change_field

    def __repr__(self) -> str:
        return f"Change({self.leaf!r}, {self.encode.__name__}, {self.label!r})"


class Reencoded:
    """The octets of `whole` with these changes, which are in the order of their leaves."""

    __slots__ = ("_changes", "_whole", "size")

    def __init__(self, whole: Readable, changes: Sequence[Change]) -> None:
        self._whole = whole
        self._changes = changes
        self.size = sum(map(len, self._pieces()))

    def __repr__(self) -> str:
        return f"<Reencoded {self._whole!r} with {len(self._changes)} changes>"

    def chunks(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the octets from `start` to `end`."""
        end = self.size if end is None else min(end, self.size)
        position = 0
        for piece in self._pieces():
            if position >= end:
                return
            part = piece[max(start - position, 0) : end - position]
            if part:
                yield part
            position += len(piece)

    def close(self) -> None:
        """Close the body this is made of."""
        self._whole.close()

    def _pieces(self) -> Iterator[bytes]:
        whole, position = self._whole, 0
        for change in self._changes:
            leaf = change.leaf
            if leaf.header >= 0:
                yield from whole.chunks(position, leaf.header)
                found = read_fields(whole, leaf.header)
                for field in relabelled(found[0] if found else (), change, whole):
                    yield change.change_field(field).raw
                yield CRLF
            yield from change.encode(whole.chunks(leaf.start, leaf.end))
            position = leaf.end
            if position == whole.size and change.label == BASE64:
                yield CRLF  # what ended the last line is in the base64 now
        yield from whole.chunks(position)


def relabelled(fields: Sequence[Field], change: Change, whole: Readable) -> list[Field]:
    """Return the fields of a leaf's header, so that they say what its content is from now on."""
    leaf = change.leaf
    if not change.label:
        return list(fields)
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


def copied(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the content as it is: for a leaf of which only the header changes."""
    yield from chunks


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
        return UNKNOWN_CHARSET
    return b"us-ascii" if ascii_only else b"utf-8"
