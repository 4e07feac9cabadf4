"""Display names, held against the standard library's reader."""

from __future__ import annotations

import codecs
from binascii import a2b_base64
from email.header import decode_header, make_header
from email.utils import parseaddr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.message.phrase import CHARSETS, encoded_words, format_phrase, split_characters


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        pytest.param(b"", b"", id="empty"),
        pytest.param(b" \t\r\n\0 ", b"", id="blank"),
        pytest.param(b"Alice Liddell", b"Alice Liddell", id="atoms"),
        pytest.param(b"Doe, J.", b'"Doe, J."', id="quoted"),
        pytest.param(b'a "b" \\c', b'"a \\"b\\" \\\\c"', id="escaped"),
        pytest.param(b"a\r\nBcc: x@y", b'"a Bcc: x@y"', id="header-injection"),
        pytest.param(b"a  b", b"a b", id="blanks"),
        pytest.param("Zoë".encode(), b"=?utf-8?B?Wm/Dqw==?=", id="utf-8"),
        pytest.param(b"Zo\xeb", b"=?unknown-8bit?B?Wm/r?=", id="not-utf-8"),
        pytest.param(b"x" * 5000, b"x" * 256, id="too-long"),
    ],
)
def test_name_becomes_a_phrase(name: bytes, phrase: bytes) -> None:
    assert format_phrase(name) == phrase


def test_encoded_words_are_short_and_of_whole_characters() -> None:
    phrase = format_phrase(("ë" * 400).encode())
    words = phrase.split(b" ")
    assert all(len(word) <= 75 for word in words)
    assert len(phrase) < 900
    assert str(make_header(decode_header(phrase.decode()))) == "ë" * 128
    for word in words:
        assert set(str(make_header(decode_header(word.decode())))) == {"ë"}


@pytest.mark.parametrize("charset", [b"utf-8", b"windows-1252", b"euc-jp", b"unknown"])
@given(text=st.binary(max_size=300))
def test_encoded_words_hold_the_text_whatever_its_charset(charset: bytes, text: bytes) -> None:
    words = encoded_words(text, charset=charset)
    assert all(len(word) <= 75 for word in words)
    parts = [word.split(b"?") for word in words]
    assert len({part[1] for part in parts}) == 1
    decoded = [a2b_base64(part[3]) for part in parts]
    assert b"".join(decoded) == text
    name = parts[0][1].decode()
    if name != "unknown-8bit":
        assert "".join(piece.decode(name) for piece in decoded) == text.decode(name)


@pytest.mark.parametrize("charset", [b"idna", b"punycode", b"utf-7", b"cp437", b"rot13"])
def test_charset_that_mail_does_not_use_is_unknown(charset: bytes) -> None:
    name, characters = split_characters(b"ab\xff", charset)
    assert (name, list(characters)) == (b"unknown-8bit", [b"a", b"b", b"\xff"])


def test_codec_of_the_choice_of_the_author_is_not_even_looked_for() -> None:
    asked: list[str] = []
    search = asked.append  # one object: it is taken out again by identity
    codecs.register(search)
    try:
        split_characters(b"\xff", b"x-choice")
    finally:
        codecs.unregister(search)
    assert asked == []


@pytest.mark.parametrize("charset", sorted(CHARSETS))
def test_charset_of_mail_is_known(charset: bytes) -> None:
    name, characters = split_characters(b"a\xc4\xe3", charset.upper())
    if name == charset.upper():
        assert b"".join(characters) == b"a\xc4\xe3"
    assert codecs.lookup(charset.decode())


@given(st.binary(max_size=400))
def test_phrase_of_anything_is_one_short_line_of_ascii(name: bytes) -> None:
    phrase = format_phrase(name)
    assert phrase.isascii()
    assert phrase.decode().isprintable()
    assert len(phrase) < 900


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=60))
def test_ascii_name_is_read_back(name: str) -> None:
    expected = " ".join(name.split())
    phrase = format_phrase(name.encode()).decode()
    if phrase:
        assert parseaddr(f"{phrase} <a@x.test>") == (expected, "a@x.test")
