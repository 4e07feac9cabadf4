"""The message on the wire: line ends made CRLF, and after DATA dots doubled and the end marked.

Guarantees, whatever the source yields and however it is cut: the only line end that leaves is
CRLF, no CR or LF stands alone (so no other server can see an end of message where we wrote none,
the attack of CVE-2023-51764), no NUL, the end of data occurs once and last (RFC 5321 sections
2.3.8 and 4.5.2). A lone LF becomes CRLF; a lone CR becomes a space, as it would otherwise make a
line, perhaps a header field, that the author did not write; NUL is dropped. Lines longer than 998
octets pass: cutting them would break signatures, and the server may judge.

Only a message declared `BODY=BINARYMIME` travels as it is (RFC 3030 section 3).

All work is done by whole-chunk operations; memory is bounded by the chunks of the source.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Small chunks are collected to this size, so that a usual message is one write together with its
# end of data.
BLOCK_OCTETS = 64 * 1024


def data_blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the message in `chunks` as it goes behind DATA, end of data included."""
    collected: list[bytes] = []
    size = 0
    for chunk in _stuffed(chunks):
        collected.append(chunk)
        size += len(chunk)
        if size >= BLOCK_OCTETS:
            yield b"".join(collected)
            collected = []
            size = 0
    collected.append(b".\r\n")
    yield b"".join(collected)


def chunk_blocks(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield the message in `chunks` as it goes behind BDAT: octets, and whether they are the last.

    Nothing is stuffed, for each command says how many octets follow.
    """
    return binary_blocks(_canonical_chunks(chunks))


def binary_blocks(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield a binary message as `chunk_blocks` does any other: not an octet changed."""
    collected: list[bytes] = []
    size = 0
    for chunk in chunks:
        if size >= BLOCK_OCTETS:
            yield b"".join(collected), False
            collected = []
            size = 0
        collected.append(chunk)
        size += len(chunk)
    yield b"".join(collected), True


def _stuffed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield canonical octets whose lines have their leading dots doubled."""
    line_start = True
    for chunk in _canonical_chunks(chunks):
        stuffed = chunk.replace(b"\n.", b"\n..") if b"\n." in chunk else chunk
        yield b"." + stuffed if line_start and chunk.startswith(b".") else stuffed
        line_start = chunk.endswith(b"\n")


def _canonical_chunks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield octets whose only line end is CRLF, and which end with one; never an empty chunk."""
    line_start = True
    held = b""  # a CR at the end of a chunk: the next chunk tells what it means
    for raw in chunks:
        chunk = raw.replace(b"\0", b"") if b"\0" in raw else raw
        chunk = held + chunk
        held = b""
        if chunk.endswith(b"\r"):
            chunk = chunk[:-1]
            held = b"\r"
        if not _is_canonical(chunk):
            chunk = _canonical(chunk)
        if chunk:
            yield chunk
            line_start = chunk.endswith(b"\n")
    if held or not line_start:
        yield b"\r\n"


def _is_canonical(chunk: bytes) -> bool:
    line_ends = chunk.count(b"\r\n")
    return chunk.count(b"\n") == line_ends == chunk.count(b"\r")


def _canonical(chunk: bytes) -> bytes:
    lines = chunk.replace(b"\r\n", b"\n")
    return lines.replace(b"\r", b" ").replace(b"\n", b"\r\n")
