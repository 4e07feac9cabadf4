"""How far addresses reach, and whom the SMTP listener serves."""

from __future__ import annotations

import pytest

from pysendmail.config.endpoints import (
    LOOPBACK,
    PRIVATE,
    PUBLIC,
    is_wildcard,
    parse_endpoint,
    scope_of,
    serves,
)
from pysendmail.config.keys import find_key

SCOPES = [
    ("127.0.0.1", LOOPBACK),
    ("127.255.0.1", LOOPBACK),
    ("::1", LOOPBACK),
    ("::ffff:127.0.0.1", LOOPBACK),
    ("10.1.2.3", PRIVATE),
    ("172.16.0.1", PRIVATE),
    ("172.31.255.255", PRIVATE),
    ("192.168.0.1", PRIVATE),
    ("169.254.1.1", PRIVATE),
    ("fd00::1", PRIVATE),
    ("fe80::1", PRIVATE),
    ("fe80::1%eth0", PRIVATE),
    ("::ffff:10.0.0.1", PRIVATE),
    ("172.32.0.1", PUBLIC),
    ("192.0.2.1", PUBLIC),
    ("100.64.0.1", PUBLIC),
    ("8.8.8.8", PUBLIC),
    ("::ffff:8.8.8.8", PUBLIC),
    ("2001:db8::1", PUBLIC),
    ("0.0.0.0", PUBLIC),
]


@pytest.mark.parametrize(("address", "scope"), SCOPES)
def test_scope_of_an_address(address: str, scope: str) -> None:
    assert scope_of(address) == scope
    key = find_key("listen_for")
    assert key is not None
    served = {LOOPBACK: set(key.choices), PRIVATE: {"private", "anyone"}, PUBLIC: {"anyone"}}
    assert {audience for audience in key.choices if serves(audience, address)} == served[scope]


def test_endpoint_is_address_and_port() -> None:
    assert parse_endpoint("127.0.0.1:25") == ("127.0.0.1", 25)
    assert parse_endpoint("[::1]:0") == ("::1", 0)
    assert is_wildcard("0.0.0.0")
    assert is_wildcard("::")
    assert not is_wildcard("::1")
