"""Acceptance: recipients, sender, header, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.message.alias_file import parse_aliases
from pysendmail.message.content import Content
from pysendmail.message.envelope import RECIPIENTS_LIMIT
from pysendmail.message.envelope import Recipient as Named
from pysendmail.message.message import Message, MessageAtRest
from pysendmail.message.outcome import FAILED
from pysendmail.message.trace import HOPS_LIMIT, OWN_HOPS_LIMIT
from pysendmail.smtp import Recipient, Transaction
from pysendmail.smtp.arguments import format_mail, format_rcpt
from pysendmail.smtp.extensions import parse_extensions
from pysendmail.submission.accept import Accepted
from pysendmail.submission.exit_status import EX_DATAERR, EX_UNAVAILABLE, EX_USAGE, Refused
from pysendmail.submission.mistakes import check
from pysendmail.submission.request import BACKGROUND, INTERACTIVE, QUEUE
from pysendmail.submission.submitter import Submitter
from tests.unit.submission.samples import CONFIG, accepted, raw, request

BOB = b"bob@example.net"


def recipients(one: Accepted) -> list[bytes]:
    return [recipient.address for recipient in one.envelope.recipients]


def value(message: Message, name: bytes) -> bytes | None:
    field = message.find(name)
    return None if field is None else field.value


# --- recipients


def test_operands_are_lists_in_header_syntax() -> None:
    one = accepted(b'bob@x.net, "Carol, C." <carol@x.net>', b"dave@x.net (D (x))")
    assert recipients(one) == [b"bob@x.net", b"carol@x.net", b"dave@x.net"]


def test_header_and_operands_are_united_without_duplicates() -> None:
    text = b"To: bob@example.net\nCc: dave@x.net\nBcc: eve@x.net\n\nTo: no@x.net\n"
    one = accepted(b"zoe@x.net", b"bob@EXAMPLE.net", text=text, from_header=True)
    assert recipients(one) == [b"zoe@x.net", b"bob@EXAMPLE.net", b"dave@x.net", b"eve@x.net"]


@pytest.mark.parametrize(
    ("operands", "named"),
    [
        ((b"a@x, " * RECIPIENTS_LIMIT, b"b@x"), 0),
        ((b"a@x, b@x",), RECIPIENTS_LIMIT - 1),
        ((), RECIPIENTS_LIMIT + 1),
    ],
    ids=["operands", "operands and RCPT", "RCPT"],
)
def test_more_recipients_than_a_message_may_have_are_refused(
    operands: tuple[bytes, ...], named: int
) -> None:
    with pytest.raises(Refused) as refused:
        accepted(*operands, recipients=(Named(b"c@x"),) * named)
    assert (refused.value.status, refused.value.line) == (EX_DATAERR, b"more than 20000 recipients")


def test_header_that_grows_can_be_read_again() -> None:
    """As from the spool, in chunks: an entry whose header has no end would be mail that is lost."""
    kept = Content(memory=0)
    for chunk in accepted(BOB, text=b"To: " + b"a," * 400_000 + b"a\n\nbody\n").message.chunks():
        kept.write(chunk)
    assert b"".join(MessageAtRest(kept).body.chunks()) == b"body\r\n"
    kept.close()


def test_header_is_not_asked_without_t() -> None:
    assert recipients(accepted(BOB, text=b"To: other@x.net\n\n")) == [BOB]


@pytest.mark.parametrize("from_header", [True, False])
def test_blind_copies_are_removed_always(from_header: bool) -> None:
    text = b"To: a@x.net\nBcc: eve@x.net\nResent-Bcc: z@x.net\n\n"
    message = accepted(BOB, text=text, from_header=from_header).message
    assert message.find(b"Bcc") is None
    assert message.find(b"Resent-Bcc") is None


def test_bare_names_are_qualified_and_aliased() -> None:
    aliases = parse_aliases(b"staff: joe, zoe@x.net\n")
    one = accepted(b"staff", b"jim", aliases=aliases)
    assert recipients(one) == [b"joe@example.org", b"zoe@x.net", b"jim@example.org"]


def test_what_was_asked_about_an_alias_goes_with_all_it_stands_for() -> None:
    aliases = parse_aliases(b"staff: joe@x.net, zoe@x.net\n")
    one = accepted(b"staff", aliases=aliases, notify=(b"SUCCESS",)).envelope
    assert [(who.address, who.notify, who.orcpt) for who in one.recipients] == [
        (b"joe@x.net", (b"SUCCESS",), b"rfc822;staff@example.org"),
        (b"zoe@x.net", (b"SUCCESS",), b"rfc822;staff@example.org"),
    ]


def test_local_domains_and_unknown_names_are_configured() -> None:
    config = CONFIG.replaced(local_domains=("box.net",), unknown_local=b"all@x.net")
    one = accepted(b"joe@box.net", b"zoe@host", b"jim@example.org", config=config).envelope
    assert [recipient.address for recipient in one.recipients] == [
        b"all@x.net", b"jim@example.org",
    ]  # fmt: skip
    assert one.recipients[0].orcpt == b"rfc822;joe@box.net"


def test_literal_request_leaves_aliases_out() -> None:
    one = accepted(b"staff", aliases=parse_aliases(b"staff: zoe@x.net\n"), literal=True)
    assert recipients(one) == [b"staff@example.org"]


def test_root_goes_where_the_configuration_says() -> None:
    config = CONFIG.replaced(root=b"admin@x.net")
    assert recipients(accepted(b"root", config=config)) == [b"admin@x.net"]


def test_bad_address_among_good_ones_is_a_failure_to_be_bounced() -> None:
    one = accepted(b"good@x.net, b\x00d<>@, c@d@e")
    assert b"good@x.net" in recipients(one)
    assert {(o.kind, o.status, o.remote) for o in one.failures} == {(FAILED, b"5.1.3", b"")}


@pytest.mark.parametrize(
    ("operands", "text", "from_header", "status", "said"),
    [
        ((), b"S: t\n\nx", False, EX_USAGE, b"No recipient addresses found"),
        ((), b"S: t\n\nx", True, EX_USAGE, b"No recipient addresses found in the message header"),
        ((b"undisclosed-recipients:;",), b"", False, EX_USAGE, b"No recipient"),
    ],
)
def test_nobody_to_send_to_is_refused(
    operands: tuple[bytes, ...], text: bytes, from_header: bool, status: int, said: bytes
) -> None:
    with pytest.raises(Refused) as refused:
        accepted(*operands, text=text, from_header=from_header)
    assert refused.value.status == status
    assert said in refused.value.line


@pytest.mark.parametrize(
    ("operands", "text", "said"),
    [
        ((b"a@b@c",), b"", b"a@b@c: the address cannot be read"),
        ((b"a@b@c", b"d@e@f"), b"", b"a@b@c: the address cannot be read (and 1 more)"),
        ((), b"To: a@b@c\n\n", b"a@b@c: the address cannot be read"),
    ],
)
def test_nobody_left_to_send_to_is_for_the_door_to_refuse(
    operands: tuple[bytes, ...], text: bytes, said: bytes
) -> None:
    one = accepted(*operands, text=text, from_header=not operands)
    assert recipients(one) == []
    with pytest.raises(Refused) as refused:
        one.require_recipients()
    assert (refused.value.status, refused.value.line) == (EX_DATAERR, said)


@pytest.mark.parametrize("mode", [b"m", b"w", b"e"])
def test_nobody_left_to_send_to_is_not_refused_where_a_bounce_tells(mode: bytes) -> None:
    accepted(b"a@b@c", error_mode=mode).require_recipients()
    assert len(check(request(b"a@b@c", error_mode=mode), raw(), limit=1000)) == 1


@pytest.mark.parametrize("facts", [{"sender": b"<>"}, {"sender": b""}, {"notify": (b"NEVER",)}])
@pytest.mark.parametrize("mode", [b"m", b"w", b"e"])
def test_nobody_left_to_send_to_is_refused_where_there_can_be_no_bounce(
    mode: bytes, facts: dict[str, Any]
) -> None:
    with pytest.raises(Refused) as refused:
        accepted(b"a@b@c", error_mode=mode, **facts).require_recipients()
    assert refused.value.status == EX_DATAERR
    with pytest.raises(Refused):
        check(request(b"a@b@c", error_mode=mode, **facts), raw(), limit=1000)


def test_anybody_left_to_send_to_is_enough() -> None:
    accepted(BOB, b"a@b@c").require_recipients()


def test_refusal_is_printable() -> None:
    with pytest.raises(Refused) as refused:
        accepted(b"\x1b[31m@\x1b@x").require_recipients()
    assert refused.value.line.isascii()
    assert b"\x1b" not in refused.value.line


# --- sender


@pytest.mark.parametrize(
    ("given", "sender"),
    [
        (None, b"joe@example.org"),
        (b"", b""),
        (b"<>", b""),
        (b" <> ", b""),
        (b"w@x.test", b"w@x.test"),
        (b"Who Else <w@x.test>", b"w@x.test"),
        (b"fail2ban", b"fail2ban@example.org"),
    ],
    ids=repr,
)
def test_sender_is_what_f_says_else_the_submitter(given: bytes | None, sender: bytes) -> None:
    assert accepted(BOB, sender=given).envelope.sender == sender


@pytest.mark.parametrize(
    "given", [b"a@b, c@d", b"a b", b"a@b\r\nRCPT TO:<x>", b"a@b\0", b"<a@b", b"@"], ids=repr
)
def test_sender_that_is_no_address_is_refused(given: bytes) -> None:
    with pytest.raises(Refused) as refused:
        accepted(BOB, sender=given)
    assert refused.value.status == EX_USAGE
    assert refused.value.line.startswith(b"-f: ")


@pytest.mark.parametrize(
    ("given", "sender"),
    [(None, b"all@x.test"), (b"w@x.test", b"all@x.test"), (b"", b""), (b"<>", b"")],
    ids=repr,
)
def test_configured_sender_stands_for_all_but_the_null_sender(
    given: bytes | None, sender: bytes
) -> None:
    config = CONFIG.replaced(sender=b"all@x.test")
    assert accepted(BOB, sender=given, config=config).envelope.sender == sender


def test_null_sender_writes_as_mailer_daemon() -> None:
    message = accepted(BOB, sender=b"").message
    assert b"MAILER-DAEMON@example.org" in (value(message, b"From") or b"")


def test_configured_from_replaces_the_address_only() -> None:
    config = CONFIG.replaced(from_=b"noreply@x.test")
    message = accepted(BOB, text=b"From: Joe <joe@old>\n\nx", config=config).message
    assert value(message, b"From") == b"Joe <noreply@x.test>"
    assert value(message, b"Reply-To") == b"joe@old"


def test_configured_from_holds_for_a_generated_one_too() -> None:
    config = CONFIG.replaced(from_=b"noreply@x.test")
    message = accepted(BOB, config=config).message
    assert value(message, b"From") == b"Joe Doe <noreply@x.test>"
    assert message.find(b"Reply-To") is None  # there is no other author


def test_configured_sender_writes_a_missing_from() -> None:
    config = CONFIG.replaced(sender=b"all@x.test")
    assert value(accepted(BOB, config=config).message, b"From") == b"Joe Doe <all@x.test>"
    kept = accepted(BOB, text=b"From: joe@old\n\nx", config=config).message
    assert value(kept, b"From") == b"joe@old"


def test_null_sender_keeps_the_envelope_and_writes_as_configured() -> None:
    config = CONFIG.replaced(sender=b"all@x.test", from_=b"all@x.test", rewrite="all")
    one = accepted(BOB, sender=b"", config=config)
    assert one.envelope.sender == b""
    assert value(one.message, b"From") == b"all@x.test"


CRON = b"From: root (Cron Daemon)\nTo: root\nSubject: t\n\nx\n"


@pytest.mark.parametrize(
    ("identities", "options", "sender", "author"),
    [
        ("joe: jd@x.test", {}, b"jd@x.test", b"root@example.org (Cron Daemon)"),
        ("1000: jd@x.test", {"sender": b"w@old.test"}, b"w@old.test",
         b"root@example.org (Cron Daemon)"),
        ("root: admin", {}, b"joe@example.org", b"Cron Daemon <admin@example.org>"),
        ("@old.test: new@x.test", {"sender": b"w@old.test"}, b"new@x.test",
         b"root@example.org (Cron Daemon)"),
    ],
)  # fmt: skip
def test_identity_replaces_whom_it_names(
    identities: str, options: dict[str, bytes], sender: bytes, author: bytes
) -> None:
    config = CONFIG.replaced(identities=(identities,))
    one = accepted(BOB, text=CRON, config=config, **options)
    assert one.envelope.sender == sender
    assert value(one.message, b"From") == author


def test_uid_without_identity_of_its_own_is_the_one_for_all() -> None:
    config = CONFIG.replaced(identities=("1000: jd@x.test",), sender=b"a@x.test", rewrite="all")
    assert accepted(BOB, config=config).envelope.sender == b"jd@x.test"
    other = Submitter(1001, b"jim", b"")
    assert accepted(BOB, config=config, submitter=other).envelope.sender == b"a@x.test"


def test_signed_message_keeps_its_header_under_another_sender() -> None:
    config = CONFIG.replaced(sender=b"all@x.test", from_=b"all@x.test", rewrite="all")
    text = b"DKIM-Signature: v=1\nFrom: a@old.test\nSender: b@old.test\n\nx\n"
    one = accepted(BOB, text=text, config=config)
    assert one.envelope.sender == b"all@x.test"
    assert one.message.header.endswith(text.replace(b"\n", b"\r\n").removesuffix(b"\r\nx\r\n"))


# --- header and envelope


def test_header_is_completed() -> None:
    message = accepted(BOB).message
    assert value(message, b"From") == b"Joe Doe <joe@example.org>"
    assert value(message, b"Date")
    assert value(message, b"Message-ID")
    assert b"from userid 1000" in (value(message, b"Received") or b"")
    assert message.fields[0].key == b"received"


def test_full_name_is_that_of_the_request() -> None:
    message = accepted(BOB, full_name=b"Doe, J.").message
    assert value(message, b"From") == b'"Doe, J." <joe@example.org>'


def test_bare_addresses_in_the_header_are_qualified() -> None:
    message = accepted(BOB, text=b"From: root (Cron Daemon)\nTo: root\n\n").message
    assert value(message, b"From") == b"root@example.org (Cron Daemon)"
    assert value(message, b"To") == b"root@example.org"


def test_gateway_adds_nothing_but_received() -> None:
    config = CONFIG.replaced(from_=b"noreply@x.test")
    message = accepted(BOB, text=b"From: joe\n\nx\n", gateway=True, config=config).message
    assert [field.key for field in message.fields] == [b"received", b"from"]
    assert value(message, b"From") == b"joe"


def test_envelope_carries_what_was_asked_for() -> None:
    one = accepted(BOB, notify=(b"NEVER",), ret=b"HDRS", envid=b"QQ").envelope
    assert (one.ret, one.envid) == (b"HDRS", b"QQ")
    assert one.recipients[0].notify == (b"NEVER",)
    assert one.recipients[0].orcpt == b"rfc822;bob@example.net"


def test_recipients_of_smtp_keep_their_own_wishes() -> None:
    never = Named(b"a@example.net", (b"NEVER",))
    other = Named(b"b", (), b"rfc822;c@example.net")
    again = Named(b"a@EXAMPLE.net", (b"DELAY",))
    one = accepted(recipients=(never, other, again), notify=(b"SUCCESS",)).envelope
    assert one.recipients == (
        Named(b"a@example.net", (b"NEVER",), b"rfc822;a@example.net"),
        Named(b"b@example.org", (b"SUCCESS",), b"rfc822;c@example.net"),
    )


def test_everyone_behind_an_alias_has_the_wishes_of_its_rcpt() -> None:
    aliases = parse_aliases(b"team: a@x.test, b@x.test\n")
    asked = Named(b"team", (b"NEVER",), b"rfc822;team@example.org")
    one = accepted(recipients=(asked,), aliases=aliases).envelope
    assert [recipient.address for recipient in one.recipients] == [b"a@x.test", b"b@x.test"]
    assert {recipient.notify for recipient in one.recipients} == {(b"NEVER",)}
    assert {recipient.orcpt for recipient in one.recipients} == {b"rfc822;team@example.org"}


def test_recipient_of_smtp_that_is_no_address_is_a_failure() -> None:
    one = accepted(recipients=(Named(b"a,b@c"), Named(b"a@example.net")))
    assert [failure.recipient for failure in one.failures] == [b"a,b@c"]
    assert len(one.envelope.recipients) == 1


@pytest.mark.parametrize(
    ("text", "eight_bit"), [(b"S: t\n\nx", False), (b"S: t\n\n\xc3\xa9", True)]
)
def test_eight_bit_is_seen(text: bytes, eight_bit: bool) -> None:
    assert accepted(BOB, text=text).envelope.eight_bit is eight_bit


@pytest.mark.parametrize(
    ("body_type", "eight_bit"), [(b"", False), (b"7BIT", False), (b"8BITMIME", True)]
)
def test_eight_bit_is_believed(body_type: bytes, eight_bit: bool) -> None:
    assert accepted(BOB, body_type=body_type).envelope.eight_bit is eight_bit


def test_eight_bit_is_seen_whatever_the_caller_says() -> None:
    assert accepted(BOB, text=b"S: t\n\n\xc3\xa9", body_type=b"7BIT").envelope.eight_bit


@pytest.mark.parametrize(
    ("asked", "configured", "mode"),
    [
        (b"", "interactive", INTERACTIVE),
        (b"", "background", BACKGROUND),
        (b"", "queue", QUEUE),
        (QUEUE, "interactive", QUEUE),
        (INTERACTIVE, "queue", INTERACTIVE),
    ],
)
def test_mode_is_the_asked_one_else_the_configured(
    asked: bytes, configured: str, mode: bytes
) -> None:
    one = accepted(BOB, mode=asked, config=CONFIG.replaced(delivery_mode=configured))
    assert one.mode == mode
    assert one.request.mode == asked


@pytest.mark.parametrize(("fields", "hops"), [(HOPS_LIMIT, 0), (HOPS_LIMIT - 30, 30)])
def test_message_of_many_hops_is_taken(fields: int, hops: int) -> None:
    text = fields * b"Received: by x\n" + b"\nx"
    assert len(accepted(BOB, text=text, hops=hops).message.all(b"received")) == fields + 1


@pytest.mark.parametrize(
    ("fields", "hops"), [(HOPS_LIMIT + 1, 0), (HOPS_LIMIT, 1), (0, HOPS_LIMIT + 1)]
)
def test_message_that_goes_in_a_circle_is_refused(fields: int, hops: int) -> None:
    with pytest.raises(Refused) as refused:
        accepted(BOB, text=fields * b"Received: by x\n" + b"\nx", hops=hops)
    assert refused.value.status == EX_UNAVAILABLE
    assert b"5.4.6 this message goes round in a circle: more than 100 hops" in refused.value.line


OWN_TRACE = b"Received: by other.example.net (pysendmail, from userid 0)\n\tid X; date\n"


def test_message_that_was_here_a_few_times_is_taken() -> None:
    text = OWN_HOPS_LIMIT * OWN_TRACE + b"\nx"
    assert len(accepted(BOB, text=text).message.all(b"received")) == OWN_HOPS_LIMIT + 1


@pytest.mark.parametrize("sender", [None, b""])
def test_message_that_comes_here_again_and_again_is_refused(sender: bytes | None) -> None:
    with pytest.raises(Refused) as refused:
        accepted(BOB, text=(OWN_HOPS_LIMIT + 1) * OWN_TRACE + b"\nx", sender=sender)
    assert refused.value.status == EX_UNAVAILABLE
    assert refused.value.line.startswith(b"5.4.6 this message goes round in a circle: it was here")


def test_our_own_trace_is_known_again() -> None:
    text = b"Subject: t\n\nx"
    with pytest.raises(Refused, match=r"5\.4\.6"):
        for _ in range(OWN_HOPS_LIMIT + 2):
            text = b"".join(accepted(BOB, text=text).message.chunks())
    assert text.count(b"\nReceived: ") == OWN_HOPS_LIMIT


def test_long_lines_are_repaired_but_not_for_a_gateway() -> None:
    text = b"Subject: t\n\n" + b"x" * 1200 + b"\n"
    message = accepted(BOB, text=text).message
    assert value(message, b"Content-Transfer-Encoding") == b"quoted-printable"
    assert max(len(line) for line in b"".join(message.chunks()).split(b"\r\n")) <= 998
    kept = accepted(BOB, text=text, gateway=True).message
    assert b"".join(kept.body.chunks()) == b"x" * 1200 + b"\r\n"


def test_eight_bit_text_is_kept_and_noted_until_a_server_cannot_take_it() -> None:
    one = accepted(BOB, text="Subject: t\n\nGrüße\n".encode())
    assert b"".join(one.message.body.chunks()) == "Grüße\r\n".encode()
    assert one.envelope.eight_bit


def test_text_that_was_repaired_is_not_eight_bit_any_more() -> None:
    one = accepted(BOB, text=b"Subject: t\n\n" + "ü".encode() + b" " * 1200 + b"x\n")
    assert not one.envelope.eight_bit


def test_address_beyond_ascii_asks_for_smtputf8_and_has_an_orcpt_of_its_type() -> None:
    one = accepted("müller@example.net".encode()).envelope
    assert one.smtputf8
    assert one.recipients[0].orcpt == "utf-8;müller@example.net".encode()
    assert not accepted(BOB).envelope.smtputf8


ADDRESSES = st.text('ab@.+=<>"\\ (),:;[]ü\t', max_size=12).map(str.encode)
EXTENSIONS = parse_extensions((b"mx", b"DSN", b"SMTPUTF8", b"SIZE", b"8BITMIME"))


@given(ADDRESSES, ADDRESSES, st.integers(0, 260))
def test_whatever_is_accepted_can_be_written_on_the_wire(
    operand: bytes, sender: bytes, length: int
) -> None:
    try:
        one = accepted(operand, b"=" * length + b"@example.net", sender=sender).envelope
    except Refused:
        return
    format_mail(EXTENSIONS, Transaction(one.sender, (), b"", smtputf8=one.smtputf8))
    for who in one.recipients:
        recipient = Recipient(who.address, who.notify, who.orcpt)
        format_rcpt(EXTENSIONS, recipient, smtputf8=one.smtputf8)


# --- size, and what is told before the configuration is known


def test_message_beyond_the_limit_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        accepted(BOB, text=b"S: t\n\n" + 2000 * b"x", config=CONFIG.replaced(message_size=1024))
    assert refused.value.status == EX_DATAERR
    assert b"message larger than 1024 octets" in refused.value.line


TEXTS = [b"", b"x", b"\n", b"\n\n\n", b"S: t", b"no header\nat all\n", b"S: t\n" + 2000 * b"\n"]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:9]))
def test_message_measured_before_is_taken_however_its_line_ends_grow(text: bytes) -> None:
    config = CONFIG.replaced(message_size=1024)
    assert recipients(accepted(BOB, text=text, config=config, measured=True)) == [BOB]


def test_header_without_end_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        accepted(BOB, text=b"S: " + 2 * 1024 * 1024 * b"x")
    assert refused.value.status == EX_DATAERR


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:9]))
def test_check_lets_any_message_pass(text: bytes) -> None:
    check(request(BOB), raw(text), limit=CONFIG.message_size)


def test_check_refuses_a_message_beyond_the_limit() -> None:
    with pytest.raises(Refused) as refused:
        check(request(BOB), raw(b"S: t\n\n" + 2000 * b"x"), limit=1024)
    assert refused.value.status == EX_DATAERR
    assert refused.value.line == b"message larger than 1024 octets (message_size)"


@pytest.mark.parametrize(
    ("operands", "options", "status"),
    [
        ((), {}, EX_USAGE),
        ((), {"from_header": True}, EX_USAGE),
        ((b"a@b@c",), {}, EX_DATAERR),
        ((BOB,), {"sender": b"a b"}, EX_USAGE),
        ((BOB,), {"hops": 101}, EX_UNAVAILABLE),
    ],
)
def test_check_refuses_mistakes_of_the_caller(
    operands: tuple[bytes, ...], options: dict[str, object], status: int
) -> None:
    with pytest.raises(Refused) as refused:
        check(request(*operands, **options), raw(), limit=CONFIG.message_size)
    assert refused.value.status == status
