"""Aliases: what names stand for, and who gets a message."""

from __future__ import annotations

from typing import Any

import pytest

from pysendmail.message.address import RECIPIENTS_LIMIT, AddressError, Mailbox, parse_list
from pysendmail.message.alias_file import parse_aliases
from pysendmail.message.aliases import (
    REJECT,
    Aliases,
    LocalNames,
    find_loops,
    resolve,
)
from pysendmail.message.outcome import FAILED, Outcome

ORIGIN = b"example.test"


def names_of(aliases: Aliases | None, **facts: Any) -> LocalNames:
    return LocalNames(aliases, origin=ORIGIN, hostname=b"client.example.test", **facts)


def found(
    recipients: bytes, aliases: Aliases | None, **facts: Any
) -> tuple[list[bytes], list[Outcome]]:
    mailboxes, _ = parse_list(recipients)
    pairs, failures = resolve(mailboxes, names_of(aliases, **facts))
    return [address for address, _ in pairs], failures


def resolved(recipients: bytes, text: bytes = b"", **facts: Any) -> list[bytes]:
    addresses, failures = found(recipients, parse_aliases(text), **facts)
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
        pytest.param(
            b"a: b@x,\\\nc@y, \\\n# comment\n\td@z\nb: e@x\n",
            [b"b@x", b"c@y", b"d@z"],
            id="continued-by-backslash",
        ),
        pytest.param(b"A : b@x\n", [b"b@x"], id="name-in-any-case"),
        pytest.param(b'"a": b@x\n', [b"b@x"], id="quoted-name"),
        pytest.param(b'"A": b@x\n', [b"b@x"], id="quoted-name-in-any-case"),
        pytest.param(b'a: "q r"\n"Q R": b@x\n', [b"b@x"], id="name-with-a-blank"),
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
    assert resolved(b"a", text) == expected


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
            b"a: /mail/a\n", b"f:1: mail is not written to files: '/mail/a'", id="file"
        ),
        pytest.param(
            b'a: "/var/mail/a"\n',
            b"f:1: mail is not written to files: '/var/mail/a'",
            id="quoted-file",
        ),
        pytest.param(
            b"a: /dev/null\n", b"f:1: mail is not written to files: '/dev/null'", id="null"
        ),
        pytest.param(b"a: :blackhole:\n", b"f:1: not supported: ':blackhole:'", id="blackhole"),
        pytest.param(b"a: :defer: x\n", b"f:1: not supported: ':defer: x'", id="defer"),
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
    addresses, failures = found(b"a", aliases)
    assert addresses == []
    [failure] = failures
    assert (failure.recipient, failure.kind, failure.status, failure.text) == (
        b"a@example.test",
        FAILED,
        b"5.3.5",
        reason,
    )
    assert aliases.errors == (reason.decode(),)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (b":fail: moved to b@x, sorry", b"moved to b@x, sorry"),
        (b'":fail: moved to b@x, sorry"', b"moved to b@x, sorry"),
        (b":ERROR:", b"no mail is taken for this name"),
    ],
)
def test_name_whose_mail_shall_fail_fails_with_those_words(target: bytes, reason: bytes) -> None:
    aliases = parse_aliases(b"a: " + target + b"\n")
    addresses, [failure] = found(b"a", aliases)
    assert addresses == []
    assert aliases.errors == ()
    assert (failure.status, failure.text) == (b"5.7.1", reason)


def test_decision_that_mail_shall_fail_stands_alone() -> None:
    aliases = parse_aliases(b"a: b@x, :fail: gone\n", path="f")
    assert found(b"a", aliases)[0] == [b"b@x"]
    assert aliases.errors == ("f:1: not supported: ':fail: gone'",)


def test_refused_target_does_not_stop_the_others() -> None:
    addresses, failures = found(b"a", parse_aliases(b"a: |x, b@y, /z\n"))
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
            b"a@x: b\n",
            "f:1: 'a@x' is never looked for: only a bare name can be an alias",
            id="address",
        ),
        pytest.param(
            b"*: b\n",
            "f:1: '*' is never looked for:"
            " the key unknown_local says where mail for all other names goes",
            id="catch-all",
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
    assert found(b"a", aliases) == ([b"b@x"], [])
    assert aliases.errors == ()


@pytest.mark.parametrize("text", [b"a: b\nb: a\n", b"a: b\nb: c\nc: b\n"], ids=["two", "three"])
def test_names_that_only_lead_to_each_other_are_a_failure(text: bytes) -> None:
    addresses, failures = found(b"a", parse_aliases(text))
    assert addresses == []
    assert [(failure.status, failure.recipient) for failure in failures] == [
        (b"5.4.6", b"a@example.test")
    ]


def test_chain_of_aliases_has_a_bound() -> None:
    text = b"".join(b"a%d: a%d\n" % (number, number + 1) for number in range(10))
    assert resolved(b"a1", text) == [b"a10@example.test"]
    addresses, failures = found(b"a0", parse_aliases(text + b"a10: b@x\n"))
    assert addresses == []
    assert b"more than 10 deep" in failures[0].text


def test_fan_out_of_aliases_takes_linear_time() -> None:
    text = b"".join(
        b"a%d: %b\n" % (level, b", ".join([b"a%d" % (level + 1)] * 500)) for level in range(9)
    )
    assert resolved(b"a0", text) == [b"a9@example.test"]


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
    addresses, failures = found(b"root, a, a@localhost", None, root=b"me@x", unknown=REJECT)
    assert addresses == [b"root@example.test", b"a@example.test"]
    assert failures == []


def test_failures_are_those_of_every_recipient() -> None:
    addresses, failures = found(b"a, b, c@x", parse_aliases(b"a: |x\nb: /y\n"))
    assert addresses == [b"c@x"]
    assert [failure.recipient for failure in failures] == [b"a@example.test", b"b@example.test"]


def test_root_that_is_no_address_is_an_error() -> None:
    with pytest.raises(AddressError):
        names_of(Aliases(), root=b"a b")


def test_aliases_tell_how_many_they_are() -> None:
    aliases = parse_aliases(b"a: b\n", path="f")
    assert repr(aliases) == "<1 aliases, 0 errors>"
    assert "b'b'" in repr(aliases.by_name[b"a"])
    assert "f:1" in repr(aliases.by_name[b"a"])


LOCAL = b"a: a@x\n"


@pytest.mark.parametrize(
    ("recipient", "expected"),
    [
        pytest.param(b"a@localhost", b"a@x", id="localhost"),
        pytest.param(b"a@LocalHost.LocalDomain", b"a@x", id="in-any-case"),
        pytest.param(b"a@client.example.test", b"a@x", id="hostname"),
        pytest.param(b"a@client", b"a@x", id="short-hostname"),
        pytest.param(b"a@box.example.test", b"a@x", id="configured"),
        pytest.param(b"a@example.test", b"a@example.test", id="origin"),
        pytest.param(b"a@other.test", b"a@other.test", id="elsewhere"),
        pytest.param(b"b@localhost", b"b@example.test", id="no-alias"),
        pytest.param(b"\\a@localhost", b"a@example.test", id="literal"),
    ],
)
def test_address_at_a_local_domain_is_a_name(recipient: bytes, expected: bytes) -> None:
    assert resolved(recipient, LOCAL, domains=[b"BOX.example.test"]) == [expected]


def test_origin_is_local_only_when_it_is_listed() -> None:
    here = b"a@example.test"
    [pair], _ = resolve([Mailbox(b"a", b"example.test")], LocalNames(
        parse_aliases(LOCAL), origin=b"example.test", hostname=b"example.test"
    ))  # fmt: skip
    assert pair[0] == here
    assert resolved(here, LOCAL, domains=[b"example.test"]) == [b"a@x"]


def test_alias_leads_through_a_local_domain_to_the_next() -> None:
    assert resolved(b"b", LOCAL + b"b: a@localhost, root@client\nroot: r@x\n") == [b"a@x", b"r@x"]


@pytest.mark.parametrize(
    ("recipient", "expected"),
    [
        pytest.param(b"bob", b"all@x", id="bare"),
        pytest.param(b"bob@localhost", b"all@x", id="local-domain"),
        pytest.param(b"root", b"all@x", id="root"),
        pytest.param(b"a", b"a@x", id="alias"),
        pytest.param(b"c", b"all@x", id="alias-to-an-unknown-name"),
        pytest.param(b"\\bob", b"bob@example.test", id="literal"),
        pytest.param(b"bob@example.test", b"bob@example.test", id="address"),
    ],
)
def test_unknown_names_go_to_the_address_for_all(recipient: bytes, expected: bytes) -> None:
    assert resolved(recipient, LOCAL + b"c: dave\n", unknown=b"all@x") == [expected]


def test_address_for_all_may_be_an_alias_and_may_be_unknown_itself() -> None:
    assert resolved(b"bob", LOCAL, unknown=b"a") == [b"a@x"]
    assert resolved(b"bob", LOCAL, unknown=b"admin") == [b"admin@example.test"]
    assert resolved(b"bob, jim", b"root: r@x\n", unknown=b"root") == [b"r@x"]


def test_unknown_names_are_rejected_where_that_is_wanted() -> None:
    addresses, failures = found(
        b"bob, a, jim@localhost, x@y", parse_aliases(LOCAL), unknown=REJECT
    )
    assert addresses == [b"a@x", b"x@y"]
    assert failures == [
        Outcome(name + b"@example.test", FAILED, b"5.1.1", b"no such user here")
        for name in (b"bob", b"jim")
    ]


def test_recipient_keeps_the_mailbox_that_led_to_it_first() -> None:
    mailboxes, _ = parse_list(b"staff, a@x, b@y")
    pairs, _ = resolve(mailboxes, names_of(parse_aliases(b"staff: a@x, c@z\n")))
    assert [(address, mailbox.local) for address, mailbox in pairs] == [
        (b"a@x", b"staff"),
        (b"c@z", b"staff"),
        (b"b@y", b"b"),
    ]


def test_alias_named_twice_fails_once() -> None:
    _, failures = found(b"a, A, a@localhost", parse_aliases(b"a: |x\n"))
    assert len(failures) == 1


def many(count: int) -> bytes:
    return b", ".join(b"r%d@x" % number for number in range(count))


def test_alias_for_too_many_fails_as_a_whole_and_the_others_are_served() -> None:
    text = b"all: %b\nsome: %b\n" % (many(RECIPIENTS_LIMIT + 1), many(RECIPIENTS_LIMIT - 1))
    addresses, failures = found(b"y@z, all, some", parse_aliases(text))
    assert len(addresses) == RECIPIENTS_LIMIT
    [failure] = failures
    assert (failure.recipient, failure.status) == (b"all@example.test", b"5.3.5")
    assert b"too many" in failure.text


def test_work_for_one_message_is_bounded() -> None:
    text = b"all: %b\n" % many(15_000)
    text += b"".join(b"a%d: all\n" % number for number in range(1000))
    recipients = b", ".join(b"a%d" % number for number in range(1000))
    addresses, failures = found(recipients, parse_aliases(text))
    assert len(addresses) == 15_000
    assert len(failures) > 900


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param(b"a: b\nb: a\n", [1, 2], id="loop"),
        pytest.param(b"a: a@x, b\nb: a\n", [], id="loop-with-an-end"),
        pytest.param(b"a: a\n", [], id="itself"),
        pytest.param(b"a: |x\n", [], id="refused"),
    ],
)
def test_loops_are_found_with_their_places(text: bytes, lines: list[int]) -> None:
    aliases = parse_aliases(text, path="f")
    assert find_loops(aliases, names_of(aliases)) == [
        f"f:{line}: the alias stands for nobody but itself: a loop" for line in lines
    ]
