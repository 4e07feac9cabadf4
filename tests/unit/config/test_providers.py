"""What the key `provider` stands for, in the configuration and on the page that tells it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pysendmail.config.load import load
from pysendmail.config.providers import HOSTS, PRESETS, filled_in, provider_of

PAGE = Path(__file__).parents[3] / "docs/identity.md"
YamlFile = Callable[..., str]


def test_mailbox_provider_makes_the_user_the_sender(yaml_file: YamlFile) -> None:
    path = yaml_file(
        "provider: gmail\nuser: me@mail.test\npassword_file: /x\norigin: o.test\n"
        "smarthost: submission://smtp.mail.test\n"
    )
    loaded = load({}, path)
    config = loaded.config
    me = b"me@mail.test"
    assert (config.rewrite, config.sender, config.from_) == ("all", me, me)
    assert {loaded.sources[name] for name in ("rewrite", "sender", "from")} == {"provider gmail"}
    assert ("from", "me@mail.test", "provider gmail") in list(loaded.changes())
    assert loaded.warnings == []


def test_what_was_set_is_not_filled_in(yaml_file: YamlFile) -> None:
    path = yaml_file(
        "provider: microsoft365\nuser: me@mail.test\npassword_file: /x\nrewrite: foreign\n"
        "from: alias@mail.test\n"
    )
    loaded = load({"PYSENDMAIL_SENDER": "bounces@mail.test"}, path)
    config = loaded.config
    assert (config.rewrite, config.sender) == ("foreign", b"bounces@mail.test")
    assert config.from_ == b"alias@mail.test"
    assert loaded.sources["from"] == f"{path}:5"


def test_provider_of_verified_domains_replaces_foreign_addresses_only() -> None:
    assert filled_in("ses", b"me@mail.test") == {"rewrite": "foreign", "sender": b"", "from_": b""}


def test_no_provider_fills_in_nothing() -> None:
    assert filled_in("", b"me@mail.test") == {}


@pytest.mark.parametrize("user", ["me", "me@x@y", '"me"@x', "me@"])
def test_user_who_is_no_address_is_told_of(yaml_file: YamlFile, user: str) -> None:
    path = yaml_file(f"provider: zoho\nuser: {user!r}\npassword_file: /x\norigin: o.test\n")
    assert f"{path}:1: key 'provider': the user is no address" in "\n".join(load({}, path).warnings)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("smtp.gmail.com", "gmail"),
        ("smtp-relay.gmail.com", ""),
        ("SMTP.Office365.com", "microsoft365"),
        ("email-smtp.eu-west-1.amazonaws.com", "ses"),
        ("notsendgrid.net", ""),
        ("localhost", ""),
    ],
)
def test_provider_is_known_by_its_host(host: str, name: str) -> None:
    assert provider_of(host) == name


def test_every_provider_has_a_host() -> None:
    assert set(HOSTS.values()) == set(PRESETS)


@pytest.mark.parametrize(
    ("more", "reminded"),
    [
        ("", True),
        ("from: a@mail.test\n", True),
        ("provider: gmail\n", False),
        ("rewrite: foreign\n", False),
        ("sender: a@mail.test\nfrom: a@mail.test\n", False),
    ],
)
def test_people_are_reminded_of_the_provider(
    yaml_file: YamlFile, more: str, reminded: bool
) -> None:
    text = "smarthost: submission://smtp.gmail.com\nuser: a@mail.test\npassword_file: /x\n"
    warnings = "\n".join(load({}, yaml_file(text + "origin: o.test\n" + more)).warnings)
    assert ("provider: gmail would make it take" in warnings) is reminded


@pytest.mark.parametrize("name", PRESETS)
def test_page_tells_what_each_provider_stands_for(name: str) -> None:
    filled = filled_in(name, b"user@x")
    shown = [
        filled["rewrite"],
        *("user" if filled[attribute] else "-" for attribute in ("sender", "from_")),
    ]
    assert f"| {name} | {' | '.join(map(str, shown))} |\n" in PAGE.read_text(encoding="utf-8")


def test_page_names_no_other_provider() -> None:
    rows = re.findall(r"^\| (\w+) \| (?:all|foreign) \|", PAGE.read_text(encoding="utf-8"), re.M)
    assert rows == list(PRESETS)


@pytest.mark.parametrize(
    "text",
    [
        "identities:\n  www-data: web@o.test\n  '@lan.test': lan\n  1000: a@b.test\n",
        'identities: {www-data: web@o.test, "@lan.test": lan, 1000: a@b.test}\n',
        'identities: "www-data: web@o.test,@lan.test:lan , 1000: a@b.test"\n',
    ],
)
def test_identities_are_a_mapping_or_a_line(yaml_file: YamlFile, text: str) -> None:
    expected = ("www-data: web@o.test", "@lan.test: lan", "1000: a@b.test")
    assert load({}, yaml_file(text)).config.identities == expected
    variable = {"PYSENDMAIL_IDENTITIES": ", ".join(expected)}
    assert load(variable, yaml_file("")).config.identities == expected
