"""The table of keys and the value made of it."""

from __future__ import annotations

import inspect

import pytest

from pysendmail.config.defaults import DELIVERY_MODES
from pysendmail.config.key import KINDS
from pysendmail.config.keys import KEYS, Config, find_key
from pysendmail.config.snapshot import PUBLIC_DEFAULTS
from pysendmail.config.values import PARSERS

# the names that scripts outside rely on
PROMISED = {
    "smarthost", "user", "password", "password_file", "origin", "hostname", "root", "aliases",
    "spool", "socket", "wait", "delivery_mode", "tls", "ca_file", "log",
}  # fmt: skip


def test_table_equals_attributes_of_config() -> None:
    annotated = inspect.get_annotations(Config, eval_str=True)
    types = {name: getattr(kind, "__origin__", kind) for name, kind in annotated.items()}
    assert types == {key.attribute: key.type for key in KEYS}


def test_names_are_unique_and_the_promised_ones_are_there() -> None:
    names = [key.name for key in KEYS]
    assert len(set(names)) == len(names)
    assert set(names) >= PROMISED


def test_kinds_and_parsers_are_the_same() -> None:
    assert set(KINDS) == set(PARSERS)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_default_and_example_are_of_the_kind(key) -> None:
    for text in (key.default, key.example):
        if text:
            assert type(key.parse(text)) is key.type
    assert key.default or key.example
    assert type(key.default_value) is key.type


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_documentation_is_sentences(key) -> None:
    assert key.doc.endswith(".")
    assert key.doc.isascii()
    assert key.expected


def test_shims_defaults_are_those_of_the_table() -> None:
    for name, value in PUBLIC_DEFAULTS.items():
        assert find_key(name).default_value == value
    assert find_key("delivery_mode").choices == DELIVERY_MODES


def test_from_is_an_attribute_with_another_name() -> None:
    key = find_key("from")
    assert (key.attribute, key.variable) == ("from_", "PYSENDMAIL_FROM")
    assert find_key("from_") is None


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("wait", "30 parsecs", "found '30 parsecs', expected a duration such as 90s, 5m"),
        ("wait", "2h", "at most 1h"),
        ("wait", "", "found nothing, expected a duration"),
        ("connections", "0", "found '0', expected a whole number, from 1 to 1000"),
        ("message_size", "10GiB", "from 1KiB to 4GiB"),
        ("tls", "yes", "expected one of required, opportunistic, none"),
        ("socket", "run/s", r"\(the path must be absolute\)"),
        ("smarthost", "smtps://x", r"\(write submissions:// instead\)"),
        ("sasl_mechanisms", "PLAIN, NTLM", "found 'PLAIN, NTLM', .*NTLM is none of PLAIN, LOGIN"),
        ("tls_pins", "sha256:00", "expected sha256: and 64 hexadecimal digits"),
        ("tls_minimum_version", "1.1", "expected one of 1.2, 1.3, insecure-1.0"),
        ("proxy", "socks4://u:S3cret@h:1", "found a text that is not shown, expected a URL"),
        ("source_address", "eth0", "found 'eth0', expected an IP address of this machine"),
        ("ignore_extensions", "CHUNKING,STARTTLS", "expected any of PIPELINING, CHUNKING, 8BIT"),
    ],
)
def test_refusal_tells_what_was_found_and_what_was_expected(
    name: str, text: str, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        find_key(name).parse(text)


@pytest.mark.parametrize(
    ("name", "text"), [("password", "hunter2\n"), ("smarthost", "smtp://u:hunter2@relay")]
)
def test_refusal_never_shows_a_secret(name: str, text: str) -> None:
    with pytest.raises(ValueError, match="not shown") as caught:
        find_key(name).parse(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("smarthost", ("smtp://a", "smtp://b"), "smtp://a, smtp://b"),
        ("user", b"j\xc3\xb6rg\xff", "j\u00f6rg\\xff"),
        ("wait", 90.0, "1m30s"),
        ("message_size", 1000, "1000"),
        ("linger", False, "false"),
        ("linger", True, "true"),
        ("connections", 10, "10"),
        ("password", b"x", "(not shown)"),
        ("password", b"", ""),
        ("spool", "/s", "/s"),
    ],
)
def test_value_is_shown_as_the_file_would_have_it(name: str, value, text: str) -> None:
    assert find_key(name).show(value) == text


def test_config_without_arguments_has_the_defaults() -> None:
    config = Config()
    assert (config.smarthost, config.user, config.tls, config.log) == ((), b"", "", "")
    assert (config.wait, config.retry_first, config.lifetime) == (30.0, 300.0, 432000.0)
    assert config.message_size == 52428800
    assert config.tls_verify
    assert not config.insecure_password


def test_config_takes_values_and_whole_seconds() -> None:
    config = Config(wait=5, from_=b"a@b.test")
    assert (config.wait, config.from_) == (5.0, b"a@b.test")


def test_config_of_wrong_type_or_name_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="origin is bytes, not 'x'"):
        Config(origin="x")
    with pytest.raises(TypeError, match="connections is int, not True"):
        Config(connections=True)
    with pytest.raises(TypeError, match="no such key: smarthots"):
        Config(smarthots=())


def test_config_is_not_changed_but_replaced() -> None:
    config = Config(user=b"a")
    with pytest.raises(AttributeError, match="replaced"):
        config.user = b"b"
    other = config.replaced(user=b"b")
    assert (config.user, other.user) == (b"a", b"b")
    assert other.replaced(user=b"a") == config
    assert other != config
    assert config != "config"
    assert hash(Config()) == hash(Config())


def test_config_shows_what_differs_and_no_secret() -> None:
    text = repr(Config(user=b"me", password=b"hunter2"))
    assert text == "Config(user=b'me', password=(not shown))"


def test_key_shows_its_name() -> None:
    assert repr(find_key("wait")) == "Key('wait', 'duration', default='30s')"
