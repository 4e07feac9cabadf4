from __future__ import annotations

import smtplib
from email.message import EmailMessage, Message
from email.mime.text import MIMEText
from random import Random

import pytest

from pysendmail.smtp import Client, PermanentError, Recipient, UsageError, sendmail
from pysendmail.smtp.sendmail import split_header, without_hidden_fields
from tests.helpers.model_server import Accepted, ModelServer

OFFERS = (b"SMTPUTF8", b"8BITMIME")


def sent(message: bytes | Message, **options: object) -> Accepted:
    """Send to a server in memory; return what it took."""
    server = ModelServer(Random(1), OFFERS, moody=False)
    client = Client(server, server)
    client.helo(b"me")
    transcript = sendmail(client, message, **options)  # type: ignore[arg-type]
    assert transcript.taken
    (accepted,) = server.accepted
    return accepted


def test_envelope_is_read_off_the_header() -> None:
    accepted = sent(
        b'From: "A, B" <a@x>\r\nTo: "q r"@x, Team: j@x, k@x;, (c) root\r\n'
        b"cc: j@x\r\nTo: =?UTF-8?Q?Doe=2C_J?= <l@x>\r\n\r\nTo: no@x\r\n"
    )
    assert accepted.sender == b"a@x"
    assert set(accepted.recipients) == {b'"q r"@x', b"j@x", b"k@x", b"root", b"l@x"}
    assert len(accepted.recipients) == 5


def test_blind_copies_are_sent_and_not_seen() -> None:
    accepted = sent(
        b"From: a@x\nTo: b@y\nBcc: c@y,\n d@y\nBCC: e@y\nResent-Bcc: f@y\nSubject: s\n\nBcc: text\n"
    )
    assert accepted.recipients == (b"b@y", b"c@y", b"d@y", b"e@y")
    assert accepted.content == b"From: a@x\r\nTo: b@y\r\nSubject: s\r\n\r\nBcc: text\r\n"


def test_blind_copies_are_not_seen_where_line_ends_were_converted_twice() -> None:
    accepted = sent(b"To: b@y\r\r\nBcc: c@y\r\r\r\n\r\r\nBcc: text\r\r\n")
    assert accepted == Accepted(b"", (b"b@y", b"c@y"), b"To: b@y\r\n\r\nBcc: text \r\n")


def test_sender_field_goes_before_the_authors() -> None:
    assert sent(b"From: a@x, b@x\nSender: s@x\nTo: b@y\n\n").sender == b"s@x"
    assert sent(b"To: b@y\n\n").sender == b""
    with pytest.raises(UsageError, match="From names several"):
        sent(b"From: a@x, b@x\nTo: b@y\n\n")


def test_resent_message_is_for_whom_it_was_resent() -> None:
    resent = b"Resent-From: r@x\nResent-Date: now\nResent-To: s@y\nResent-Bcc: t@y\n"
    accepted = sent(resent + b"From: a@x\nTo: b@y\nBcc: c@y\n\n")
    assert (accepted.sender, accepted.recipients) == (b"r@x", (b"s@y", b"t@y"))
    with pytest.raises(UsageError, match="more than once"):
        sent(resent + resent + b"From: a@x\nTo: b@y\n\n")


def test_envelope_that_is_given_is_used() -> None:
    message = b"From: a@x, b@x\nBcc: c@y\n\nx\n"
    accepted = sent(message, sender=b"", recipients=[Recipient(b"d@y")])
    assert accepted == Accepted(b"", (b"d@y",), b"From: a@x, b@x\r\n\r\nx\r\n")
    assert sent(message, sender=b"z@x").recipients == (b"c@y",)


@pytest.mark.parametrize("message", [b"", b"\n", b"From: a@x\n\nTo: b@y\n", b"To: group:;\n\n"])
def test_message_for_nobody_is_refused(message: bytes) -> None:
    with pytest.raises(UsageError, match="no recipient"):
        sent(message)


def test_composed_message_is_sent_as_smtplib_sends_it() -> None:
    message = EmailMessage()
    message["From"] = "Ä Ö <a@x>"
    message["To"] = "b@y"
    message["Bcc"] = "c@y"
    message["Subject"] = "grüße"
    message.set_content("größer\n.\nals\n")

    class Recording(smtplib.SMTP):
        sent: tuple[object, ...] = ()

        def ehlo_or_helo_if_needed(self) -> None:
            """There is no server."""

        def sendmail(self, *arguments: object, **_: object) -> dict[str, tuple[int, bytes]]:
            self.sent = arguments
            return {}

    recording = Recording()
    recording.send_message(message)
    accepted = sent(message)
    assert recording.sent[:2] == ("a@x", ["b@y", "c@y"])
    assert accepted.recipients == (b"b@y", b"c@y")
    assert accepted.content == recording.sent[2]


def test_address_beyond_ascii_keeps_the_header_readable() -> None:
    message = EmailMessage()
    message["From"] = "ü@bücher.example"
    message["To"] = "b@y"
    accepted = sent(message)
    assert accepted.sender == "ü@bücher.example".encode()
    assert "From: ü@bücher.example\r\n".encode() in accepted.content


def test_message_of_the_old_classes_is_sent() -> None:
    message = MIMEText("text\n")
    message["To"] = "b@y"
    assert sent(message).recipients == (b"b@y",)


def test_options_reach_the_transaction() -> None:
    server = ModelServer(Random(1), (b"SIZE 10",), moody=False)
    client = Client(server, server)
    client.helo(b"me")
    with pytest.raises(Exception, match="octets"):
        sendmail(client, b"To: b@y\n\nx\n", size=11)


def test_refusal_is_in_the_transcript() -> None:
    class Refusing(ModelServer):
        def _mail(self, rest: bytes) -> None:
            self._say(550, b"no")

    server = Refusing(Random(1), ())
    client = Client(server, server)
    client.helo(b"me")
    transcript = sendmail(client, b"To: b@y\n\nx\n")
    assert transcript.mail is not None
    assert PermanentError(transcript.mail, b"MAIL").code == 550


@pytest.mark.parametrize(
    ("octets", "head", "rest"),
    [
        (b"A: b\n\nx", b"A: b\r\n", b"\r\nx"),
        (b"A: b\r\n\r\nx\n", b"A: b\r\n", b"\r\nx\n"),
        (b"A: b\r\r\nB: c\r\r\n\r\r\nx\r\r\n", b"A: b\r\nB: c\r\n", b"\r\nx\r\r\n"),
        (b"A: b\rBcc: c\r\rx\n", b"A: b Bcc: c  x\r\n", b""),
        (b"\nA: b\n", b"", b"\r\nA: b\n"),
        (b"A: b", b"A: b\r\n", b""),
    ],
)
def test_header_ends_at_the_first_empty_line(octets: bytes, head: bytes, rest: bytes) -> None:
    assert split_header(octets) == (head, rest)


def test_fields_that_only_look_hidden_stay() -> None:
    head = b"X-Bcc: a\nBcc-Note: b\nBcc : d\n \tfolded\nTo: c\n"
    assert without_hidden_fields(head) == b"X-Bcc: a\nBcc-Note: b\nTo: c\n"
