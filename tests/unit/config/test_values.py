"""Texts into values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.config.values import (
    PARSERS,
    format_duration,
    format_size,
    parse_address,
    parse_boolean,
    parse_count,
    parse_credential,
    parse_domains,
    parse_duration,
    parse_endpoints,
    parse_fallback,
    parse_host,
    parse_password,
    parse_path,
    parse_size,
    parse_smarthosts,
    parse_socket_path,
    parse_text,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("2d", 172800.0),
        ("1w2d3h4m5s", 788645.0),
        ("30", 30.0),
        ("0", 0.0),
        ("0.5s", 0.5),
        (" 5M ", 300.0),
    ],
)
def test_duration_as_people_write_it_is_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "s", "1:30", "5x", "30m1h", "5m5m", "5 m", "-5m", "1.2.3s", "²s", "5m3", "1e3", "nan"],
)
def test_duration_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("50MiB", 50 * 1024**2),
        ("25MB", 25_000_000),
        ("512k", 512 * 1024),
        ("10 M", 10 * 1024**2),
        ("1g", 1024**3),
        ("1GB", 10**9),
        ("1.5KiB", 1536),
        ("7b", 7),
        ("4096", 4096),
    ],
)
def test_size_as_people_write_it_is_octets(text: str, octets: int) -> None:
    assert parse_size(text) == octets


@pytest.mark.parametrize("text", ["", "MiB", "5 parsecs", "5iB", "-1", "1e9", "5 5M", "½M"])
def test_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        parse_size(text)


def test_row_of_digits_without_end_is_refused() -> None:
    for parse in (parse_size, parse_count, parse_duration):
        with pytest.raises(ValueError, match=r"^$"):
            parse("9" * 5000)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("Yes", True),
        (" on ", True),
        ("FALSE", False),
        ("no", False),
        ("off", False),
    ],
)
def test_boolean_has_three_words_for_each(text: str, value: bool) -> None:
    assert parse_boolean(text) is value


@pytest.mark.parametrize("text", ["", "1", "y", "maybe"])
def test_boolean_of_another_word_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        parse_boolean(text)


def test_count_is_whole_and_not_negative() -> None:
    assert parse_count(" 10 ") == 10
    for text in ("1.0", "-1", "ten", ""):
        with pytest.raises(ValueError, match=r"^$"):
            parse_count(text)


def test_text_loses_outer_blanks_and_password_does_not() -> None:
    assert parse_text(" a b ") == b"a b"
    assert parse_password(" a b ") == b" a b "


@pytest.mark.parametrize("text", ["", "a\nb", "a\rb", "a\x00b", "\x7f"])
def test_text_with_controls_or_empty_is_refused(text: str) -> None:
    for parse in (parse_text, parse_password, parse_credential):
        with pytest.raises(ValueError, match=r"^$"):
            parse(text)


def test_octets_that_are_not_utf8_pass_unchanged() -> None:
    assert parse_password(b"p\xe4ss".decode("utf-8", "surrogateescape")) == b"p\xe4ss"


@pytest.mark.parametrize(
    "text", ["example.com", "localhost", "a1b2c3", "my_host.test", "[192.0.2.1]", "[IPv6:::1]"]
)
def test_host_is_a_name_or_a_literal(text: str) -> None:
    assert parse_host(f" {text} ") == text.encode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a..b",
        "-a.b",
        "a-.b",
        "a b",
        "a@b",
        "a\r\nb",
        "x" * 64,
        "a." * 128,
        "[]",
        "[x",
        "[]]",
    ],
)
def test_host_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        parse_host(text)


def test_international_host_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match="xn--"):
        parse_host("bücher.example")


@pytest.mark.parametrize("text", ["alice", "a@b.test", "j\u00f6rg@b.test", "a@[192.0.2.1]"])
def test_address_is_bare_or_full(text: str) -> None:
    assert parse_address(text) == text.encode()


@pytest.mark.parametrize("text", ["", "@", "a@", "@b", "a@b@c", "a b@c", "a\n@b", "a@b\x00",
    "a:b", "a[b", "a@b..c", "a@[1.2", "a@b!", "\udcff@b", "a@\udcff", "a" * 257 + "@b",
    "a@" + "b" * 256])  # fmt: skip
def test_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        parse_address(text)


@pytest.mark.parametrize("text", ["<a@b>", "Alice<a@b>", "a@b,c@d", '"a"@b', "\\root"])
def test_address_with_more_around_it_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(ValueError, match="one address alone"):
        parse_address(text)


def test_path_must_be_absolute() -> None:
    assert parse_path(" /a b ") == "/a b"
    with pytest.raises(ValueError, match="absolute"):
        parse_path("a")


def test_socket_path_has_room_for_its_nul() -> None:
    longest = "/" + "x" * 106
    assert parse_socket_path(longest) == longest
    with pytest.raises(ValueError, match="107"):
        parse_socket_path(longest + "x")


def test_domains_are_a_list_of_names() -> None:
    assert parse_domains("a.test, b.test") == ("a.test", "b.test")
    with pytest.raises(ValueError, match=r"^$"):
        parse_domains("a.test,")


def test_fallback_is_a_word_or_an_address() -> None:
    assert parse_fallback(" Reject ") == b"reject"
    assert parse_fallback("forward") == b"forward"
    assert parse_fallback("Admin@a.test") == b"Admin@a.test"
    with pytest.raises(ValueError, match="one address alone"):
        parse_fallback("a@b,c@d")


def test_smarthosts_are_a_list_of_urls() -> None:
    assert parse_smarthosts("smtp://a, lmtp:///b") == ("smtp://a", "lmtp:///b")
    with pytest.raises(ValueError, match="begins with"):
        parse_smarthosts("smtp://a,")


def test_endpoints_are_a_list_of_addresses_with_ports() -> None:
    assert parse_endpoints("127.0.0.1:25, [::1]:2525") == ("127.0.0.1:25", "[::1]:2525")


@pytest.mark.parametrize(
    "text",
    ["", "25", ":25", "127.0.0.1", "localhost:25", "127.0.0.1:", "127.0.0.1:smtp", "::1:25",
     "127.0.0.1:65536", "127.0.0.1:٢٥", "127.0.0.1:25,", "[127.0.0.1]:25", "127.1:25"],
)  # fmt: skip
def test_endpoint_without_address_or_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_endpoints(text)


@given(st.sampled_from(sorted(PARSERS)), st.text())
def test_any_text_is_a_value_or_a_value_error(kind: str, text: str) -> None:
    try:
        PARSERS[kind](text)
    except ValueError:
        pass


@given(st.integers(0, 10**9))
def test_formatted_duration_and_size_parse_back(number: int) -> None:
    assert parse_duration(format_duration(float(number))) == number
    assert parse_size(format_size(number)) == number


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (90, "1m30s"), (5400, "1h30m"), (432000, "5d"), (0.5, "0.5s"), (60.5, "1m0.5s")],
)
def test_duration_is_shown_as_people_write_it(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
