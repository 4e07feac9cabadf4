"""Command lines: what is taken, what is refused, and how."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.smtp import Client, Extensions, Recipient, UsageError, sendmail
from pysendmail.smtp.arguments import check_address, format_rcpt, format_xtext
from pysendmail.smtp.server.commands import (
    parse_bdat,
    parse_mail,
    parse_rcpt,
    parse_xtext,
    split_command,
)
from pysendmail.smtp.server.replies import Refusal
from tests.unit.smtp.streams import Peer

PATHS = [
    (b"<a@example.org>", b"a@example.org"),
    (b" <a@example.org>", b"a@example.org"),
    (b"a@example.org", b"a@example.org"),
    (b"<root>", b"root"),
    (b"<@one,@two:a@example.org>", b"a@example.org"),
    (b'<"a b>c"@example.org>', b'"a b>c"@example.org'),
    (b'<"a\\">"@example.org>', b'"a\\">"@example.org'),
    ("<zoë@example.org>".encode(), "zoë@example.org".encode()),
    (b"<a@[192.0.2.1]>", b"a@[192.0.2.1]"),
]
BAD_PATHS = [
    (b"<a b@example.org>", 553),
    (b"<a@example.org", 501),
    (b"<a@example.org>x", 501),
    (b"<<a@example.org>>", 501),
    (b'<"a@example.org>', 501),
    (b"<a\xff@example.org>", 553),
    (b"<a\\b@example.org>", 553),
    (b"<" + b"a" * 600 + b">", 553),
    (b"", 501),
]


@pytest.mark.parametrize(("text", "address"), PATHS)
def test_path_is_read(text: bytes, address: bytes) -> None:
    assert parse_mail(b"FROM:" + text).sender == address
    assert parse_rcpt(b"to:" + text).address == address


@pytest.mark.parametrize(("text", "code"), BAD_PATHS)
def test_bad_path_is_refused(text: bytes, code: int) -> None:
    for parse, keyword in ((parse_mail, b"FROM:"), (parse_rcpt, b"TO:")):
        with pytest.raises(Refusal) as refused:
            parse(keyword + text)
        assert refused.value.reply.code == code


def test_null_sender_is_one_and_null_recipient_is_none() -> None:
    assert parse_mail(b"FROM:<>").sender == b""
    with pytest.raises(Refusal) as refused:
        parse_rcpt(b"TO:<>")
    assert refused.value.reply.code == 553


@pytest.mark.parametrize("arguments", [b"", b"FROM", b"TO:<a@b>", b"FROM <a@b>"])
def test_mail_without_its_keyword_is_refused(arguments: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        parse_mail(arguments)
    assert refused.value.reply.code == 501


def test_mail_parameters_are_read() -> None:
    transaction = parse_mail(
        b"FROM:<a@b> SIZE=12 body=8bitmime RET=hdrs ENVID=x+2By SMTPUTF8 AUTH=<>"
    )
    assert (transaction.declared, transaction.body_type) == (12, b"8BITMIME")
    assert (transaction.ret, transaction.envid) == (b"HDRS", b"x+y")
    assert transaction.smtputf8


@pytest.mark.parametrize(
    ("parameter", "code"),
    [
        (b"SIZE=x", 501),
        (b"SIZE=" + b"9" * 30, 501),
        (b"SIZE", 501),
        (b"SIZE=1 SIZE=1", 501),
        (b"BODY=BINARYMIME", 555),
        (b"RET=SOME", 501),
        (b"ENVID=a+", 501),
        (b"ENVID=a+0A", 501),
        (b"ENVID=" + b"a" * 101, 501),
        (b"ENVID=" + b"=" * 34, 501),  # as xtext more than 100 octets
        (b"SMTPUTF8=1", 501),
        (b"HOLDFOR=1", 555),
        (b"=", 501),
    ],
)
def test_bad_mail_parameter_is_refused(parameter: bytes, code: int) -> None:
    with pytest.raises(Refusal) as refused:
        parse_mail(b"FROM:<a@b> " + parameter)
    assert refused.value.reply.code == code


def test_escapes_that_are_not_needed_count_as_what_they_stand_for() -> None:
    assert parse_mail(b"FROM:<a@b> ENVID=" + b"+41" * 100).envid == b"A" * 100
    assert parse_rcpt(b"TO:<a@b> ORCPT=x;" + b"+41" * 498).orcpt == b"x;" + b"A" * 498


def test_rcpt_parameters_are_read() -> None:
    recipient = parse_rcpt(b"TO:<a@b> NOTIFY=success,Delay ORCPT=rfc822;a+2Bb@c")
    assert recipient.notify == (b"SUCCESS", b"DELAY")
    assert recipient.orcpt == b"rfc822;a+b@c"
    assert parse_rcpt(b"TO:<a@b> NOTIFY=NEVER").notify == (b"NEVER",)
    assert parse_rcpt(b"TO:<a@b> ORCPT=utf-8;a\\x{EB}@c").orcpt == b""


@pytest.mark.parametrize(
    ("parameter", "code"),
    [
        (b"NOTIFY=NEVER,SUCCESS", 501),
        (b"NOTIFY=SUCCESS,SUCCESS", 501),
        (b"NOTIFY=", 501),
        (b"ORCPT=a@c", 501),
        (b"ORCPT=rfc822;a+0D+0Ab", 501),
        (b"ORCPT=rfc822;" + b"a" * 600, 501),
        (b"ORCPT=rfc822;" + b"=" * 165, 501),  # as xtext more than 500 octets
        (b"ORCPT=-;a", 501),
        (b"X=1", 555),
    ],
)
def test_bad_rcpt_parameter_is_refused(parameter: bytes, code: int) -> None:
    with pytest.raises(Refusal) as refused:
        parse_rcpt(b"TO:<a@b> " + parameter)
    assert refused.value.reply.code == code


@pytest.mark.parametrize(
    ("arguments", "found"), [(b"0 LAST", (0, True)), (b"12", (12, False)), (b"7  last", (7, True))]
)
def test_bdat_is_read(arguments: bytes, found: tuple[int, bool]) -> None:
    assert parse_bdat(arguments) == found


@pytest.mark.parametrize("arguments", [b"", b"LAST", b"-1", b"1 FIRST", b"9" * 19])
def test_bad_bdat_is_refused(arguments: bytes) -> None:
    with pytest.raises(Refusal):
        parse_bdat(arguments)


def test_verb_is_read_in_any_case_and_control_octets_are_refused() -> None:
    assert split_command(b" mail  FROM:<> ") == (b"MAIL", b"FROM:<>")
    with pytest.raises(Refusal):
        split_command(b"MAIL FROM:<a@b>\rDATA")


@given(st.binary(max_size=60).filter(lambda octets: b"\0" not in octets))
def test_any_address_that_comes_out_is_safe_in_a_command(text: bytes) -> None:
    try:
        address = parse_rcpt(b"TO:" + text).address
    except Refusal:
        return
    assert check_address(address, utf8=True) == address


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40))
def test_xtext_is_read_as_it_was_written(text: str) -> None:
    assert parse_xtext(format_xtext(text.encode())) == text.encode()


@given(
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=20).map(
        str.encode
    )
)
def test_local_part_in_quotes_is_the_same_from_the_header_to_the_server(local: bytes) -> None:
    quoted = b'"%s"' % local.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    peer = Peer(
        b"220 mx\r\n", b"250 mx\r\n", b"250 a\r\n", b"250 b\r\n", b"354 go\r\n", b"250 taken\r\n"
    )
    client = Client(peer, peer)
    client.helo(b"me")
    sendmail(client, b"To: %s@example.org\n\ntext\n" % quoted)
    verb, arguments = split_command(peer.writes[2].removesuffix(b"\r\n"))
    assert verb == b"RCPT"
    heard = parse_rcpt(arguments).address
    assert heard in (local + b"@example.org", quoted + b"@example.org")


@given(
    st.binary(min_size=1, max_size=20)
    | st.lists(st.sampled_from([b'"', b"\\", b"<", b">", b" ", b"@", b":", b"a"])).map(b"".join)
)
def test_address_that_the_client_says_is_heard_or_refused_and_never_another(address: bytes) -> None:
    try:
        line = format_rcpt(Extensions(), Recipient(address))
        heard = parse_rcpt(split_command(line.removesuffix(b"\r\n"))[1])
    except (UsageError, Refusal):
        return
    # Only a source route is dropped, as RFC 5321 appendix C has it.
    routed = address.startswith(b"@") and address.endswith(b":" + heard.address)
    assert heard.address == address or routed
    assert not (heard.notify or heard.orcpt or heard.parameters)
