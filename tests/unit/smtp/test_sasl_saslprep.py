from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.smtp import UsageError
from pysendmail.smtp.sasl.saslprep import saslprep


@pytest.mark.parametrize(
    ("value", "prepared"),
    [
        # RFC 4013 section 3
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        # what the tables say besides
        ("a\u00a0b\u3000c", "a b c"),
        ("\u200b", ""),
        ("", ""),
        ("\u0627\u0031\u0628", "\u0627\u0031\u0628"),
        ("A\u0308", "\u00c4"),
        ("\U0001f511", "\U0001f511"),  # not assigned in Unicode 3.2: let through
    ],
)
def test_string_is_prepared(value: str, prepared: str) -> None:
    assert saslprep(value.encode()) == prepared.encode()


@pytest.mark.parametrize(
    "value",
    [
        b"\x07",
        "\u0627\u0031".encode(),  # both of RFC 4013 section 3
        "\u0080".encode(),
        "\u06dd".encode(),
        "\ue000".encode(),
        "\ufffe".encode(),
        "\ufffd".encode(),
        "\u2ff0".encode(),
        "\u200e".encode(),
        "\U000e0001".encode(),
        "\u0627a\u0628".encode(),
        "1\u0627".encode(),
        b"\xff",
        b"\xed\xa0\x80",  # a surrogate
    ],
)
def test_prohibited_string_is_refused(value: bytes) -> None:
    with pytest.raises(UsageError):
        saslprep(value)


@given(st.text())
def test_preparation_is_done_once_for_all(text: str) -> None:
    try:
        prepared = saslprep(text.encode("utf-8", "surrogatepass"))
    except UsageError:
        return
    assert saslprep(prepared) == prepared
    assert unicodedata.ucd_3_2_0.normalize("NFKC", prepared.decode()) == prepared.decode()
