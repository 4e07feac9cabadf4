"""Bounces and delay warnings, read by the standard library's parser."""

from __future__ import annotations

import email.message
import os
from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime

import pytest

from pysendmail.message.bounce import compose_bounce, compose_delay_warning
from pysendmail.message.content import Content
from pysendmail.message.envelope import Envelope, Recipient
from pysendmail.message.intake import read_message
from pysendmail.message.message import Message
from pysendmail.message.outcome import DEFERRED, DELIVERED, FAILED, Outcome
from pysendmail.message.report import FULL_LIMIT, Part, occurs

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


def taken(text: bytes) -> Message:
    return read_message([text], limit=10_000_000, content=Content)


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


def bounce(
    envelope: Envelope | None = None, text: bytes = ORIGINAL, *outcomes: Outcome
) -> tuple[Envelope, Message] | None:
    return compose_bounce(
        envelope or envelope_for(),
        taken(text),
        outcomes or (REFUSED,),
        queue_id=QUEUE_ID,
        arrived=ARRIVED,
        now=NOW,
        hostname=b"client.example.test",
        origin=b"example.test",
    )


def warning(
    envelope: Envelope | None = None, *outcomes: Outcome
) -> tuple[Envelope, Message] | None:
    return compose_delay_warning(
        envelope or envelope_for(),
        taken(ORIGINAL),
        outcomes or (AWAY,),
        queue_id=QUEUE_ID,
        arrived=ARRIVED,
        now=NOW,
        until=UNTIL,
        hostname=b"client.example.test",
        origin=b"example.test",
    )


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


def test_null_sender_gets_no_bounce_and_no_warning() -> None:
    assert bounce(envelope_for(sender=b"")) is None
    assert warning(envelope_for(sender=b"")) is None


@pytest.mark.parametrize(
    ("notify", "bounced", "warned"),
    [
        pytest.param([], True, True, id="not-asked"),
        pytest.param([b"NEVER"], False, False, id="never"),
        pytest.param([b"FAILURE"], True, False, id="failure"),
        pytest.param([b"DELAY"], False, True, id="delay"),
        pytest.param([b"SUCCESS"], False, False, id="success"),
        pytest.param([b"FAILURE", b"DELAY"], True, True, id="both"),
    ],
)
def test_report_is_made_when_notify_asks_for_it(
    notify: list[bytes], bounced: bool, warned: bool
) -> None:
    envelope = envelope_for(Recipient(b"bob@example.org", notify))
    assert (bounce(envelope) is not None) == bounced
    assert (warning(envelope) is not None) == warned


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


def test_bounce_that_cannot_be_kept_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    before = len(os.listdir("/proc/self/fd"))
    made: list[Content] = []

    class Full(Content):
        def write(self, chunk: bytes) -> None:
            made.append(self)
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        compose_bounce(
            envelope_for(),
            taken(ORIGINAL),
            [REFUSED],
            queue_id=QUEUE_ID,
            arrived=ARRIVED,
            now=NOW,
            hostname=b"h",
            origin=b"o",
            content=Full,
        )
    assert len(made) == 1
    assert len(os.listdir("/proc/self/fd")) == before
