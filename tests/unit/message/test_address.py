"""Addresses in header syntax, those that people write and those that attackers do."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.message.address import (
    TOKENS_LIMIT,
    AddressError,
    Mailbox,
    comparable,
    parse_list,
    parse_lists,
    parse_mailbox,
    qualify,
)
from pysendmail.message.envelope import RECIPIENTS_LIMIT
from pysendmail.message.lexer import Token


def addresses(text: bytes) -> list[bytes]:
    mailboxes, bad = parse_list(text)
    assert bad == []
    return [mailbox.address for mailbox in mailboxes]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(b"", [], id="empty"),
        pytest.param(b" ,, ,", [], id="empty-elements"),
        pytest.param(b"(nobody)", [], id="only-a-comment"),
        pytest.param(b"bob@example.org", [b"bob@example.org"], id="plain"),
        pytest.param(b"a@x,b@y, c@z", [b"a@x", b"b@y", b"c@z"], id="list"),
        pytest.param(b"a,,b", [b"a", b"b"], id="bare-names"),
        pytest.param(b"a@x; b@y", [b"a@x", b"b@y"], id="semicolon"),
        pytest.param(b"Who Else <w@x.test>", [b"w@x.test"], id="display-name"),
        pytest.param(b'"Carol, C." <c@z>', [b"c@z"], id="comma-in-quotes"),
        pytest.param(b'"(Cron Daemon)" <alice>', [b"alice"], id="cronie"),
        pytest.param(b"root (Cron Daemon)", [b"root"], id="debian-cron"),
        pytest.param(b"dave@example.org (D (x) \\) y)", [b"dave@example.org"], id="nested-comment"),
        pytest.param(b"=?UTF-8?Q?Doe=2C_J=3C?= <j@x>", [b"j@x"], id="encoded-word-is-opaque"),
        pytest.param("Zoë <zoe@x>".encode(), [b"zoe@x"], id="raw-utf-8-name"),
        pytest.param(b"Zo\xeb <zoe@x>", [b"zoe@x"], id="raw-latin-1-name"),
        pytest.param("zoë@exämple.org".encode(), ["zoë@exämple.org".encode()], id="utf-8-address"),
        pytest.param(b"<@a,@b.c:user@host>", [b"user@host"], id="route"),
        pytest.param(b"bob@example.org.", [b"bob@example.org"], id="trailing-dot"),
        pytest.param(
            b"a@[192.0.2.1], b@[IPv6:2001:db8::1]",
            [b"a@[192.0.2.1]", b"b@[IPv6:2001:db8::1]"],
            id="literals",
        ),
        pytest.param(b'"q r"@example.org', [b'"q r"@example.org'], id="quoted-local"),
        pytest.param(b'"a\\"b\\\\c"@x', [b'"a\\"b\\\\c"@x'], id="escapes-in-quotes"),
        pytest.param(b'"alice"@x', [b"alice@x"], id="needless-quotes"),
        pytest.param(b'"al\\ice"@x', [b"alice@x"], id="needless-escape"),
        pytest.param(b'"a b".c@x', [b'"a b.c"@x'], id="quoted-and-atom"),
        pytest.param(b'"a\r\n b"@x', [b'"a b"@x'], id="folding-in-quotes"),
        pytest.param(b'"a\\\r\n b"@x', [b'"a b"@x'], id="folding-behind-a-backslash"),
        pytest.param(b"[list]<a@x>", [b"a@x"], id="brackets-before-angle"),
        pytest.param(b"alice . smith @ x . org", [b"alice.smith@x.org"], id="obsolete-blanks"),
        pytest.param(
            b"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
            [b"pete@silly.test"],
            id="comments-everywhere",
        ),
        pytest.param(b"undisclosed-recipients:;", [], id="empty-group"),
        pytest.param(b"A Group: a@x, B <b@y>; , c@z", [b"a@x", b"b@y", b"c@z"], id="group"),
        pytest.param(b'"Team": a@x', [b"a@x"], id="group-without-end"),
        pytest.param(b"g: a@x; h: b@x;", [b"a@x", b"b@x"], id="groups"),
        pytest.param(b"[PROJ x] :) Bob <b@x>", [b"b@x"], id="strays-in-a-name"),
        pytest.param(b"alice@work <alice@x>", [b"alice@x"], id="address-as-name"),
        pytest.param(b"DOMAIN\\user <u@x>", [b"u@x"], id="backslash-in-a-name"),
        pytest.param(b'"Ca\trol" <c@x>', [b"c@x"], id="tab-in-a-name"),
        pytest.param(b" a@x,\r\n\tC\r\n <c@x>\r\n", [b"a@x", b"c@x"], id="folded"),
        pytest.param(b"-odd@example.org", [b"-odd@example.org"], id="hyphen-first"),
        pytest.param(
            b"x" * 256 + b"@" + b"y" * 255, [b"x" * 256 + b"@" + b"y" * 255], id="longest"
        ),
    ],
)
def test_address_list_is_read(text: bytes, expected: list[bytes]) -> None:
    assert addresses(text) == expected


def test_group_with_everything_in_it_is_read() -> None:
    text = (
        b'Team: =?UTF-8?Q?Doe=2C_J?= <j@example.org>, "a, b" <k@example.org>,'
        b' (c (d) \\) e) l@example.org,, "q r"@example.org;'
    )
    assert addresses(text) == [
        b"j@example.org",
        b"k@example.org",
        b"l@example.org",
        b'"q r"@example.org',
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"a b@c", id="unquoted-blank"),
        pytest.param(b"a@b c", id="text-after"),
        pytest.param(b"<a@b> c", id="text-after-angle"),
        pytest.param(b"<a@b> <c@d>", id="two-angles"),
        pytest.param(b"a@b@c", id="two-ats"),
        pytest.param(b"@c", id="no-local"),
        pytest.param(b"a@", id="no-domain"),
        pytest.param(b"a@b..c", id="empty-label"),
        pytest.param(b"a@.b", id="leading-dot-in-domain"),
        pytest.param(b'a@"b"', id="quoted-domain"),
        pytest.param(b"a@b!c", id="odd-octet-in-domain"),
        pytest.param(b"a@[192.0.2.1] x", id="text-after-literal"),
        pytest.param(b"a@[]", id="empty-literal"),
        pytest.param(b"[192.0.2.1]", id="mere-literal"),
        pytest.param(b"a@[192.0.2.1>]", id="angle-in-literal"),
        pytest.param(b"a@[<192.0.2.1]", id="other-angle-in-literal"),
        pytest.param(b'a@[192.0.2.1"]', id="quote-in-literal"),
        pytest.param(b"<>", id="null-path"),
        pytest.param(b'""@x', id="empty-quotes"),
        pytest.param(b'"a"b@x', id="quotes-without-dot"),
        pytest.param(b'"a\tb"@x', id="tab-in-address"),
        pytest.param(b'"a\0b"@x', id="nul-in-quotes"),
        pytest.param(b'"a\\\nb"@x', id="escaped-lf-in-quotes"),
        pytest.param(b"a\0b@x", id="nul"),
        pytest.param(b"a@b\r\nRCPT TO:<c@d>", id="crlf"),
        pytest.param(b"a@b\nDATA", id="lf"),
        pytest.param(b"a@b\r", id="cr"),
        pytest.param(b"Bob\nX <a@b>", id="lf-in-name"),
        pytest.param(b"Bob\x1b <a@b>", id="escape-in-name"),
        pytest.param(b"<a\x7f@b>", id="delete-in-angle"),
        pytest.param(b"zo\xeb@x", id="local-not-utf-8"),
        pytest.param(b"z@\xeb", id="domain-not-utf-8"),
        pytest.param(b"a\\b@x", id="backslash-inside"),
        pytest.param(b"\\", id="mere-backslash"),
        pytest.param(b'"open@x', id="open-quote"),
        pytest.param(b'"open\\', id="open-escape"),
        pytest.param(b"a@b (open", id="open-comment"),
        pytest.param(b"<a@b", id="open-angle"),
        pytest.param(b"a@b>", id="angle-not-opened"),
        pytest.param(b"<a:b@c>", id="colon-that-is-no-route"),
        pytest.param(b"a@b:c", id="colon-after-address"),
        pytest.param(b":a", id="group-without-name"),
        pytest.param(b"a:b:c", id="group-in-group"),
        pytest.param(b"<a)@b>", id="stray-in-address"),
        pytest.param(b"x" * 257 + b"@y", id="local-too-long"),
        pytest.param(b"x@" + b"y" * 256, id="domain-too-long"),
    ],
)
def test_element_that_is_no_address_is_given_back(text: bytes) -> None:
    mailboxes, bad = parse_list(text)
    assert mailboxes == []
    assert len(bad) == 1
    with pytest.raises(AddressError, match="not an address"):
        parse_mailbox(text)


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        pytest.param(b"a b, c@x", [b"c@x"], [b"a b"], id="blank"),
        pytest.param(b"<a, c@x", [b"c@x"], [b"<a"], id="open-angle"),
        pytest.param(b"g: a b, c@x; d@x", [b"c@x", b"d@x"], [b"a b"], id="in-a-group"),
        pytest.param(b'c@x, "open, d@x', [b"c@x"], [b'"open, d@x'], id="open-quote-takes-the-rest"),
    ],
)
def test_bad_element_leaves_the_good_ones(text: bytes, good: list[bytes], bad: list[bytes]) -> None:
    mailboxes, unreadable = parse_list(text)
    assert ([mailbox.address for mailbox in mailboxes], unreadable) == (good, bad)


def test_mailbox_tells_where_its_address_stands() -> None:
    text = b"A <root>,\r\n (x) bob . b @ x (y)"
    spans = [text[mailbox.start : mailbox.end] for mailbox in parse_list(text)[0]]
    assert spans == [b"root", b"bob . b @ x"]


def test_backslash_before_a_name_marks_it_literal() -> None:
    mailbox = parse_mailbox(b"\\root")
    assert (mailbox.local, mailbox.literal) == (b"root", True)
    assert not parse_mailbox(b"root").literal


def test_more_than_one_address_where_one_is_expected_is_an_error() -> None:
    with pytest.raises(AddressError, match="more than one"):
        parse_mailbox(b"a@x, b@x")


def test_error_shows_hostile_input_harmlessly() -> None:
    with pytest.raises(AddressError) as caught:
        parse_mailbox(b"a\r\n\x1b[0m\xff " + b"x" * 1000)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_bare_name_is_completed_with_the_origin() -> None:
    assert qualify(parse_mailbox(b"root"), b"example.test") == b"root@example.test"
    assert qualify(parse_mailbox(b"root@x"), b"example.test") == b"root@x"


def test_addresses_compare_by_domain_without_case() -> None:
    assert comparable(b"Bob@EXAMPLE.org") == b"Bob@example.org"
    assert comparable(b"Bob") == b"Bob"


def test_mailboxes_are_equal_by_value() -> None:
    assert Mailbox(b"a", b"x") == Mailbox(b"a", b"x")
    assert hash(Mailbox(b"a", b"x")) == hash(Mailbox(b"a", b"x"))
    assert Mailbox(b"a", b"x") != Mailbox(b"a", b"x", literal=True)
    assert Mailbox(b"a") != b"a"
    assert "b'a'" in repr(Mailbox(b"a"))
    assert "3, 4" in repr(Token(b"atom", 3, 4))


SYNTAX = b'ab@<>,;:.()[]"\\ \t\r\n\0\xc3\xa9\xff'


@given(st.lists(st.sampled_from([bytes([octet]) for octet in SYNTAX])).map(b"".join))
def test_anything_gives_only_addresses_that_are_safe_on_a_command_line(text: bytes) -> None:
    mailboxes, bad = parse_list(text)
    for mailbox in mailboxes:
        address = mailbox.address
        assert not any(octet < 32 or octet == 127 for octet in address)
        address.decode()
        again = parse_mailbox(address)  # says the same again, so it was written correctly
        assert (again.local, again.domain) == (mailbox.local, mailbox.domain)
        assert 0 <= mailbox.start < mailbox.end <= len(text)
    assert all(element and element in text for element in bad)


@given(st.lists(st.sampled_from([b"a", b".", b"@", b"-", b" ", b"\t", b"\xc3\xa9", b"\xc3"])))
def test_a_plain_address_is_what_its_tokens_say(parts: list[bytes]) -> None:
    """A comment behind an address means nothing, but has it read token by token."""
    text = b"".join(parts)
    plain, _ = parse_list(text + b"\r\n")
    assert plain == parse_list(text + b"()")[0]


@given(st.text(min_size=1, max_size=20).map(str.encode))
def test_local_part_in_quotes_is_read_back(local: bytes) -> None:
    quoted = b'"' + local.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"@x'
    mailboxes, _ = parse_list(quoted)
    for mailbox in mailboxes:
        assert parse_mailbox(mailbox.address).local == mailbox.local


HOSTILE = [
    b"(",
    b")",
    b'"',
    b"<",
    b">",
    b",",
    b":",
    b"@",
    b"\\",
    b"[",
    b"]",
    b".",
    b"a ",
    b"a.",
    b"[a",
    b"a:",
    b"<@",
    b'"\\',
    b'"a"',
    b"(a)",
    b"\r\n ",
    b"\0",
]


@pytest.mark.parametrize("unit", HOSTILE, ids=repr)
def test_hostile_repetition_takes_linear_time(unit: bytes) -> None:
    text = unit * (60_000 // len(unit))
    began = time.process_time()
    parse_list(text)
    # A quadratic pass over 60,000 octets takes minutes; a linear one a tenth of a second.
    assert time.process_time() - began < 3


def test_list_is_read_as_far_as_a_message_may_have_recipients() -> None:
    names = [b"a%d" % number for number in range(RECIPIENTS_LIMIT + 5)]
    mailboxes, bad = parse_list(b", ".join(names[:RECIPIENTS_LIMIT]) + b" ,, ")
    assert (len(mailboxes), bad) == (RECIPIENTS_LIMIT, [])
    mailboxes, bad = parse_list(b", ".join(names))
    assert [mailbox.address for mailbox in mailboxes] == names[:RECIPIENTS_LIMIT]
    assert bad == [b", ".join(names[RECIPIENTS_LIMIT:])]


@pytest.mark.parametrize("unit", [b"a ", b"@", b'"".', b"<@a,", b"[", b"(),", b",", b"a,", b"a b,"])
def test_list_of_anything_takes_no_more_memory_than_one_of_recipients(unit: bytes) -> None:
    text = unit * (256 * 1024 // len(unit))
    tracemalloc.start()
    try:
        found = parse_list(text)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found[0]) + len(found[1]) <= RECIPIENTS_LIMIT + 1
    assert peak < 12 * 1024 * 1024


def test_words_of_a_name_are_any_number_and_those_of_an_address_not() -> None:
    assert parse_mailbox(b"a " * 2000 + b"<b@x>").address == b"b@x"
    assert parse_mailbox(b"<@r," + b"@r," * 2000 + b"@r:b@x>").address == b"b@x"
    assert parse_mailbox(b'"".' * 250 + b"a@x").address == b'"' + b"." * 250 + b'a"@x'
    mailboxes, bad = parse_list(b"a " * 2000 + b": b@x;")
    assert (mailboxes, len(bad)) == ([], 1)


def test_list_is_read_up_to_a_bound_and_the_rest_is_one_element_more() -> None:
    text = b"a@b.c, " * RECIPIENTS_LIMIT
    mailboxes, bad = parse_list(text + b"\r\n")
    assert (len(mailboxes), bad) == (RECIPIENTS_LIMIT, [])
    mailboxes, bad = parse_list(text + b"d@e.f, g")
    assert (len(mailboxes), bad) == (RECIPIENTS_LIMIT, [b"d@e.f, g"])


def test_lists_are_read_until_they_are_too_many_together() -> None:
    text = b"a@b.c," * (RECIPIENTS_LIMIT // 2)
    mailboxes, _ = parse_lists(text for _ in range(4))
    assert len(mailboxes) == 3 * RECIPIENTS_LIMIT // 2


@pytest.mark.parametrize("end", [b"", b"@example.org"])
def test_more_words_than_an_address_can_have_are_none(end: bytes) -> None:
    text = b'"". ' * TOKENS_LIMIT + b'"x"' + end
    assert parse_list(text) == ([], [text])


def test_name_may_have_any_number_of_words() -> None:
    words = b"x " * (2 * TOKENS_LIMIT)
    mailboxes, bad = parse_list(words + b"<a@b.c>, " + words + b": d@e;")
    assert [mailbox.address for mailbox in mailboxes] == [b"a@b.c"]
    assert len(bad) == 1


@pytest.mark.parametrize("unit", [b",", b'""', b"a:;,", b"a,", b"a ", b"<", b"("], ids=repr)
def test_hostile_repetition_takes_bounded_memory(unit: bytes) -> None:
    text = unit * (400_000 // len(unit))
    tracemalloc.start()
    try:
        parse_list(text)
        assert tracemalloc.get_traced_memory()[1] < 16 * len(text)
    finally:
        tracemalloc.stop()
