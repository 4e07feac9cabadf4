"""Bounces and other reports, read by the standard library's parser."""

from __future__ import annotations

import email.message
import os
from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.message.bounce import DELAY, FAILURE, RELAYED, Kind, compose_report
from pysendmail.message.content import Content
from pysendmail.message.envelope import Envelope, Recipient
from pysendmail.message.message import Message
from pysendmail.message.original import FULL_LIMIT, HEADER_LIMIT, LINE_LIMIT
from pysendmail.message.outcome import DEFERRED, DELIVERED, FAILED, Outcome
from pysendmail.message.report import Part, occurs
from tests.unit.message.samples import taken

QUEUE_ID = "0123456789ABCD"
ARRIVED, NOW, UNTIL = 1704067200, 1704067500, 1704499200

ORIGINAL = b"""\
From: Alice <alice@example.test>
To: bob@example.org
Subject: Greetings
Message-ID: <one@example.test>

body
"""

REFUSED = Outcome(
    b"bob@example.org", FAILED, b"5.1.1", b"550 5.1.1 no such user", b"mx.example.org"
)
AWAY = Outcome(b"bob@example.org", DEFERRED, b"4.4.1", b"connection refused")
TAKEN = Outcome(b"bob@example.org", DELIVERED, b"2.1.5", b"250 2.1.5 ok", b"mx.example.org")


def envelope_for(
    *recipients: Recipient,
    sender: bytes = b"alice@example.test",
    ret: bytes = b"",
    envid: bytes = b"",
    smtputf8: bool = False,
) -> Envelope:
    return Envelope(
        sender,
        recipients or [Recipient(b"bob@example.org")],
        ret=ret,
        envid=envid,
        smtputf8=smtputf8,
    )


def report(
    kind: Kind, envelope: Envelope | None, text: bytes, *outcomes: Outcome
) -> tuple[Envelope, Message] | None:
    return compose_report(
        kind,
        envelope or envelope_for(),
        taken(text),
        outcomes,
        queue_id=QUEUE_ID,
        arrived=ARRIVED,
        now=NOW,
        until=UNTIL,
        hostname=b"client.example.test",
        origin=b"example.test",
    )


def bounce(
    envelope: Envelope | None = None, text: bytes = ORIGINAL, *outcomes: Outcome
) -> tuple[Envelope, Message] | None:
    return report(FAILURE, envelope, text, *(outcomes or (REFUSED,)))


def warning(
    envelope: Envelope | None = None, *outcomes: Outcome
) -> tuple[Envelope, Message] | None:
    return report(DELAY, envelope, ORIGINAL, *(outcomes or (AWAY,)))


def success(
    envelope: Envelope | None = None, *outcomes: Outcome
) -> tuple[Envelope, Message] | None:
    return report(RELAYED, envelope, ORIGINAL, *(outcomes or (TAKEN,)))


def parts_of(composed: tuple[Envelope, Message] | None) -> list[email.message.Message]:
    """Return the report and its three parts, as others see them."""
    assert composed is not None
    report = message_from_bytes(b"".join(composed[1].chunks()), policy=policy.compat32)
    assert report.defects == []
    parts = report.get_payload()
    assert isinstance(parts, list)
    assert len(parts) == 3
    return [report, *map(checked, parts)]


def checked(part: object) -> email.message.Message:
    assert isinstance(part, email.message.Message)
    assert part.defects == []
    return part


def status_blocks(part: email.message.Message) -> list[email.message.Message]:
    blocks = part.get_payload()
    assert isinstance(blocks, list)
    return [checked(block) for block in blocks]


def status_text(composed: tuple[Envelope, Message] | None) -> bytes:
    assert composed is not None
    return b"".join(composed[1].body.chunks()).split(b"\r\n--=_")[1]


def test_bounce_goes_from_the_null_sender_to_the_sender() -> None:
    composed = bounce()
    assert composed is not None
    envelope, message = composed
    assert envelope == Envelope(b"", [Recipient(b"alice@example.test")])
    assert message.size == len(b"".join(message.chunks()))


def test_bounce_has_the_header_of_a_report() -> None:
    report = parts_of(bounce())[0]
    assert report["From"] == "Mail Delivery System <MAILER-DAEMON@example.test>"
    assert report["To"] == "<alice@example.test>"
    assert report["Subject"] == "Undelivered mail returned to sender"
    assert report["Auto-Submitted"] == "auto-replied"
    assert report["In-Reply-To"] == report["References"] == "<one@example.test>"
    assert parsedate_to_datetime(report["Date"]).timestamp() == NOW
    assert report["Message-ID"] == "<20240101000500.0123456789ABCD@client.example.test>"
    assert report["MIME-Version"] == "1.0"
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "delivery-status"


def test_bounce_tells_people_what_happened() -> None:
    text = parts_of(bounce())[1]
    assert text.get_content_type() == "text/plain"
    assert text.get_content_charset() == "us-ascii"
    words = text.get_payload()
    assert isinstance(words, str)
    assert "client.example.test" in words
    assert "<bob@example.org>" in words
    assert "mx.example.org said: 550 5.1.1 no such user" in words
    assert "Subject: Greetings" in words
    assert max(len(line) for line in words.splitlines()) <= 100


def test_bounce_tells_programs_what_happened() -> None:
    envelope = envelope_for(
        Recipient(b"bob@example.org", [b"FAILURE"], b"rfc822;robert@example.org"), envid=b"QQ314"
    )
    part = parts_of(bounce(envelope))[2]
    assert part.get_content_type() == "message/delivery-status"
    whole, recipient = status_blocks(part)
    assert whole["Reporting-MTA"] == "dns; client.example.test"
    assert whole["Original-Envelope-Id"] == "QQ314"
    assert parsedate_to_datetime(whole["Arrival-Date"]).timestamp() == ARRIVED
    assert recipient["Original-Recipient"] == "rfc822; robert@example.org"
    assert recipient["Final-Recipient"] == "rfc822; bob@example.org"
    assert recipient["Action"] == "failed"
    assert recipient["Status"] == "5.1.1"
    assert recipient["Remote-MTA"] == "dns; mx.example.org"
    assert recipient["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user"
    assert parsedate_to_datetime(recipient["Last-Attempt-Date"]).timestamp() == NOW
    assert recipient["Will-Retry-Until"] is None


def test_bounce_for_what_a_server_at_a_unix_socket_said_names_the_socket() -> None:
    outcome = Outcome(b"bob@example.org", FAILED, b"5.2.2", b"552 5.2.2 full", b"/run/lmtp")
    _, recipient = status_blocks(parts_of(bounce(None, ORIGINAL, outcome))[2])
    assert recipient["Remote-MTA"] == "x-unix; /run/lmtp"


def test_bounce_for_what_we_said_ourselves_names_no_remote_host() -> None:
    composed = bounce(None, ORIGINAL, Outcome(b"bob@example.org", FAILED, b"4.4.7", b"too old"))
    whole, recipient = status_blocks(parts_of(composed)[2])
    assert whole["Original-Envelope-Id"] is None
    assert recipient["Original-Recipient"] is None
    assert recipient["Remote-MTA"] is None
    assert recipient["Diagnostic-Code"] == "x-pysendmail; too old"


def test_bounce_has_a_block_for_each_failure_and_for_nothing_else() -> None:
    names = [b"a@x", b"b@x", b"c@x", b"d@x"]
    outcomes = [
        Outcome(name, kind, b"5.0.0", b"said")
        for name, kind in zip(names, [FAILED, DELIVERED, DEFERRED, FAILED], strict=True)
    ]
    composed = bounce(envelope_for(*map(Recipient, names)), ORIGINAL, *outcomes)
    _, *blocks = status_blocks(parts_of(composed)[2])
    assert [block["Final-Recipient"] for block in blocks] == ["rfc822; a@x", "rfc822; d@x"]


def test_bounce_returns_the_header_only() -> None:
    part = parts_of(bounce())[3]
    assert part.get_content_type() == "text/rfc822-headers"
    payload = part.get_payload()
    assert isinstance(payload, str)
    assert payload.endswith("Message-ID: <one@example.test>\r\n")
    assert "body" not in payload


def test_bounce_returns_all_when_asked_for() -> None:
    part = parts_of(bounce(envelope_for(ret=b"FULL")))[3]
    assert part.get_content_type() == "message/rfc822"
    payload = part.get_payload()
    assert isinstance(payload, list)
    original = checked(payload[0])
    assert original["Subject"] == "Greetings"
    assert original.get_payload() == "body\r\n"


def test_bounce_returns_the_header_of_what_is_too_long() -> None:
    text = ORIGINAL + b"x" * FULL_LIMIT
    assert parts_of(bounce(envelope_for(ret=b"FULL"), text))[3].get_content_type() == (
        "text/rfc822-headers"
    )


def test_delay_warning_says_how_long_it_will_be_tried() -> None:
    report, text, status, _ = parts_of(warning())
    assert report["Subject"] == "Delayed mail (still being retried)"
    words = text.get_payload()
    assert isinstance(words, str)
    assert "do not need to send your message again" in words
    _, recipient = status_blocks(status)
    assert recipient["Action"] == "delayed"
    assert recipient["Status"] == "4.4.1"
    assert parsedate_to_datetime(recipient["Will-Retry-Until"]).timestamp() == UNTIL


@pytest.mark.trap(15)
def test_null_sender_gets_no_bounce_and_no_warning() -> None:
    assert bounce(envelope_for(sender=b"")) is None
    assert warning(envelope_for(sender=b"")) is None


@pytest.mark.parametrize(
    ("notify", "bounced", "warned", "confirmed"),
    [
        pytest.param([], True, True, False, id="not-asked"),
        pytest.param([b"NEVER"], False, False, False, id="never"),
        pytest.param([b"FAILURE"], True, False, False, id="failure"),
        pytest.param([b"DELAY"], False, True, False, id="delay"),
        pytest.param([b"SUCCESS"], False, False, True, id="success"),
        pytest.param([b"FAILURE", b"DELAY"], True, True, False, id="both"),
        pytest.param([b"SUCCESS", b"FAILURE", b"DELAY"], True, True, True, id="all"),
    ],
)
def test_report_is_made_when_notify_asks_for_it(
    notify: list[bytes], bounced: bool, warned: bool, confirmed: bool
) -> None:
    envelope = envelope_for(Recipient(b"bob@example.org", notify))
    assert (bounce(envelope) is not None) == bounced
    assert (warning(envelope) is not None) == warned
    assert (success(envelope) is not None) == confirmed


ASKED_FOR_SUCCESS = Recipient(b"bob@example.org", [b"SUCCESS"], b"rfc822;bob@example.org")


def test_success_is_reported_as_relayed_to_a_host_without_dsn() -> None:
    header, text, status, original = parts_of(
        success(envelope_for(ASKED_FOR_SUCCESS, ret=b"FULL", envid=b"QQ314"))
    )
    assert header["Subject"] == "Mail handed on (no further report)"
    words = text.get_payload()
    assert isinstance(words, str)
    assert "this is the last one" in words
    whole, recipient = status_blocks(status)
    assert whole["Original-Envelope-Id"] == "QQ314"
    assert recipient["Action"] == "relayed"
    assert recipient["Status"] == "2.1.5"
    assert recipient["Final-Recipient"] == recipient["Original-Recipient"]
    assert recipient["Remote-MTA"] == "dns; mx.example.org"
    assert recipient["Will-Retry-Until"] is None
    assert original.get_content_type() == "text/rfc822-headers"


def test_success_is_left_to_a_host_with_dsn() -> None:
    taken_over = Outcome(b"bob@example.org", DELIVERED, b"2.0.0", b"250 ok", b"mx", dsn=True)
    assert success(envelope_for(ASKED_FOR_SUCCESS), taken_over) is None


def test_null_sender_hears_of_no_success() -> None:
    assert success(envelope_for(ASKED_FOR_SUCCESS, sender=b"")) is None


def test_delay_warning_returns_the_header_even_if_all_was_asked_for() -> None:
    part = parts_of(warning(envelope_for(ret=b"FULL")))[3]
    assert part.get_content_type() == "text/rfc822-headers"


def words_of(composed: tuple[Envelope, Message] | None) -> str:
    words = parts_of(composed)[1].get_payload()
    assert isinstance(words, str)
    return " ".join(words.split())


def test_recipient_of_an_alias_is_told_with_the_name_that_was_written() -> None:
    envelope = envelope_for(Recipient(b"bob@example.org", (), b"rfc822;staff@example.test"))
    assert "<bob@example.org> (you wrote to <staff@example.test>)" in words_of(bounce(envelope))


def test_people_are_told_what_to_do() -> None:
    assert "Check the address for a slip" in words_of(bounce())
    assert "`pysendmail check`" in words_of(warning())


def test_people_are_told_what_is_attached() -> None:
    assert "The header of the message is attached." in words_of(bounce())
    assert "The message is attached." in words_of(bounce(envelope_for(ret=b"FULL")))


def test_notify_of_one_recipient_does_not_silence_the_others() -> None:
    envelope = envelope_for(Recipient(b"a@x", [b"NEVER"]), Recipient(b"b@x"))
    outcomes = [Outcome(name, FAILED, b"5.0.0", b"no") for name in (b"a@x", b"b@x")]
    _, *blocks = status_blocks(parts_of(bounce(envelope, ORIGINAL, *outcomes))[2])
    assert [block["Final-Recipient"] for block in blocks] == ["rfc822; b@x"]


def test_failure_of_an_address_that_is_not_in_the_envelope_is_told() -> None:
    composed = bounce(None, ORIGINAL, Outcome(b"not an address", FAILED, b"5.1.3", b"unreadable"))
    _, recipient = status_blocks(parts_of(composed)[2])
    assert recipient["Final-Recipient"] == "rfc822; not an address"


def test_no_failure_makes_no_bounce() -> None:
    assert bounce(None, ORIGINAL, AWAY) is None
    assert warning(None, REFUSED) is None


def test_hostile_outcome_cannot_add_a_field() -> None:
    outcome = Outcome(
        b"bob@example.org\r\nX-A: 1",
        FAILED,
        b"5.0.0\r\nX-B: 1",
        b"no\r\n\r\nX-C: 1\0",
        b"mx\r\nX-D: 1",
    )
    envelope = envelope_for(
        Recipient(outcome.recipient, (), b"rfc822\r\nX-E: 1;x\r\nX-F: 1"), envid=b"i\r\nX-G: 1"
    )
    composed = bounce(envelope, ORIGINAL, outcome)
    report, *_, status, _ = parts_of(composed)
    for block in [report, *status_blocks(status)]:
        assert not any(name.startswith("X-") for name in block.keys())  # noqa: SIM118
    assert b"\0" not in status_text(composed)


@pytest.mark.parametrize("value", [b"a b", b"<a b>", b"<a\xff>", b"<" + b"x" * 1000 + b">", b""])
def test_odd_message_id_is_not_repeated(value: bytes) -> None:
    report = parts_of(bounce(None, b"Message-ID: " + value + b"\n\n"))[0]
    assert report["In-Reply-To"] is None


def test_boundary_occurs_in_no_part() -> None:
    boundaries = b"".join(b"X: =_%b_%d\n" % (QUEUE_ID.encode(), number) for number in range(3))
    report = parts_of(bounce(None, boundaries + ORIGINAL))[0]
    assert report.get_boundary() == f"=_{QUEUE_ID}_3"


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_boundary_is_found_across_chunks(size: int) -> None:
    text = b"xxboundaryxx"
    chunks = [text[start : start + size] for start in range(0, len(text), size)]
    assert occurs(b"boundary", chunks)
    assert not occurs(b"boundarY", chunks)
    assert "text/plain" in repr(Part(b"text/plain", lambda: chunks))


def test_eight_bit_original_is_declared() -> None:
    composed = bounce(None, b"Subject: h\xc3\xa9\n\n")
    assert composed is not None
    assert (composed[0].eight_bit, composed[0].smtputf8) == (True, False)
    report, text, status, original = parts_of(composed)
    assert report["Content-Transfer-Encoding"] == "8bit"
    assert text.get_content_charset() == "utf-8"
    assert status["Content-Transfer-Encoding"] == "7bit"
    assert original["Content-Transfer-Encoding"] == "8bit"
    assert original.get_content_type() == "text/rfc822-headers"


def test_utf8_reply_keeps_the_status_part_ascii() -> None:
    outcome = Outcome(b"bob@example.org", FAILED, b"5.1.1", "550 non trouvé".encode(), b"mx")
    composed = bounce(None, ORIGINAL, outcome)
    assert b"550 non trouv\\xe9" in status_text(composed)
    assert status_text(composed).isascii()


@pytest.mark.parametrize(
    ("ret", "kind"), [(b"", "message/global-headers"), (b"FULL", "message/global")]
)
def test_international_addresses_are_reported_as_such(ret: bytes, kind: str) -> None:
    bob = "bób@example.org".encode()
    envelope = envelope_for(
        Recipient(bob, (), b"utf-8;" + bob), sender="álice@x".encode(), ret=ret, smtputf8=True
    )
    composed = bounce(envelope, b"To: " + bob + b"\n\n", Outcome(bob, FAILED, b"5.6.7", b"no"))
    assert composed is not None
    assert (composed[0].eight_bit, composed[0].smtputf8) == (True, True)
    octets = b"".join(composed[1].chunks())
    assert b"\r\nTo: <" + "álice@x".encode() + b">\r\n" in octets
    assert b"\r\nFinal-Recipient: utf-8; " + bob + b"\r\n" in octets
    assert b"\r\nOriginal-Recipient: utf-8; " + bob + b"\r\n" in octets
    assert b"\r\nContent-Type: message/global-delivery-status\r\n" in octets
    assert b"\r\nContent-Type: " + kind.encode() + b"\r\n" in octets


def test_bounce_is_canonical() -> None:
    composed = bounce(envelope_for(ret=b"FULL"))
    assert composed is not None
    octets = b"".join(composed[1].chunks())
    assert octets.count(b"\r\n") == octets.count(b"\r") == octets.count(b"\n")
    assert octets.endswith(b"--\r\n")
    assert max(len(line) for line in octets.split(b"\r\n")) <= 998


@pytest.mark.parametrize("ret", [b"", b"FULL"])
def test_long_lines_of_the_original_do_not_come_back(ret: bytes) -> None:
    text = ORIGINAL.replace(b"Greetings", b"Gr\xc3\xbc\xc3\x9fe" * 300 + b" " + b"x" * 3000)
    report = parts_of(bounce(envelope_for(ret=ret), text + b"y" * 2000 + b"\n"))
    assert report[3].get_content_type() == "text/rfc822-headers"
    payload = report[3].get_payload(decode=True)
    assert isinstance(payload, bytes)
    lines = payload.split(b"\r\n")
    assert max(map(len, lines)) <= LINE_LIMIT
    assert all(line.decode() for line in lines[:-1])  # no character is cut in two
    unfolded = payload.replace(b"\r\n ", b"").replace(b" ", b"")
    assert b"Gr\xc3\xbc\xc3\x9fe" * 300 + b"x" * 3000 in unfolded


def test_long_header_comes_back_in_part() -> None:
    fields = b"".join(b"X-%d: %b\n" % (number, b"x" * 900) for number in range(200))
    part = parts_of(bounce(None, ORIGINAL.replace(b"\n\n", b"\n" + fields + b"\n")))[3]
    payload = part.get_payload()
    assert isinstance(payload, str)
    assert payload.startswith("From: Alice")
    assert HEADER_LIMIT - 1000 < len(payload) <= HEADER_LIMIT


def test_header_that_is_no_utf8_is_not_called_international() -> None:
    bob = "bób@example.org".encode()
    envelope = envelope_for(Recipient(bob), smtputf8=True)
    composed = bounce(envelope, b"Subject: \xe9\n\n", Outcome(bob, FAILED, b"5.6.7", b"no"))
    assert composed is not None
    assert b"\r\nContent-Type: text/rfc822-headers\r\n" in b"".join(composed[1].chunks())


HOSTILE = st.binary(max_size=40).map(lambda octets: octets * 40) | st.sampled_from(
    [b"", b"\r\nX-Evil: 1\r\n\r\n", b"\x80" * 3000, "\U0001f600".encode() * 300, b"a " * 900]
)
UNASKED = (b"FAILURE", b"DELAY")
NOTIFY = st.sampled_from([(), (b"SUCCESS",), (b"FAILURE", b"DELAY"), (b"SUCCESS", b"FAILURE")])


@given(
    kind=st.sampled_from([FAILURE, DELAY, RELAYED]),
    people=st.lists(
        st.tuples(HOSTILE, HOSTILE, HOSTILE, HOSTILE, NOTIFY),
        min_size=1,
        max_size=3,
        unique_by=lambda one: one[0],
    ),
    envid=HOSTILE,
    header=HOSTILE,
    ret=st.sampled_from([b"", b"FULL", b"HDRS"]),
    smtputf8=st.booleans(),
)
def test_report_on_anything_is_well_formed(
    kind: Kind,
    people: list[tuple[bytes, bytes, bytes, bytes, tuple[bytes, ...]]],
    envid: bytes,
    header: bytes,
    ret: bytes,
    smtputf8: bool,
) -> None:
    recipients = [
        Recipient(address, notify, b"rfc822;" + orcpt) for address, _, _, orcpt, notify in people
    ]
    outcomes = [
        Outcome(address, kind.outcome, b"5.1.1" + text[:9], text, remote)
        for address, text, remote, _, _ in people
    ]
    envelope = Envelope(b"a@b", recipients, ret=ret, envid=envid, smtputf8=smtputf8)
    original = b"Subject: " + header.replace(b"\n", b"").replace(b"\r", b"") + b"\n\nbody\n"
    composed = report(kind, envelope, original, *outcomes)
    wanted = [one for one in recipients if kind.wish in (one.notify or UNASKED)]
    if composed is None:
        assert wanted == []
        return
    own, message = composed
    octets = b"".join(message.chunks())
    assert own.eight_bit is not octets.isascii()
    assert b"\0" not in octets
    assert octets.count(b"\r\n") == octets.count(b"\r") == octets.count(b"\n")
    assert max(map(len, octets.split(b"\r\n"))) <= LINE_LIMIT
    head, *parts = parts_of_any(octets)
    assert head["X-Evil"] is None
    assert [part.get_content_type() for part in parts] in ALL_TYPES
    for part, raw in zip(parts, bodies(octets), strict=True):
        assert part["Content-Transfer-Encoding"] == ("7bit" if raw.isascii() else "8bit")
    names = [line.partition(b":")[0] for line in bodies(octets)[1].split(b"\r\n") if line]
    assert set(names) <= FIELDS
    for name in (b"Final-Recipient", b"Original-Recipient", b"Action", b"Status"):
        assert names.count(name) == len(wanted)


FIELDS = {
    b"Reporting-MTA", b"Original-Envelope-Id", b"Arrival-Date", b"Original-Recipient",
    b"Final-Recipient", b"Action", b"Status", b"Remote-MTA", b"Diagnostic-Code",
    b"Last-Attempt-Date", b"Will-Retry-Until",
}  # fmt: skip
ALL_TYPES = [
    ["text/plain", status, original]
    for status in ("message/delivery-status", "message/global-delivery-status")
    for original in (
        "text/rfc822-headers", "message/rfc822", "message/global-headers", "message/global",
    )
]  # fmt: skip


def parts_of_any(octets: bytes) -> list[email.message.Message]:
    """Return a report and its three parts; what is in the parts may be as odd as the original."""
    whole = message_from_bytes(octets, policy=policy.compat32)
    assert whole.defects == []
    assert whole.get_content_type() == "multipart/report"
    parts = whole.get_payload()
    assert isinstance(parts, list)
    assert len(parts) == 3
    return [whole, *(part for part in parts if isinstance(part, email.message.Message))]


def bodies(octets: bytes) -> list[bytes]:
    """Return the octets of the parts' bodies, taken apart by hand."""
    boundary = b"\r\n--=_" + QUEUE_ID.encode() + b"_0"
    _, *parts, end = octets.split(boundary)
    assert end == b"--\r\n"
    return [part.partition(b"\r\n\r\n")[2] for part in parts]


def test_bounce_that_cannot_be_kept_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    before = len(os.listdir("/proc/self/fd"))
    made: list[Content] = []

    class Full(Content):
        def write(self, chunk: bytes) -> None:
            made.append(self)
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        compose_report(
            FAILURE,
            envelope_for(),
            taken(ORIGINAL),
            [REFUSED],
            queue_id=QUEUE_ID,
            arrived=ARRIVED,
            now=NOW,
            until=UNTIL,
            hostname=b"h",
            origin=b"o",
            content=Full,
        )
    assert len(made) == 1
    assert len(os.listdir("/proc/self/fd")) == before
