"""The message on the wire after DATA: line ends made CRLF, dots doubled, the end marked.

Guarantees, whatever the source yields and however it is cut: the only line end that leaves is
CRLF, no CR or LF stands alone (so no other server can see an end of message where we wrote none,
the attack of CVE-2023-51764), no NUL, the end of data occurs once and last (RFC 5321 sections
2.3.8 and 4.5.2). A lone LF becomes CRLF; a lone CR becomes a space, as it would otherwise make a
line, perhaps a header field, that the author did not write; NUL is dropped. Lines longer than 998
octets pass: cutting them would break signatures, and the server may judge.

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
    """Yield the message in `chunks` as it goes over the wire, end of data included."""
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


def _stuffed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield canonical, dot-stuffed octets that end at the end of a line."""
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
        if not chunk:
            continue
        stuffed = chunk.replace(b"\n.", b"\n..")
        yield b"." + stuffed if line_start and chunk.startswith(b".") else stuffed
        line_start = chunk.endswith(b"\n")
    if held or not line_start:
        yield b"\r\n"


def _is_canonical(chunk: bytes) -> bool:
    line_ends = chunk.count(b"\r\n")
    return chunk.count(b"\n") == line_ends == chunk.count(b"\r")


def _canonical(chunk: bytes) -> bytes:
    lines = chunk.replace(b"\r\n", b"\n")
    return lines.replace(b"\r", b" ").replace(b"\n", b"\r\n")
