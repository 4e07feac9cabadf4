"""Under which address a message goes out."""

from __future__ import annotations

import pytest

from pysendmail.message.senders import Senders, domain_of

OWN, ALL = b"www-data@example.org", b"mailer@mail.example.net"
IDENTITIES = {
    b"www-data@example.org": b"web@example.org",
    b"1000@example.org": b"jim@example.org",
    b"root@OLD.example": b"admin@example.org",
    b"@lan.example": b"lan@example.org",
}


def senders(own: bytes = OWN, **options: object) -> Senders:
    return Senders(own, origin=b"example.org", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("address", [OWN, b"a@elsewhere.example", b""])
def test_nothing_configured_keeps_every_address(address: bytes) -> None:
    rules = senders()
    assert rules.sender_for(address) == rules.author_for(address) == address


@pytest.mark.parametrize("address", [OWN, b"a@elsewhere.example"])
def test_address_for_all_stands_where_it_was_configured_for(address: bytes) -> None:
    assert senders(sender=ALL).sender_for(address) == ALL
    assert senders(sender=ALL).author_for(address) == address
    assert senders(author=ALL).author_for(address) == ALL
    assert senders(author=ALL).sender_for(address) == address


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (OWN, OWN),
        (b"bounces@Example.ORG", b"bounces@Example.ORG"),
        (b"a@sub.example.org", b"a@sub.example.org"),
        (b"a@mail.example.net", b"a@mail.example.net"),
        (b"visitor@gmail.example", ALL),
        (b"a@notexample.org", ALL),
        (b"a@example.net", ALL),
        (b"", ALL),
    ],
)
def test_only_foreign_addresses_are_replaced_where_that_is_asked(
    address: bytes, expected: bytes
) -> None:
    rules = senders(author=ALL, rewrite=True, only_foreign=True)
    assert rules.author_for(address) == expected


def test_own_address_stands_in_where_there_is_none_for_all() -> None:
    rules = senders(rewrite=True, only_foreign=True)
    assert rules.sender_for(b"visitor@gmail.example") == OWN
    assert senders(rewrite=True).sender_for(b"bounces@example.org") == OWN


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (OWN, b"web@example.org"),
        (b"root@old.example", b"admin@example.org"),
        (b"ROOT@old.example", b"ROOT@old.example"),
        (b"anybody@lan.example", b"lan@example.org"),
        (b"a@sub.lan.example", b"a@sub.lan.example"),
        (b"else@example.org", b"else@example.org"),
    ],
)
def test_identity_of_an_address_or_a_domain_holds_always(address: bytes, expected: bytes) -> None:
    rules = senders(identities=IDENTITIES)
    assert rules.sender_for(address) == rules.author_for(address) == expected


def test_identity_of_the_submitter_goes_before_the_address_for_all() -> None:
    rules = senders(identities=IDENTITIES, sender=ALL)
    assert rules.sender_for(b"a@elsewhere.example") == b"web@example.org"
    assert rules.sender_for(b"root@old.example") == b"admin@example.org"
    other = senders(b"joe@example.org", identities=IDENTITIES, sender=ALL)
    assert other.sender_for(b"joe@example.org") == ALL


def test_uid_is_a_name_of_the_submitter_too() -> None:
    rules = senders(
        b"jim@example.org", by_uid=b"1000@example.org", identities=IDENTITIES, sender=ALL
    )
    assert rules.sender_for(b"a@elsewhere.example") == b"jim@example.org"


@pytest.mark.parametrize(
    ("address", "domain"), [(b"a@b", b"b"), (b'"a@b"@c', b"c"), (b"a", b""), (b"", b"")]
)
def test_domain_of_an_address(address: bytes, domain: bytes) -> None:
    assert domain_of(address) == domain
