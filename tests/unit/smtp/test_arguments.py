from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.smtp import (
    Extensions,
    MissingExtension,
    Recipient,
    SizeExceeded,
    Transaction,
    UsageError,
    arguments,
)
from pysendmail.smtp.arguments import format_command, format_hello, format_xtext
from pysendmail.smtp.extensions import parse_extensions

NOTHING = Extensions((b"mx",))
EVERYTHING = parse_extensions(
    (
        b"mx", b"SIZE 1000", b"8BITMIME", b"SMTPUTF8", b"DSN", b"AUTH PLAIN", b"REQUIRETLS",
        b"CHUNKING", b"BINARYMIME",
    )
)  # fmt: skip


def format_mail(extensions: Extensions, sender: bytes, **options: Any) -> bytes:
    return arguments.format_mail(extensions, Transaction(sender, (), b"", **options))


def format_rcpt(
    extensions: Extensions, address: bytes, *, smtputf8: bool = False, **options: Any
) -> bytes:
    return arguments.format_rcpt(extensions, Recipient(address, **options), smtputf8=smtputf8)


@pytest.mark.parametrize(
    ("address", "utf8"),
    [
        (b"alice@example.com", False),
        (b"-alice@example.com", False),
        (b"postmaster", False),
        (b"o'hara+tag@example.com", False),
        (b'"a b"@example.com', False),
        (b'"a\\"b>\\\\"@example.com', False),
        (b"alice@[192.0.2.1]", False),
        (b"alice@[IPv6:2001:db8::1]", False),
        (b"alice@example.com.", False),
        ("grüße@bücher.example".encode(), True),
    ],
)
def test_address_is_sent_as_it_is(address: bytes, utf8: bool) -> None:
    line = format_rcpt(EVERYTHING, address, smtputf8=utf8)
    assert line == b"RCPT TO:<%s>\r\n" % address
    line = format_mail(EVERYTHING, address, smtputf8=utf8)
    assert line == b"MAIL FROM:<%s>%s\r\n" % (address, b" SMTPUTF8" if utf8 else b"")


@pytest.mark.parametrize(
    "address",
    [
        b"a@x\r\nRSET",
        b"a@x\n",
        b"a@x\r",
        b"a\0@x",
        b"a\t@x",
        b"a\x7f@x",
        b"a@x> SIZE=1",
        b"a@x>",
        b"<a@x",
        b"a b@x",
        b'"a b@x',
        b'"a b"> X=<@x',
        b'"a"',
        b'"a\\',
        b'"a\\"',
        b'a"b"@x',
        b"a\\b@x",
        b'"a\r\n"@x',
        b"a\xff@x",
        "ü@x".encode(),
        b"x" * 513,
        b"",
    ],
)
def test_address_that_is_more_than_an_address_is_refused(address: bytes) -> None:
    with pytest.raises(UsageError):
        format_rcpt(EVERYTHING, address)


def test_smtputf8_address_must_be_utf8() -> None:
    with pytest.raises(UsageError, match="not UTF-8"):
        format_rcpt(EVERYTHING, b"\xff@x", smtputf8=True)


@given(st.binary(min_size=1, max_size=30), st.booleans())
def test_any_address_stays_within_its_brackets(address: bytes, utf8: bool) -> None:
    try:
        line = format_rcpt(EVERYTHING, address, smtputf8=utf8)
    except UsageError:
        return
    assert line == b"RCPT TO:<%s>\r\n" % address
    assert not any(octet < 32 or octet == 127 for octet in line[:-2])


def test_null_sender_is_an_empty_path() -> None:
    assert format_mail(NOTHING, b"") == b"MAIL FROM:<>\r\n"


def test_parameters_go_only_where_they_are_offered() -> None:
    options = {"size": 10, "body": b"8BITMIME", "ret": b"HDRS", "envid": b"a+b"}
    assert format_mail(NOTHING, b"a@x", **options) == b"MAIL FROM:<a@x>\r\n"
    assert (
        format_mail(EVERYTHING, b"a@x", smtputf8=True, **options)
        == b"MAIL FROM:<a@x> SIZE=10 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb\r\n"
    )
    assert format_mail(EVERYTHING, b"a@x", ret=b"FULL") == b"MAIL FROM:<a@x> RET=FULL\r\n"
    assert format_mail(EVERYTHING, b"a@x", envid=b"e") == b"MAIL FROM:<a@x> ENVID=e\r\n"


def test_size_beyond_the_limit_is_told_before_sending() -> None:
    assert b"SIZE=1000" in format_mail(EVERYTHING, b"a@x", size=1000)
    with pytest.raises(SizeExceeded) as caught:
        format_mail(EVERYTHING, b"a@x", size=1001)
    assert (caught.value.size, caught.value.limit) == (1001, 1000)


def test_size_goes_to_a_server_without_limit() -> None:
    unlimited = parse_extensions((b"mx", b"SIZE"))
    assert format_mail(unlimited, b"", size=5) == b"MAIL FROM:<> SIZE=5\r\n"


def test_smtputf8_missing_is_told_before_sending() -> None:
    with pytest.raises(MissingExtension) as caught:
        format_mail(NOTHING, b"a@x", smtputf8=True)
    assert caught.value.name == b"SMTPUTF8"


@pytest.mark.parametrize(
    "options",
    [
        {"body": b"9BIT"},
        {"ret": b"SOME"},
        {"ret": b"FULL SIZE=1"},
        {"envid": b"x" * 101},
        {"envid": b"\xff" * 40},
    ],
)
def test_mail_parameter_out_of_form_is_refused(options: dict[str, bytes]) -> None:
    for extensions in (NOTHING, EVERYTHING):
        with pytest.raises(UsageError):
            format_mail(extensions, b"a@x", **options)


@pytest.mark.parametrize(
    ("notify", "orcpt", "parameters"),
    [
        ((b"NEVER",), b"", b" NOTIFY=NEVER"),
        ((b"SUCCESS", b"DELAY"), b"", b" NOTIFY=SUCCESS,DELAY"),
        ((), b"rfc822;a+b=c@x", b" ORCPT=rfc822;a+2Bb+3Dc@x"),
        ((b"FAILURE",), b"x-type;y", b" NOTIFY=FAILURE ORCPT=x-type;y"),
        ((), "rfc822;ü+@x".encode(), b" ORCPT=utf-8;\\x{FC}\\x{2B}@x"),
        ((), b"rfc822;a b\r\n", b" ORCPT=rfc822;a+20b+0D+0A"),
    ],
)
def test_dsn_parameters_of_rcpt_are_encoded(
    notify: tuple[bytes, ...], orcpt: bytes, parameters: bytes
) -> None:
    line = format_rcpt(EVERYTHING, b"a@x", notify=notify, orcpt=orcpt)
    assert line == b"RCPT TO:<a@x>%s\r\n" % parameters
    assert format_rcpt(NOTHING, b"a@x", notify=notify, orcpt=orcpt) == b"RCPT TO:<a@x>\r\n"


@pytest.mark.parametrize(
    "options",
    [
        {"notify": (b"NEVER", b"DELAY")},
        {"notify": (b"never",)},
        {"notify": (b"DELAY ORCPT=x",)},
        {"orcpt": b"no-type"},
        {"orcpt": b";a@x"},
        {"orcpt": b"rfc822;"},
        {"orcpt": b"rfc 822;a@x"},
        {"orcpt": b"rfc822;\xff"},
        {"orcpt": "rfc822;ü\n".encode()},
        {"orcpt": b"rfc822;" + b"x" * 500},
    ],
)
def test_rcpt_parameter_out_of_form_is_refused(options: dict[str, bytes]) -> None:
    for extensions in (NOTHING, EVERYTHING):
        with pytest.raises(UsageError):
            format_rcpt(extensions, b"a@x", **options)


def test_auth_names_the_submitter_where_it_is_offered() -> None:
    assert format_mail(EVERYTHING, b"", auth=b"e+3@x") == b"MAIL FROM:<> AUTH=e+2B3@x\r\n"
    assert format_mail(EVERYTHING, b"", auth=b"<>") == b"MAIL FROM:<> AUTH=<>\r\n"
    assert format_mail(NOTHING, b"", auth=b"<>") == b"MAIL FROM:<>\r\n"


def test_requiretls_is_never_dropped() -> None:
    assert format_mail(EVERYTHING, b"", requiretls=True) == b"MAIL FROM:<> REQUIRETLS\r\n"
    with pytest.raises(MissingExtension) as caught:
        format_mail(NOTHING, b"", requiretls=True)
    assert caught.value.name == b"REQUIRETLS"


def test_binarymime_is_never_dropped() -> None:
    assert format_mail(EVERYTHING, b"", body=b"BINARYMIME") == b"MAIL FROM:<> BODY=BINARYMIME\r\n"
    with pytest.raises(MissingExtension):
        format_mail(NOTHING, b"", body=b"BINARYMIME")


def test_unknown_parameters_pass_as_they_are() -> None:
    parameters = [(b"MT-PRIORITY", b"3"), (b"XFORWARD", None)]
    line = format_mail(NOTHING, b"a@x", parameters=parameters)
    assert line == b"MAIL FROM:<a@x> MT-PRIORITY=3 XFORWARD\r\n"
    line = format_rcpt(NOTHING, b"b@y", parameters=parameters)
    assert line == b"RCPT TO:<b@y> MT-PRIORITY=3 XFORWARD\r\n"


@pytest.mark.parametrize(
    "parameter",
    [(b"", None), (b"A B", None), (b"A=B", b"c"), (b"A", b""), (b"A", b"b c"), (b"A", b"\r\n"),
     (b"A", b"b=c"), (b"A", b"\xff")],
)  # fmt: skip
def test_unknown_parameter_out_of_form_is_refused(parameter: tuple[bytes, bytes | None]) -> None:
    with pytest.raises(UsageError):
        format_mail(NOTHING, b"a@x", parameters=[parameter])
    with pytest.raises(UsageError):
        format_rcpt(NOTHING, b"a@x", parameters=[parameter])


@pytest.mark.parametrize(
    ("value", "encoded"), [(b"plain-1.2@x", b"plain-1.2@x"), (b"a+b= \xff", b"a+2Bb+3D+20+FF")]
)
def test_xtext_hides_what_could_be_syntax(value: bytes, encoded: bytes) -> None:
    assert format_xtext(value) == encoded


@pytest.mark.parametrize("host", [b"me.example.com", b"[192.0.2.1]", b"[IPv6:::1]", b"my_host"])
def test_hello_takes_names_and_literals(host: bytes) -> None:
    assert format_hello(b"EHLO", host) == b"EHLO %s\r\n" % host


@pytest.mark.parametrize("host", [b"", b"a b", b"a\r\nRSET", b"\xff", b"x" * 256, b"a\0"])
def test_hello_refuses_anything_else(host: bytes) -> None:
    with pytest.raises(UsageError):
        format_hello(b"EHLO", host)


def test_raw_command_gets_its_line_end() -> None:
    assert format_command(b"VRFY <a b>") == b"VRFY <a b>\r\n"
    assert format_command("VRFY ü".encode(), utf8=True) == "VRFY ü\r\n".encode()


@pytest.mark.parametrize("line", [b"", b"NOOP\r\nRSET", b"NOOP\n", b"A\0", b"\xff", b"x" * 2049])
def test_raw_command_is_one_line(line: bytes) -> None:
    with pytest.raises(UsageError):
        format_command(line)
