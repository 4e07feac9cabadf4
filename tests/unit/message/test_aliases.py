"""Aliases: the file, and what its names stand for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.message.address import AddressError, parse_list
from pysendmail.message.aliases import (
    FILE_LIMIT,
    Aliases,
    expand,
    parse_aliases,
    read_aliases,
    resolve,
)
from pysendmail.message.outcome import FAILED

ORIGIN = b"example.test"


def expanded(text: bytes, name: bytes) -> list[bytes]:
    aliases = parse_aliases(text)
    addresses, failures = expand(name, aliases, origin=ORIGIN)
    assert failures == []
    return addresses


def resolved(
    recipients: bytes, text: bytes = b"", *, root: bytes = b"", literal: bool = False
) -> list[bytes]:
    mailboxes, _ = parse_list(recipients)
    aliases = None if literal else parse_aliases(text)
    addresses, failures = resolve(mailboxes, origin=ORIGIN, root=root, aliases=aliases)
    assert failures == []
    return addresses


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(b"a: b@x\n", [b"b@x"], id="one"),
        pytest.param(b"a: b@x", [b"b@x"], id="no-final-line-end"),
        pytest.param(b"a: b@x\r\nb: c\r\n", [b"b@x"], id="crlf"),
        pytest.param(b"# c\n\na:b@x,c@y ,, d\n", [b"b@x", b"c@y", b"d@example.test"], id="list"),
        pytest.param(
            b"a: b@x,\n\n# between\n\tc@y,\n  # indented\n d@z\n",
            [b"b@x", b"c@y", b"d@z"],
            id="continued",
        ),
        pytest.param(b"A : b@x\n", [b"b@x"], id="name-in-any-case"),
        pytest.param(b'"a": b@x\n', [b"b@x"], id="quoted-name"),
        pytest.param(b'a: "B, C" <b@x>, d@y (e, f)\n', [b"b@x", b"d@y"], id="names-and-comments"),
        pytest.param(b'a: "q r"@x\n', [b'"q r"@x'], id="quoted-local"),
        pytest.param(b"a: b\nb: c\nc: d@x\n", [b"d@x"], id="alias-of-an-alias"),
        pytest.param(b"a: b, c\nb: d@x\nc: d@X\n", [b"d@x"], id="duplicates"),
        pytest.param(b"a: a, b@x\n", [b"a@example.test", b"b@x"], id="itself"),
        pytest.param(b"a: b\nb: b, c@x\n", [b"b@example.test", b"c@x"], id="target-itself"),
        pytest.param(
            b"a: \\b, \\a\nb: c@x\n", [b"b@example.test", b"a@example.test"], id="literal"
        ),
        pytest.param(b"a: b, c@x\nb: a\n", [b"c@x"], id="loop-beside-an-address"),
        pytest.param(b"a: b, c\nb: d\nc: d\nd: e@x\n", [b"e@x"], id="two-ways"),
        pytest.param(b"a: b@x\na: c@y\n", [b"b@x"], id="first-of-two"),
        pytest.param(
            b"a: b@example.test\nb: c@x\n", [b"b@example.test"], id="address-at-the-origin"
        ),
        pytest.param(b"a: root@example.test\nroot: c@x\n", [b"c@x"], id="root-at-the-origin"),
        pytest.param(b"b: c@x\n", [b"a@example.test"], id="no-alias"),
    ],
)
def test_alias_stands_for_addresses(text: bytes, expected: list[bytes]) -> None:
    assert expanded(text, b"a") == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(b"\na: |/bin/sh\n", b"f:2: programs are not run: '|/bin/sh'", id="program"),
        pytest.param(
            b'a: "|/bin/sh -c x, y"\n',
            b"f:1: programs are not run: '|/bin/sh -c x, y'",
            id="quoted-program",
        ),
        pytest.param(
            b"a: /dev/null\n", b"f:1: mail is not written to files: '/dev/null'", id="file"
        ),
        pytest.param(
            b'a: "/var/mail/a"\n',
            b"f:1: mail is not written to files: '/var/mail/a'",
            id="quoted-file",
        ),
        pytest.param(b"a: :error: gone\n", b"f:1: not supported: ':error: gone'", id="error"),
        pytest.param(b"a: :include:/list\n", b"f:1: cannot include '/list' here", id="include"),
        pytest.param(b"a: b c\n", b"f:1: not an address: b c", id="no-address"),
        pytest.param(b"a: b@x # c\n", b"f:1: not an address: b@x # c", id="comment-behind"),
        pytest.param(b"a:\n", b"f:1: no target", id="empty"),
        pytest.param(b'a: "open\n', b'f:1: not an address: "open', id="open-quote"),
        pytest.param(b'a: "\n', b'f:1: not an address: "', id="mere-quote"),
    ],
)
def test_target_that_is_refused_fails_the_mail_and_names_the_line(
    text: bytes, reason: bytes
) -> None:
    aliases = parse_aliases(text, path="f")
    addresses, failures = expand(b"a", aliases, origin=ORIGIN)
    assert addresses == []
    [failure] = failures
    assert (failure.recipient, failure.kind, failure.status, failure.text) == (
        b"a@example.test",
        FAILED,
        b"5.3.5",
        reason,
    )
    assert aliases.errors == (reason.decode(),)


def test_refused_target_does_not_stop_the_others() -> None:
    addresses, failures = expand(b"a", parse_aliases(b"a: |x, b@y, /z\n"), origin=ORIGIN)
    assert addresses == [b"b@y"]
    assert len(failures) == 2


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param(
            b"a: b\nno alias\n", "f:2: expected 'name: target, …', found 'no alias'", id="no-colon"
        ),
        pytest.param(b": b\n", "f:1: expected 'name: target, …', found ': b'", id="no-name"),
        pytest.param(
            b'"a" b\n', "f:1: expected 'name: target, …', found '\"a\" b'", id="quoted-no-colon"
        ),
        pytest.param(
            b'"a: b\n', "f:1: expected 'name: target, …', found '\"a: b'", id="open-quote"
        ),
        pytest.param(
            b"a: b\nA: c\n", "f:2: 'a' has an alias already; this one is ignored", id="twice"
        ),
        pytest.param(
            b"\x1b[0m\xff\n", r"f:1: expected 'name: target, …', found '\x1b[0m\xff'", id="hostile"
        ),
    ],
)
def test_line_that_is_no_alias_is_an_error_with_its_number(text: bytes, error: str) -> None:
    assert parse_aliases(text, path="f").errors == (error,)


def test_blank_line_first_continues_nothing() -> None:
    aliases = parse_aliases(b" a: b@x\n")
    assert expand(b"a", aliases, origin=ORIGIN) == ([b"b@x"], [])
    assert aliases.errors == ()


@pytest.mark.parametrize("text", [b"a: b\nb: a\n", b"a: b\nb: c\nc: b\n"], ids=["two", "three"])
def test_names_that_only_lead_to_each_other_are_a_failure(text: bytes) -> None:
    addresses, failures = expand(b"a", parse_aliases(text), origin=ORIGIN)
    assert addresses == []
    assert [(failure.status, failure.recipient) for failure in failures] == [
        (b"5.4.6", b"a@example.test")
    ]


def test_chain_of_aliases_has_a_bound() -> None:
    text = b"".join(b"a%d: a%d\n" % (number, number + 1) for number in range(10))
    assert expanded(text, b"a1") == [b"a10@example.test"]
    addresses, failures = expand(b"a0", parse_aliases(text + b"a10: b@x\n"), origin=ORIGIN)
    assert addresses == []
    assert b"more than 10 deep" in failures[0].text


def test_fan_out_of_aliases_takes_linear_time() -> None:
    text = b"".join(
        b"a%d: %b\n" % (level, b", ".join([b"a%d" % (level + 1)] * 500)) for level in range(9)
    )
    assert expanded(text, b"a0") == [b"a9@example.test"]


@pytest.mark.parametrize(
    ("recipients", "text", "root", "expected"),
    [
        pytest.param(b"bob, b@x", b"", b"", [b"bob@example.test", b"b@x"], id="bare-is-qualified"),
        pytest.param(b"root", b"", b"", [b"root@example.test"], id="root-without-configuration"),
        pytest.param(b"Root", b"", b"me@x", [b"me@x"], id="configured-root"),
        pytest.param(b"root", b"root: you@y\n", b"me@x", [b"me@x"], id="configuration-wins"),
        pytest.param(b"root", b"root: you@y\n", b"", [b"you@y"], id="root-of-the-file"),
        pytest.param(b"root@EXAMPLE.test", b"", b"me@x", [b"me@x"], id="root-at-the-origin"),
        pytest.param(b"root@other", b"", b"me@x", [b"root@other"], id="root-elsewhere"),
        pytest.param(b"\\root", b"", b"me@x", [b"root@example.test"], id="literal"),
        pytest.param(b"postmaster, MAILER-DAEMON", b"", b"me@x", [b"me@x"], id="roots-other-names"),
        pytest.param(
            b"postmaster", b"postmaster: p@x\n", b"me@x", [b"p@x"], id="postmaster-of-the-file"
        ),
        pytest.param(
            b"postmaster", b"root: you@y\n", b"", [b"you@y"], id="postmaster-to-files-root"
        ),
        pytest.param(b"postmaster", b"", b"", [b"postmaster@example.test"], id="postmaster-alone"),
        pytest.param(b"a", b"a: postmaster\n", b"me@x", [b"me@x"], id="alias-to-postmaster"),
        pytest.param(b"root", b"alice: a@x\n", b"alice", [b"a@x"], id="root-is-an-alias"),
        pytest.param(b"root", b"", b"root", [b"root@example.test"], id="root-is-root"),
        pytest.param(
            b"root", b"", b"root@example.test", [b"root@example.test"], id="root-is-root-there"
        ),
        pytest.param(
            b"bob@example.test", b"bob: b@x\n", b"", [b"bob@example.test"], id="address-is-final"
        ),
        pytest.param(b"a@x, A@X, a@X", b"", b"", [b"a@x", b"A@X"], id="duplicates"),
    ],
)
def test_recipients_are_resolved(
    recipients: bytes, text: bytes, root: bytes, expected: list[bytes]
) -> None:
    assert resolved(recipients, text, root=root) == expected


def test_without_aliases_names_stand_for_themselves() -> None:
    assert resolved(b"root, a", b"a: b@x\n", root=b"me@x", literal=True) == [
        b"root@example.test",
        b"a@example.test",
    ]


def test_failures_are_those_of_every_recipient() -> None:
    mailboxes, _ = parse_list(b"a, b, c@x")
    aliases = parse_aliases(b"a: |x\nb: /y\n")
    addresses, failures = resolve(mailboxes, origin=ORIGIN, root=b"", aliases=aliases)
    assert addresses == [b"c@x"]
    assert [failure.recipient for failure in failures] == [b"a@example.test", b"b@example.test"]


def test_root_that_is_no_address_is_an_error() -> None:
    with pytest.raises(AddressError):
        Aliases().with_root(b"a b")


def test_aliases_tell_how_many_they_are() -> None:
    assert repr(parse_aliases(b"a: b\n")) == "<1 aliases, 0 errors>"
    alias = parse_aliases(b"a: b\n").find(b"A")
    assert "b'b'" in repr(alias)


def test_missing_file_has_no_aliases(tmp_path: Path) -> None:
    assert read_aliases(str(tmp_path / "aliases")).by_name == {}


def test_file_is_read_with_what_it_includes(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"# members\nb@x, C <c@y>\n\nd\n:include:/e\n|f\n")
    path = tmp_path / "aliases"
    path.write_bytes(b"a: :include:%b/list, z@z\nd: e@x\n" % os.fsencode(tmp_path))
    aliases = read_aliases(str(path))
    addresses, failures = expand(b"a", aliases, origin=ORIGIN)
    assert addresses == [b"b@x", b"c@y", b"z@z", b"e@x"]
    assert aliases.errors == (
        f"{tmp_path}/list:5: cannot include '/e' here",
        f"{tmp_path}/list:6: programs are not run: '|f'",
    )
    assert len(failures) == 2


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        pytest.param(b":include:/missing/list", "No such file", id="missing"),
        pytest.param(b":include:list", "cannot include 'list' here", id="relative"),
        pytest.param(b":include:/a\0b", "null byte", id="nul"),
        pytest.param(b":include:/", "Is a directory", id="directory"),
    ],
)
def test_file_that_cannot_be_included_is_an_error(
    tmp_path: Path, target: bytes, reason: str
) -> None:
    path = tmp_path / "aliases"
    path.write_bytes(b"a: " + target + b"\n")
    [error] = read_aliases(str(path)).errors
    assert error.startswith(f"{path}:1: cannot include")
    assert reason in error


def test_file_that_is_too_large_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "aliases"
    with open(path, "wb") as file:
        file.truncate(FILE_LIMIT + 1)
    with pytest.raises(OSError, match="16 MiB"):
        read_aliases(str(path))


@given(
    st.lists(
        st.sampled_from([b"a", b"b", b":", b",", b" ", b"\n", b'"', b"\\", b"|", b"(", b"\xff"])
    )
)
def test_any_file_is_read(pieces: list[bytes]) -> None:
    aliases = parse_aliases(b"".join(pieces))
    for name in list(aliases.by_name):
        addresses, failures = expand(name, aliases, origin=ORIGIN)
        assert addresses or failures
