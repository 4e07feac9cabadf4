"""What the configuration makes of a smarthost."""

from __future__ import annotations

import pytest

from pysendmail.config.keys import Config
from pysendmail.relay.smarthost import (
    IMPLICIT,
    NONE,
    OPPORTUNISTIC,
    REQUIRED,
    Smarthost,
    smarthosts_of,
    tls_policy,
)


@pytest.mark.parametrize(
    ("scheme", "port", "wanted", "identified", "policy"),
    [
        ("smtp", 25, "", False, OPPORTUNISTIC),
        ("smtp", 25, "", True, REQUIRED),
        ("submission", 587, "", False, REQUIRED),
        ("submission", 587, "", True, REQUIRED),
        ("submissions", 465, "", False, IMPLICIT),
        ("submissions", 465, "opportunistic", True, IMPLICIT),
        ("submission", 587, "none", True, NONE),
        ("submission", 587, "opportunistic", True, OPPORTUNISTIC),
        ("smtp", 25, "required", False, REQUIRED),
        ("smtp", 587, "", False, REQUIRED),
        ("smtp", 587, "opportunistic", False, OPPORTUNISTIC),
        ("smtp", 465, "", False, IMPLICIT),
        ("submission", 2525, "", False, REQUIRED),
    ],
)
def test_tls_is_required_where_a_password_travels(
    scheme: str, port: int, wanted: str, identified: bool, policy: str
) -> None:
    assert tls_policy(scheme, port, wanted, identified=identified) == policy


@pytest.mark.parametrize(
    ("tls", "verify"), [(REQUIRED, True), (IMPLICIT, True), (OPPORTUNISTIC, False), (NONE, False)]
)
def test_certificates_are_verified_where_tls_is_demanded(tls: str, verify: bool) -> None:
    assert Smarthost("h", 25, tls=tls).verify is verify
    assert Smarthost("h", 25, tls=tls, verify=False).verify is False


@pytest.mark.parametrize("tls", [REQUIRED, IMPLICIT, OPPORTUNISTIC, NONE])
def test_configuration_of_tls_is_made_once_for_a_smarthost(tls: str) -> None:
    smarthost = Smarthost("h", 25, tls=tls)
    assert (smarthost.tls_config is None) is (tls == NONE)
    if smarthost.tls_config is not None:
        assert smarthost.tls_config.verify is smarthost.verify


def test_smarthosts_are_in_the_order_of_the_configuration() -> None:
    config = Config(
        smarthost=("submission://a.example.org", "smtp://b.example.org:2525"), user=b"me"
    )
    first, second = smarthosts_of(config, b"secret")
    assert (first.host, first.port, first.tls) == ("a.example.org", 587, REQUIRED)
    assert (second.host, second.port, second.tls) == ("b.example.org", 2525, REQUIRED)
    assert (first.login.user, first.login.password) == (b"me", b"secret")
    assert second.name == b"b.example.org:2525"


def test_repr_holds_no_password() -> None:
    [smarthost] = smarthosts_of(Config(smarthost=("smtp://h",), user=b"me"), b"secret")
    assert "secret" not in repr(smarthost)
    assert "me" in repr(smarthost)


def test_no_password_is_an_empty_one() -> None:
    [smarthost] = smarthosts_of(Config(smarthost=("smtp://h",)), None)
    assert not smarthost.login
    assert smarthost.login.creds() == []


def test_unix_socket_has_neither_tls_nor_proxy_and_may_hear_the_password() -> None:
    config = Config(
        smarthost=("lmtp:///run/lmtp", "lmtp://h"), proxy="socks5://p:1", user=b"me"
    )
    local, remote = smarthosts_of(config, b"secret")
    assert (local.host, local.name, local.lmtp) == ("/run/lmtp", b"/run/lmtp", True)
    assert (local.tls, local.proxy, local.cleartext_allowed) == (NONE, None, True)
    assert (remote.tls, remote.proxy, remote.cleartext_allowed) == (REQUIRED, "socks5://p:1", False)
    assert (remote.name, remote.lmtp) == (b"h:24", True)


@pytest.mark.parametrize(
    "identity",
    [
        {"tls_certificate_file": "/c.pem"},
        {"tls_pins": (f"sha256:{'0' * 64}",)},
        {"token_file": "/t"},
        {"sasl_mechanisms": ("GSSAPI",)},
    ],
)
def test_tls_is_required_where_either_side_shows_who_it_is(identity: dict[str, object]) -> None:
    [smarthost] = smarthosts_of(Config(smarthost=("smtp://h",), **identity), None)
    assert smarthost.tls == REQUIRED


def test_all_that_the_keys_say_of_the_connection_is_handed_on() -> None:
    config = Config(
        smarthost=("smtp://h",), source_address="192.0.2.1", ignore_extensions=("CHUNKING",),
        ca_file="/ca.pem", ca_file_only=True, tls_minimum_version="1.3", tls_key_file="/k.pem",
        tls_certificate_file="/c.pem", sasl_mechanisms=("EXTERNAL",), sasl_authzid=b"other",
    )  # fmt: skip
    [smarthost] = smarthosts_of(config, None)
    assert (smarthost.source_address, smarthost.ignored) == ("192.0.2.1", (b"CHUNKING",))
    assert (smarthost.login.mechanisms, smarthost.login.authzid) == ((b"EXTERNAL",), b"other")
    tls = smarthost.tls_config
    assert tls is not None
    assert (tls.ca_file, tls.system_authorities) == ("/ca.pem", False)
    assert (tls.certificate_file, tls.key_file) == ("/c.pem", "/k.pem")
    assert tls.minimum_version == "1.3"
