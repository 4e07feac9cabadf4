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
    ("scheme", "wanted", "credentials", "policy"),
    [
        ("smtp", "", False, OPPORTUNISTIC),
        ("smtp", "", True, REQUIRED),
        ("submission", "", False, REQUIRED),
        ("submission", "", True, REQUIRED),
        ("submissions", "", False, IMPLICIT),
        ("submissions", "opportunistic", True, IMPLICIT),
        ("submission", "none", True, NONE),
        ("submission", "opportunistic", True, OPPORTUNISTIC),
        ("smtp", "required", False, REQUIRED),
    ],
)
def test_tls_is_required_where_a_password_travels(
    scheme: str, wanted: str, credentials: bool, policy: str
) -> None:
    assert tls_policy(scheme, wanted, credentials=credentials) == policy


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
    assert (first.user, first.password) == (b"me", b"secret")
    assert second.name == b"b.example.org:2525"


def test_repr_holds_no_password() -> None:
    [smarthost] = smarthosts_of(Config(smarthost=("smtp://h",), user=b"me"), b"secret")
    assert "secret" not in repr(smarthost)
    assert "me" in repr(smarthost)


def test_no_password_is_an_empty_one() -> None:
    [smarthost] = smarthosts_of(Config(smarthost=("smtp://h",)), None)
    assert (smarthost.user, smarthost.password) == (b"", b"")
