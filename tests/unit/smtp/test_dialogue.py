from __future__ import annotations

import pytest

from pysendmail.smtp import (
    ConnectionLost,
    PermanentError,
    ProtocolError,
    SmtpError,
    TimedOut,
    Transcript,
    TransientError,
    dialogue,
    phases,
)
from pysendmail.smtp.body import data_blocks
from tests.helpers.script import drive

MAIL, RCPT = b"MAIL FROM:<a@x>\r\n", b"RCPT TO:<b@y>\r\n"
C_MAIL, C_RCPT = "C: MAIL FROM:<a@x>", "C: RCPT TO:<b@y>"


# --- greeting and hello


def test_greeting_of_several_lines_is_read() -> None:
    assert drive(dialogue.greeting(), "S: 220-mx", "S: 220 hello").lines == (b"mx", b"hello")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("S: 554 no", PermanentError),
        ("S: 521 never", PermanentError),
        ("S: 450 later", TransientError),
        ("S: 354 what", ProtocolError),
        ("S: <slow>", TimedOut),
        ("S: <lost>", ConnectionLost),
    ],
)
def test_greeting_that_is_no_welcome_raises(line: str, error: type[SmtpError]) -> None:
    with pytest.raises(error):
        drive(dialogue.greeting(), line)


def test_hello_returns_what_is_offered() -> None:
    offers = drive(dialogue.hello(b"me"), "C: EHLO me", "S: 250-mx hi", "S: 250 size 5")
    assert offers.lines == (b"mx hi", b"size 5")
    assert offers.size_limit == 5


@pytest.mark.parametrize("code", [500, 501, 502, 504, 550])
def test_server_without_ehlo_gets_helo_and_offers_nothing(code: int) -> None:
    offers = drive(
        dialogue.hello(b"me"),
        "C: EHLO me", f"S: {code} what?", "C: HELO me", "S: 250-mx", "S: 250 PIPELINING",
    )  # fmt: skip
    assert offers.lines == (b"mx", b"PIPELINING")
    assert not offers.keywords


@pytest.mark.parametrize(
    ("code", "error"), [(554, PermanentError), (521, PermanentError), (450, TransientError)]
)
def test_refusal_meant_for_us_is_not_answered_by_helo(code: int, error: type[SmtpError]) -> None:
    with pytest.raises(error) as caught:
        drive(dialogue.hello(b"me"), "C: EHLO me", f"S: {code} go away")
    assert caught.value.command == b"EHLO"


def test_refused_helo_raises() -> None:
    with pytest.raises(PermanentError):
        drive(dialogue.hello(b"me"), "C: EHLO me", "S: 500 x", "C: HELO me", "S: 550 y")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("S: 454 later", TransientError),
        ("S: 501 no", PermanentError),
        ("S: 250 sure", ProtocolError),
    ],
)
def test_starttls_takes_only_220(line: str, error: type[SmtpError]) -> None:
    assert drive(dialogue.starttls(), "C: STARTTLS", "S: 220 go").code == 220
    with pytest.raises(error):
        drive(dialogue.starttls(), "C: STARTTLS", line)


@pytest.mark.parametrize("answer", ["S: 221 bye", "S: 500 what", "S: <lost>", "S: <slow>"])
def test_quit_takes_any_answer_or_none(answer: str) -> None:
    assert drive(dialogue.quit(), "C: QUIT", answer) is None


# --- single commands


def test_mail_and_rcpt_return_their_reply() -> None:
    assert drive(dialogue.command(MAIL, phases.MAIL), C_MAIL, "S: 250 ok").code == 250
    assert drive(dialogue.rcpt(RCPT), C_RCPT, "S: 251 forwarding").code == 251


@pytest.mark.parametrize(
    ("code", "error"),
    [(551, PermanentError), (552, TransientError), (450, TransientError), (354, ProtocolError)],
)
def test_refused_rcpt_raises_and_redirects_nothing(code: int, error: type[SmtpError]) -> None:
    with pytest.raises(error):
        drive(dialogue.rcpt(RCPT), C_RCPT, f"S: {code} try <other@z>")


def test_refused_command_names_its_verb() -> None:
    with pytest.raises(PermanentError) as caught:
        drive(dialogue.command(b"NOOP\r\n", verb=b"NOOP"), "C: NOOP", "S: 500 x")
    assert caught.value.command == b"NOOP"


def test_data_returns_the_deciding_reply() -> None:
    transcript = Transcript(0)
    blocks = data_blocks([b".x\n"])
    conversation = dialogue.data(blocks, transcript)
    reply = drive(conversation, "C: DATA", "S: 354 go", "C: ..x", "C: .", "S: 250 ok")
    assert reply is transcript.final


def test_data_refused_sends_nothing() -> None:
    transcript = Transcript(0)
    reply = drive(dialogue.data([b""], transcript), "C: DATA", "S: 554 no recipients")
    assert reply is transcript.data


@pytest.mark.parametrize("line", ["250 ok", "334 what", "399 no"])
def test_data_takes_only_354(line: str) -> None:
    with pytest.raises(ProtocolError, match="DATA"):
        drive(dialogue.data([b"x\r\n"], Transcript(0)), "C: DATA", "S: " + line)
