"""The URL of a smarthost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.config.smarthost_url import SmarthostAddress, parse_smarthost


@pytest.mark.parametrize(
    ("text", "scheme", "host", "port"),
    [
        ("smtp://relay.test", "smtp", "relay.test", 25),
        ("submission://relay.test", "submission", "relay.test", 587),
        ("submissions://relay.test", "submissions", "relay.test", 465),
        ("lmtp://relay.test", "lmtp", "relay.test", 24),
        ("SMTP://Relay.TEST:2525/", "smtp", "relay.test", 2525),
        (" smtp://192.0.2.1:65535 ", "smtp", "192.0.2.1", 65535),
        ("smtp://[2001:DB8::1]", "smtp", "2001:db8::1", 25),
        ("smtp://[fe80::1%eth0]:26", "smtp", "fe80::1%eth0", 26),
        ("lmtp:///run/Dovecot/lmtp", "lmtp", "/run/Dovecot/lmtp", 0),
    ],
)
def test_smarthost_url_has_scheme_host_and_port(
    text: str, scheme: str, host: str, port: int
) -> None:
    assert parse_smarthost(text) == SmarthostAddress(scheme, host, port)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("relay.test:587", "begins with"),
        ("", "begins with"),
        ("smtps://relay.test", "submissions://"),
        ("tls://relay.test", "submission://"),
        ("http://relay.test", "not one we speak"),
        ("smtp://", "host is missing"),
        ("smtp://:25", "host is missing"),
        ("smtp:///run/x", "only lmtp"),
        ("lmtp:///", "path of the socket"),
        ("lmtp:///a\nb", "path of the socket"),
        ("smtp://relay.test/inbox", "nothing may follow"),
        ("smtp://relay.test?x=1", "letters, digits"),
        ("smtp://re lay", "letters, digits"),
        ("smtp://-relay", "letters, digits"),
        ("smtp://b\u00fccher.example", "letters, digits"),
        ("smtp://relay.test:", "1 to 65535"),
        ("smtp://relay.test:0", "1 to 65535"),
        ("smtp://relay.test:65536", "1 to 65535"),
        ("smtp://relay.test:smtp", "1 to 65535"),
        ("smtp://relay.test:²", "1 to 65535"),
        ("smtp://2001:db8::1", "in brackets"),
        ("smtp://[2001:db8::1", "in brackets"),
        ("smtp://[relay]", "in brackets"),
        ("smtp://[::1%]", "in brackets"),
        ("smtp://[::1]25", "only :PORT"),
    ],
)
def test_smarthost_url_that_is_wrong_is_refused_with_a_hint(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        parse_smarthost(text)


def test_password_in_smarthost_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="password_file") as caught:
        parse_smarthost("smtp://user:hunter2@relay.test")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["smtp://relay.test:2525", "smtp://[2001:db8::1]:25", "lmtp:///run/lmtp"]
)
def test_smarthost_address_shows_its_url(text: str) -> None:
    address = parse_smarthost(text)
    assert str(address) == text
    assert parse_smarthost(str(address)) == address
    assert {address: 1}[parse_smarthost(text)] == 1


def test_smarthost_address_is_unequal_to_others() -> None:
    assert parse_smarthost("smtp://a") != parse_smarthost("smtp://a:26")
    assert parse_smarthost("smtp://a") != "smtp://a:25"
    assert repr(parse_smarthost("smtp://a")) == "SmarthostAddress('smtp', 'a', 25)"


@given(st.text(alphabet="smtpl:/@[]%.0123456789abf \n", max_size=30))
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    for candidate in (text, f"smtp://{text}", f"lmtp://{text}"):
        try:
            address = parse_smarthost(candidate)
        except ValueError:
            continue
        assert parse_smarthost(str(address)) == address
