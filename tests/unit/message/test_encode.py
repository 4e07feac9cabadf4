"""Transfer encodings as streams, against the decoders of the standard library."""

from __future__ import annotations

from base64 import b64decode
from quopri import decodestring

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pysendmail.message.encode import (
    ENCODED_LINE,
    LINE_LIMIT,
    PIECE,
    base64,
    mended_base64,
    mended_quoted_printable,
    quoted_printable,
)
from pysendmail.message.lines import survey

# Canonical text: lines of anything but CR, LF and NUL; the last one may have no end.
LINE = st.binary(max_size=200).map(lambda octets: octets.translate(None, b"\r\n\0"))
TEXT = st.lists(LINE, max_size=8).map(b"\r\n".join)
CUTS = st.lists(st.integers(1, 300), max_size=8)


def cut(text: bytes, cuts: list[int]) -> list[bytes]:
    chunks = []
    for length in cuts:
        chunks.append(text[:length])
        text = text[length:]
    return [*chunks, text]


def lines_of(encoded: bytes) -> list[bytes]:
    return encoded.split(b"\r\n")


@given(TEXT, CUTS)
def test_quoted_printable_is_read_back_and_has_short_lines(text: bytes, cuts: list[int]) -> None:
    encoded = b"".join(quoted_printable(cut(text, cuts)))
    assert decodestring(encoded) == text
    assert encoded.isascii()
    assert max(map(len, lines_of(encoded))) <= ENCODED_LINE
    assert not any(line.endswith((b" ", b"\t")) for line in lines_of(encoded))


@given(TEXT, CUTS)
def test_base64_is_read_back_and_has_short_lines(text: bytes, cuts: list[int]) -> None:
    encoded = b"".join(base64(cut(text, cuts)))
    assert b64decode(encoded) == text
    assert all(len(line) == ENCODED_LINE for line in lines_of(encoded)[:-1])
    assert not encoded.endswith(b"\r\n")


@pytest.mark.parametrize("length", [PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 17])
@pytest.mark.parametrize("octets", [b"x", b"\xc3\xa9", b" =", b"\xff"])
def test_line_of_many_pieces_is_read_back(length: int, octets: bytes) -> None:
    text = (octets * length)[:length] + b"\r\nshort \r\n"
    chunks = [text[start : start + 65536] for start in range(0, len(text), 65536)]
    encoded = b"".join(quoted_printable(chunks))
    assert decodestring(encoded) == text
    assert max(map(len, lines_of(encoded))) <= ENCODED_LINE
    assert b64decode(b"".join(base64(chunks))) == text


@given(st.lists(st.sampled_from([b"a", b"=3D", b"=\r\n", b"\r\n", b"\xe9", b" "]), max_size=60))
def test_quoted_printable_in_order_is_left_as_it_is(pieces: list[bytes]) -> None:
    text = b"".join(pieces)
    mended = b"".join(mended_quoted_printable([text]))
    assert mended.isascii()
    assert decodestring(mended) == decodestring(text)
    if text.isascii():
        assert mended == text


@given(
    # without `==`, of which decodestring makes one
    st.lists(
        st.sampled_from([b"=\xe4", b"=4\xe4", b"=4A", b"= ", b"=\r\n", b"\xe4", b"A", b"\r\n"]),
        max_size=30,
    )
)
@example([b"=", b"\xc3\xa4"])
@example([b"x" * (PIECE - 1), b"=", b"\xc3\xa4"])
@example([b"x" * PIECE, b"=", b"\xc3\xa4", b"x" * 2000])
def test_quoted_printable_out_of_order_is_read_as_before(pieces: list[bytes]) -> None:
    text = b"".join(pieces)
    mended = b"".join(mended_quoted_printable([text]))
    assert mended.isascii()
    assert decodestring(mended) == decodestring(text)


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        (b"=\xc3\xa4", b"=3D=C3=A4"),
        (b"==\xe4", b"=3D=3D=E4"),
        (b"=4\xe4", b"=3D4=E4"),
        (b"a=b=e4\xe4= \r\n=x", b"a=3Db=e4=E4= \r\n=x"),
    ],
)
def test_sign_that_begins_no_escape_is_encoded_beside_what_must_be(
    text: bytes, mended: bytes
) -> None:
    assert b"".join(mended_quoted_printable([text])) == mended


@given(st.lists(st.sampled_from([b"abc", b"=3D", b"\xe9", b" "]), min_size=300), CUTS)
def test_overlong_quoted_printable_gets_soft_breaks(pieces: list[bytes], cuts: list[int]) -> None:
    text = b"".join(pieces) * 2 + b"!\r\nnext\r\n"
    mended = b"".join(mended_quoted_printable(cut(text, cuts)))
    assert decodestring(mended) == decodestring(text)
    assert max(map(len, lines_of(mended))) <= LINE_LIMIT
    assert mended.endswith(b"!\r\nnext\r\n")


DASHES = st.lists(
    st.sampled_from([b"-", b"--", b"a" * 70, b"a" * 75, b" ", b"\xe9", b"-" * 60, b"\r\n"]),
    max_size=80,
).map(b"".join)


@given(DASHES)
@example(b"a" * 75 * 14 + b"--b")
@example(b"-" * 3000)
def test_line_of_quoted_printable_is_never_a_delimiter(text: bytes) -> None:
    encoded = b"".join(quoted_printable([text]))
    assert not any(line.startswith(b"--") for line in lines_of(encoded))
    assert max(map(len, lines_of(encoded))) <= ENCODED_LINE
    assert decodestring(encoded) == text


@given(DASHES)
@example(b"a" * 75 * 14 + b"--b")
@example(b"a" * (PIECE - 1) + b"---b")
@example(b"a" * PIECE + b"--b\r\n--c")
@example(b"a" * (PIECE - 2) + b"=3D--b")
def test_mended_line_is_a_delimiter_only_if_it_was(text: bytes) -> None:
    mended = b"".join(mended_quoted_printable([text]))
    before = {line for line in lines_of(text) if line.startswith(b"--")}
    assert {line for line in lines_of(mended) if line.startswith(b"--")} <= before
    assert max(map(len, lines_of(mended))) <= LINE_LIMIT
    assert decodestring(mended) == decodestring(text)


@pytest.mark.parametrize("text", [b"\xff--b", b"A" * 76 * 14 + b"--b", b"A" * PIECE + b"--b"])
def test_mended_base64_is_never_a_delimiter(text: bytes) -> None:
    mended = b"".join(mended_base64([text]))
    assert b"--b" not in mended
    assert b64decode(mended + b"A==") == b64decode(text + b"A==")


@pytest.mark.parametrize("shift", range(4))
def test_escape_is_not_cut_between_two_pieces(shift: int) -> None:
    text = b"x" * shift + b"=C3=A9" * (PIECE // 3)
    mended = b"".join(mended_quoted_printable([text[:100_000], text[100_000:]]))
    assert decodestring(mended) == decodestring(text)
    assert max(map(len, lines_of(mended))) <= ENCODED_LINE


@pytest.mark.parametrize("length", [996, 1000, PIECE, 2 * PIECE + 4, 2 * PIECE + 2000])
def test_overlong_base64_is_broken_at_whole_groups(length: int) -> None:
    text = b"QUJD" * (length // 4) + b"\r\nQUJD\r\n"
    mended = b"".join(mended_base64([text[:77_777], text[77_777:]]))
    assert b64decode(mended) == b64decode(text)
    assert max(map(len, lines_of(mended))) <= LINE_LIMIT
    assert all(len(line) % 4 == 0 for line in lines_of(mended))


def test_base64_in_order_is_left_as_it_is_but_for_octets_that_mean_nothing() -> None:
    assert b"".join(mended_base64([b"QUJD\r\nQU\xa0I=\r\n\r\n"])) == b"QUJD\r\nQUI=\r\n\r\n"


@given(TEXT, CUTS)
def test_survey_finds_what_is_there_however_it_is_cut(text: bytes, cuts: list[int]) -> None:
    found = survey(cut(text, cuts))
    assert found.size == len(text)
    assert found.high == sum(octet > 127 for octet in text)
    assert not found.long_line


@given(
    st.lists(st.sampled_from([0, 1, 500, 996, 997, 998, 999, 1000, 3000]), max_size=8),
    st.booleans(),
    st.lists(st.integers(1, 2500), max_size=8),
)
def test_survey_finds_a_long_line_however_it_is_cut(
    lengths: list[int], ended: bool, cuts: list[int]
) -> None:
    text = b"\r\n".join([b"x" * length for length in lengths]) + (b"\r\n" if ended else b"")
    assert survey(cut(text, cuts)).long_line == any(length > LINE_LIMIT for length in lengths)
