"""The parts of a message, found in its octets; the oracle is the standard library's parser."""

from __future__ import annotations

import tracemalloc
from email import message_from_bytes, policy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pysendmail.message.message import Message
from pysendmail.message.mime import (
    DASHED_LINES_LIMIT,
    DEPTH_LIMIT,
    PART_HEADER_LIMIT,
    PARTS_LIMIT,
    Unreadable,
    dashed_lines,
    leaves,
    parse_content_type,
)
from tests.unit.message.samples import taken


def contents(message: Message) -> list[bytes]:
    body = b"".join(message.body.chunks())
    return [body[leaf.start : leaf.end] for leaf in leaves(message)]


NESTED = b"""\
Content-Type: multipart/mixed; boundary="outer"

preamble
--outer
Content-Type: multipart/alternative;
  boundary=inner (a comment)

--inner

plain, of no declared type
--inner \t
Content-Type: TEXT/Html
Content-Transfer-Encoding: Quoted-Printable (as they say)

<p>
--other
--inner--
epilogue
--outer
Content-Type: message/rfc822

Subject: within
Content-Type: multipart/digest; boundary=digest

--digest

Subject: one

first
--digest
Content-Type: image/png
Content-Transfer-Encoding: base64

QUJD
--digest--
--outer--
after all
"""


def test_leaves_are_found_at_every_depth() -> None:
    message = taken(NESTED)
    assert contents(message) == [
        b"plain, of no declared type",
        b"<p>\r\n--other",
        b"first",
        b"QUJD",
    ]
    assert [(leaf.type, leaf.encoding, leaf.of_message) for leaf in leaves(message)] == [
        (b"", b"", False),
        (b"text/html", b"quoted-printable", False),
        (b"", b"", True),
        (b"image/png", b"base64", False),
    ]
    body = b"".join(message.body.chunks())
    headers = [body[leaf.header : leaf.start] for leaf in leaves(message)]
    assert headers[0] == b"\r\n"
    assert headers[2] == b"Subject: one\r\n\r\n"


def test_message_of_one_part_is_one_leaf_with_the_header_elsewhere() -> None:
    [leaf] = leaves(taken(b"Content-Type: text/plain; charset=utf-8\n\nbody\n"))
    assert (leaf.start, leaf.end, leaf.header, leaf.of_message) == (0, 6, -1, True)


def test_missing_last_delimiter_ends_the_leaf_with_the_message() -> None:
    assert contents(taken(b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nopen\n")) == [
        b"open\r\n"
    ]


SEALED = {
    "DKIM": b"DKIM-Signature: v=1\n\nbody\n",
    "signed": b"Content-Type: multipart/signed; boundary=b\n\n--b\n\nx\n--b--\n",
    "encrypted": b"Content-Type: multipart/encrypted; boundary=b\n\n--b\n\nx\n--b--\n",
    "S/MIME": b"Content-Type: application/pkcs7-mime; name=smime.p7m\n\nMIIB\n",
    "signed within": b"Content-Type: multipart/mixed; boundary=a\n\n--a\n"
    b"Content-Type: multipart/signed; boundary=b\n\n--b\n\nx\n--b--\n--a--\n",
    "DKIM within": b"Content-Type: message/rfc822\n\nDKIM-Signature: v=1\n\nbody\n",
    "delivery status": b"Content-Type: message/delivery-status\n\nReporting-MTA: dns; x\n",
    "encoded multipart": b"Content-Type: multipart/mixed; boundary=b\n"
    b"Content-Transfer-Encoding: base64\n\n--b\n\nx\n--b--\n",
    "no boundary": b"Content-Type: multipart/mixed\n\n--b\n\nx\n--b--\n",
    "no header": b"Content-Type: multipart/mixed; boundary=b\n\n--b\nno header here\n\nx\n--b--\n",
    "header only": b"Content-Type: multipart/mixed; boundary=b\n\n--b\nX: y\n--b--\n",
    "nothing": b"Subject: t\n\n",
}


@pytest.mark.parametrize("text", SEALED.values(), ids=SEALED.keys())
def test_what_must_or_can_not_be_written_anew_is_no_leaf(text: bytes) -> None:
    assert leaves(taken(text)) == []


def test_part_beside_a_signed_one_is_a_leaf() -> None:
    text = (
        b"Content-Type: multipart/mixed; boundary=a\n\n"
        b"--a\nContent-Type: multipart/signed; boundary=b\n\n--b\n\nx\n--b--\n"
        b"--a\n\nfooter\n--a--\n"
    )
    assert contents(taken(text)) == [b"footer"]


@pytest.mark.parametrize(
    ("text", "kind", "boundary"),
    [
        (b" Text/Plain; charset=utf-8\r\n", b"text/plain", b""),
        (b' multipart/mixed;\r\n\tBoundary="a b;c\\"d"\r\n', b"multipart/mixed", b'a b;c"d'),
        (b" multipart / mixed ; boundary = abc ; x=y\r\n", b"multipart/mixed", b"abc"),
        (b" multipart/mixed; boundary=----=_Part_1:2\r\n", b"multipart/mixed", b"----=_Part_1:2"),
        (b' multipart/mixed; x="; boundary=no"; boundary=yes', b"multipart/mixed", b"yes"),
        (b" multipart/mixed; boundary*0=a; boundary*1=b", b"multipart/mixed", b""),
        (b" text\r\n", b"", b""),
        (b"", b"", b""),
        (b' ;;=; boundary="open', b"", b'"open'),
    ],
)
def test_content_type_is_read(text: bytes, kind: bytes, boundary: bytes) -> None:
    found, parameters = parse_content_type(text)
    assert (found, parameters.get(b"boundary", b"")) == (kind, boundary)


# --- what is hostile


def multipart(boundary: bytes, parts: bytes) -> bytes:
    return b"Content-Type: multipart/mixed; boundary=" + boundary + b"\n\n" + parts


def test_bomb_of_nested_multiparts_is_left_alone() -> None:
    text = b"".join(
        multipart(b"b%d" % n, b"--b%d\n" % n) for n in range(DEPTH_LIMIT + 1)
    )
    with pytest.raises(Unreadable):
        leaves(taken(text + b"\nx\n"))


def test_bomb_of_nested_messages_is_left_alone() -> None:
    with pytest.raises(Unreadable):
        leaves(taken(b"Content-Type: message/rfc822\n\n" * (PARTS_LIMIT + 2)))


def test_bomb_of_parts_is_left_alone() -> None:
    with pytest.raises(Unreadable):
        leaves(taken(multipart(b"b", b"--b\n\nx\n" * (PARTS_LIMIT + 1))))


def test_bomb_of_hyphens_is_left_alone() -> None:
    with pytest.raises(Unreadable):
        leaves(taken(multipart(b"b", b"--\n" * (DASHED_LINES_LIMIT + 1))))


def test_header_of_a_part_is_bounded() -> None:
    header = b"X: " + b"y" * PART_HEADER_LIMIT
    with pytest.raises(Unreadable):
        leaves(taken(multipart(b"b", b"--b\n" + header + b"\n\nx\n--b--\n")))


def test_headers_of_all_parts_are_bounded_together() -> None:
    header = b"a:\n" * 10_000
    with pytest.raises(Unreadable):
        leaves(taken(multipart(b"b", (b"--b\n" + header + b"\nx\n") * 60)))


def test_boundary_used_twice_is_left_alone() -> None:
    with pytest.raises(Unreadable):
        leaves(taken(multipart(b"b", b"--b\n" + multipart(b"b", b"--b\n\nx\n--b--\n"))))


def test_memory_does_not_grow_with_the_message() -> None:
    message = taken(multipart(b"b", b"--b\n\n" + b"- text\n--x\n" * 250_000))
    tracemalloc.start()
    try:
        with pytest.raises(Unreadable):
            leaves(message)
        assert tracemalloc.get_traced_memory()[1] < 2 * 1024 * 1024
    finally:
        tracemalloc.stop()
        message.close()


PIECES = [b"--", b"b", b"--b\r\n", b"--b--\r\n", b"\r\n", b"\r\n\r\n", b"x", b" ", b"-" * 600]


@given(st.lists(st.sampled_from(PIECES), max_size=40), st.integers(1, 7))
def test_dashed_lines_are_found_however_the_body_is_cut(pieces: list[bytes], length: int) -> None:
    text = b"".join(pieces) + b"\r\n"

    class Cut:
        size = len(text)

        def chunks(self, start: int = 0, end: int | None = None) -> list[bytes]:
            return [text[at : at + length] for at in range(0, len(text), length)]

        def close(self) -> None:
            pass

    expected = [
        line[2:].rstrip(b" \t")
        for line in text.split(b"\r\n")
        if line.startswith(b"--") and len(line) < 498
    ]
    found = list(dashed_lines(Cut()))  # type: ignore[arg-type]
    assert [line for _, _, line in found] == expected
    for start, end, line in found:
        assert text[start:end].rstrip() == b"--" + line
        assert text[end - 2 : end] == b"\r\n"


PART_HEADERS = st.sampled_from(
    [b"", b"Content-Type: text/html\n", b"Content-Transfer-Encoding: base64\nX: y\n"]
)
PART_TEXT = st.sampled_from([b"", b"x", b"--\n-- \n", b"\n\n", b"two\nlines", b"ends\n", b"--a"])


def tree(depth: int = 0) -> st.SearchStrategy[bytes]:
    """Return parts: header, empty line, content."""
    leaf = st.tuples(PART_HEADERS, PART_TEXT).map(lambda part: part[0] + b"\n" + part[1])
    if depth == 3:
        return leaf
    boundary = b"=_%d" % depth

    def joined(parts: list[bytes]) -> bytes:
        inside = b"".join(b"\n--" + boundary + b"\n" + part for part in parts)
        return multipart(boundary, b"preamble" + inside + b"\n--" + boundary + b"--\nepilogue")

    nested = st.lists(tree(depth + 1), min_size=1, max_size=3).map(joined)
    return st.one_of(leaf, nested, nested)


@settings(max_examples=150)
@given(tree())
def test_leaves_are_those_that_the_standard_library_finds(text: bytes) -> None:
    message = taken(text)
    parsed = message_from_bytes(b"".join(message.chunks()), policy=policy.compat32)
    payloads = [part.get_payload() for part in parsed.walk() if not part.is_multipart()]
    expected = [payload.encode() for payload in payloads if isinstance(payload, str) and payload]
    assert contents(message) == expected
