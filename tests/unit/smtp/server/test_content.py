"""Where a message ends, and that nothing else ends it."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pysendmail.smtp.body import data_blocks
from pysendmail.smtp.server.content import ContentReader
from tests.unit.smtp.server.clients import cuts_of

PIECES = [b"\r", b"\n", b".", b"\r\n", b"a", b"..", b"\r\n.\r\n", b"\n.\n", b"\r.\r"]
soup = st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join)


def read(pieces: list[bytes], *, lf: bool) -> tuple[bytes, bytes, bool]:
    """Return content, what came behind it, and whether the end was seen."""
    reader = ContentReader(lf=lf)
    content = rest = b""
    for piece in pieces:
        if reader.ended:
            rest += piece
        else:
            more, rest = reader.feed(piece)
            content += more
    return content, rest, reader.ended


WITH_CRLF = [
    (b".\r\nQUIT\r\n", b"", b"QUIT\r\n"),
    (b"a\r\n.\r\n", b"a\r\n", b""),
    (b"\r\n.\r\n", b"\r\n", b""),
    (b"..\r\n...x\r\n.y\r\n.\r\n", b".\r\n..x\r\ny\r\n", b""),
    (b"a\n.\nb\r\n.\r\n", b"a\n.\nb\r\n", b""),
    (b"a\r\n.\nb\r\n.\r\n", b"a\r\n\nb\r\n", b""),
    (b"a\n.\r\nb\r\n.\r\n", b"a\n.\r\nb\r\n", b""),
    (b"a\r.\rb\r\n.\r\n", b"a\r.\rb\r\n", b""),
    (b"a\r\n.\rb\r\n.\r\n", b"a\r\n\rb\r\n", b""),
    (b"a\r.\r\nb\r\n.\r\n", b"a\r.\r\nb\r\n", b""),
    (b"a\n..\nb\r\n.\r\n", b"a\n..\nb\r\n", b""),
    (b"a\r\r\n.\r\n", b"a\r\r\n", b""),
]
WITH_LF = [
    (b".\nQUIT\n", b"", b"QUIT\n"),
    (b"a\n.\nb", b"a\n", b"b"),
    (b"a\r\n.\r\nb", b"a\r\n", b"b"),
    (b"a\n.\r\nb", b"a\n", b"b"),
    (b"a\r\n.\nb", b"a\r\n", b"b"),
    (b"..x\n.y\n.\n", b".x\ny\n", b""),
    (b"a\r.\rb\n.\n", b"a\r.\rb\n", b""),
]


@pytest.mark.parametrize(("octets", "content", "rest"), WITH_CRLF)
def test_with_crlf_only_crlf_dot_crlf_ends_however_cut(
    octets: bytes, content: bytes, rest: bytes
) -> None:
    for pieces in cuts_of(octets):
        assert read(pieces, lf=False) == (content, rest, True)


@pytest.mark.parametrize(("octets", "content", "rest"), WITH_LF)
def test_with_lf_a_line_of_one_dot_ends_however_cut(
    octets: bytes, content: bytes, rest: bytes
) -> None:
    for pieces in cuts_of(octets):
        assert read(pieces, lf=True) == (content, rest, True)


@pytest.mark.parametrize(
    "octets",
    [
        b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r\n.\r\r\n", b"\r.\r\n",
        b"\n\r.\r\n",
    ],
)  # fmt: skip
def test_with_crlf_half_an_end_is_none(octets: bytes) -> None:
    assert not read([b"a", octets, b"b\r\n"], lf=False)[2]


@given(soup, st.booleans(), st.data())
def test_cutting_makes_no_difference(octets: bytes, lf: bool, data: st.DataObject) -> None:
    places = sorted(data.draw(st.sets(st.integers(0, len(octets)), max_size=5)))
    pieces = [octets[start:end] for start, end in zip([0, *places], [*places, None], strict=True)]
    assert read(pieces, lf=lf) == read([octets], lf=lf)


@given(soup)
@example(b"\r\n.\r\n.\r\n")
def test_what_the_client_core_sends_is_read_as_one_message(text: bytes) -> None:
    sent = b"".join(data_blocks([text]))
    content, rest, ended = read([sent + b"MAIL"], lf=False)
    assert (ended, rest) == (True, b"MAIL")
    assert b"".join(data_blocks([content])) == sent
    assert read([sent], lf=True)[0] == content
