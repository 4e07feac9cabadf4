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
)
from pysendmail.smtp.body import data_blocks
from pysendmail.smtp.dialogue import GROUP
from tests.helpers.script import drive

MAIL = b"MAIL FROM:<a@x>\r\n"
ONE = [b"RCPT TO:<b@y>\r\n"]
TWO = [*ONE, b"RCPT TO:<c@y>\r\n"]
C_MAIL, C_ONE, C_TWO = "C: MAIL FROM:<a@x>", "C: RCPT TO:<b@y>", "C: RCPT TO:<c@y>"


def transaction(recipients=ONE, *, pipelining=True, reset=False, message=b"text\r\n"):
    return dialogue.transaction(
        MAIL, recipients, data_blocks([message]), pipelining=pipelining, reset=reset
    )


def codes(transcript: Transcript) -> tuple:
    def code(reply):
        return None if reply is None else reply.code

    return (
        code(transcript.mail),
        [code(reply) for reply in transcript.recipients],
        code(transcript.data),
        code(transcript.final),
    )


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
    assert drive(dialogue.mail(MAIL), C_MAIL, "S: 250 ok").code == 250
    assert drive(dialogue.rcpt(ONE[0]), C_ONE, "S: 251 forwarding").code == 251


@pytest.mark.parametrize(
    ("code", "error"),
    [(551, PermanentError), (552, TransientError), (450, TransientError), (354, ProtocolError)],
)
def test_refused_rcpt_raises_and_redirects_nothing(code: int, error: type[SmtpError]) -> None:
    with pytest.raises(error):
        drive(dialogue.rcpt(ONE[0]), C_ONE, f"S: {code} try <other@z>")


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
    assert not transcript.reset_needed


def test_data_refused_sends_nothing() -> None:
    transcript = Transcript(0)
    reply = drive(dialogue.data([b""], transcript), "C: DATA", "S: 554 no recipients")
    assert reply is transcript.data
    assert transcript.reset_needed


def test_data_lost_carries_its_transcript() -> None:
    transcript = Transcript(0)
    with pytest.raises(ConnectionLost) as caught:
        drive(dialogue.data([b"x\r\n.\r\n"], transcript), "C: DATA", "S: <lost>")
    assert caught.value.transcript is transcript


# --- a whole transaction


def test_pipelined_envelope_travels_at_once() -> None:
    transcript = drive(
        transaction(TWO),
        C_MAIL, C_ONE, C_TWO, "C: DATA", "S: 250 a", "S: 250 b", "S: 250 c", "S: 354 go",
        "C: text", "C: .", "S: 250 taken",
    )  # fmt: skip
    assert codes(transcript) == (250, [250, 250], 354, 250)
    assert not transcript.reset_needed
    assert not transcript.session_over


def test_envelope_without_pipelining_goes_step_by_step() -> None:
    transcript = drive(
        transaction(TWO, pipelining=False),
        C_MAIL, "S: 250 a", C_ONE, "S: 250 b", C_TWO, "S: 250 c", "C: DATA", "S: 354 go",
        "C: text", "C: .", "S: 250 taken",
    )  # fmt: skip
    assert codes(transcript) == (250, [250, 250], 354, 250)


def test_reset_travels_with_the_envelope() -> None:
    drive(
        transaction(reset=True),
        "C: RSET", C_MAIL, C_ONE, "C: DATA", "S: 250 r", "S: 250 a", "S: 250 b", "S: 354 go",
        "C: text", "C: .", "S: 250 taken",
    )  # fmt: skip
    drive(
        transaction(reset=True, pipelining=False),
        "C: RSET", "S: 250 r", C_MAIL, "S: 250 a", C_ONE, "S: 250 b", "C: DATA", "S: 354 go",
        "C: text", "C: .", "S: 250 taken",
    )  # fmt: skip


@pytest.mark.parametrize(
    "script",
    [
        ["C: RSET", C_MAIL, C_ONE, "C: DATA", "S: 500 no"],
        ["C: RSET", "S: 500 no"],
    ],
    ids=["pipelined", "step by step"],
)
def test_refused_reset_ends_the_session(script: list[str]) -> None:
    with pytest.raises(PermanentError) as caught:
        drive(transaction(reset=True, pipelining=len(script) > 2), *script)
    assert not caught.value.session_usable
    assert caught.value.transcript is not None


@pytest.mark.parametrize("pipelining", [True, False])
def test_one_refused_recipient_does_not_sink_the_others(pipelining: bool) -> None:
    script = (
        [C_MAIL, C_ONE, C_TWO, "C: DATA", "S: 250 a", "S: 550 b", "S: 250 c", "S: 354 go"]
        if pipelining
        else [C_MAIL, "S: 250 a", C_ONE, "S: 550 b", C_TWO, "S: 250 c", "C: DATA", "S: 354 go"]
    )
    transcript = drive(
        transaction(TWO, pipelining=pipelining), *script, "C: text", "C: .", "S: 250 taken"
    )
    assert codes(transcript) == (250, [550, 250], 354, 250)


def test_all_refused_and_data_refused_sends_nothing() -> None:
    transcript = drive(
        transaction(TWO),
        C_MAIL, C_ONE, C_TWO, "C: DATA", "S: 250 a", "S: 550 b", "S: 450 c", "S: 503 no",
    )  # fmt: skip
    assert codes(transcript) == (250, [550, 450], None, None)
    assert transcript.reset_needed
    assert not transcript.session_over


def test_all_refused_step_by_step_says_no_data() -> None:
    transcript = drive(
        transaction(TWO, pipelining=False),
        C_MAIL, "S: 250 a", C_ONE, "S: 550 b", C_TWO, "S: 552 c",
    )  # fmt: skip
    assert codes(transcript) == (250, [550, 552], None, None)
    assert transcript.reset_needed


@pytest.mark.parametrize("answer", ["S: 250 nothing taken", "S: 554 no recipients"])
def test_data_accepted_though_no_recipient_was_gets_a_lone_dot(answer: str) -> None:
    transcript = drive(
        transaction(TWO),
        C_MAIL, C_ONE, C_TWO, "C: DATA", "S: 250 a", "S: 550 b", "S: 550 c", "S: 354 go",
        "C: .", answer,
    )  # fmt: skip
    assert codes(transcript) == (250, [550, 550], None, None)
    assert not transcript.session_over


@pytest.mark.parametrize(("answer", "over"), [("S: 250 hm", True), ("S: 554 of course", False)])
def test_data_accepted_though_mail_was_refused_gets_a_lone_dot(answer: str, over: bool) -> None:
    transcript = drive(
        transaction(),
        C_MAIL, C_ONE, "C: DATA", "S: 550 a", "S: 250 b", "S: 354 go", "C: .", answer,
    )  # fmt: skip
    assert codes(transcript) == (550, [None], None, None)
    assert transcript.session_over is over


def test_lone_dot_without_answer_keeps_the_refusals() -> None:
    with pytest.raises(ConnectionLost) as caught:
        drive(
            transaction(),
            C_MAIL, C_ONE, "C: DATA", "S: 250 a", "S: 550 b", "S: 354 go", "C: .", "S: <lost>",
        )  # fmt: skip
    assert not caught.value.after_end_of_data
    assert codes(caught.value.transcript) == (250, [550], None, None)


def test_refused_mail_is_the_verdict_and_the_rest_is_noise() -> None:
    transcript = drive(
        transaction(TWO),
        C_MAIL, C_ONE, C_TWO, "C: DATA", "S: 451 a", "S: 503 b", "S: 354 odd", "S: 503 d",
    )  # fmt: skip
    assert codes(transcript) == (451, [None, None], None, None)
    assert transcript.reset_needed


def test_refused_mail_step_by_step_ends_it() -> None:
    transcript = drive(transaction(pipelining=False), C_MAIL, "S: 552 too big")
    assert codes(transcript) == (552, [None], None, None)


@pytest.mark.parametrize("pipelining", [True, False])
def test_refused_data_is_in_the_transcript(pipelining: bool) -> None:
    script = (
        [C_MAIL, C_ONE, "C: DATA", "S: 250 a", "S: 250 b", "S: 451 c"]
        if pipelining
        else [C_MAIL, "S: 250 a", C_ONE, "S: 250 b", "C: DATA", "S: 451 c"]
    )
    transcript = drive(transaction(pipelining=pipelining), *script)
    assert codes(transcript) == (250, [250], 451, None)
    assert transcript.reset_needed


@pytest.mark.parametrize("code", [250, 299, 451, 552, 554])
def test_verdict_after_the_dot_is_in_the_transcript(code: int) -> None:
    transcript = drive(
        transaction(),
        C_MAIL, C_ONE, "C: DATA", "S: 250 a", "S: 250 b", "S: 354 go",
        "C: text", "C: .", f"S: {code} verdict",
    )  # fmt: skip
    assert codes(transcript) == (250, [250], 354, code)
    assert transcript.reset_needed is (code >= 400)  # Postfix may keep a refused one open


@pytest.mark.parametrize(
    ("answers", "after_end"),
    [
        (["S: 354 to mail", "S: 250", "S: 354"], False),
        (["S: 250", "S: 354 to rcpt", "S: 354"], False),
        (["S: 250", "S: 250", "S: 250 to data"], False),
        (["S: 250", "S: 250", "S: 350 to data"], False),
        (["S: 250", "S: 250", "S: 354", "C: text", "C: .", "S: 354 to the dot"], True),
    ],
    ids=["mail", "rcpt", "data", "data-3yz", "dot"],
)
def test_answer_of_another_command_is_protocol_error(answers: list[str], after_end: bool) -> None:
    with pytest.raises(ProtocolError) as caught:
        drive(transaction(), C_MAIL, C_ONE, "C: DATA", *answers)
    assert caught.value.after_end_of_data is after_end
    assert caught.value.transcript is not None


@pytest.mark.parametrize("trouble", ["S: <lost>", "S: <slow>"])
def test_trouble_after_the_final_dot_is_marked(trouble: str) -> None:
    with pytest.raises((ConnectionLost, TimedOut)) as caught:
        drive(
            transaction(TWO),
            C_MAIL, C_ONE, C_TWO, "C: DATA", "S: 250 a", "S: 550 b", "S: 250 c", "S: 354 go",
            "C: text", "C: .", trouble,
        )  # fmt: skip
    assert caught.value.after_end_of_data
    assert codes(caught.value.transcript) == (250, [550, 250], 354, None)


@pytest.mark.parametrize("read", range(4))
def test_trouble_before_the_end_keeps_the_verdicts_given(read: int) -> None:
    answers = ["S: 250 a", "S: 550 b", "S: 250 c"][:read]
    with pytest.raises(ConnectionLost) as caught:
        drive(transaction(TWO), C_MAIL, C_ONE, C_TWO, "C: DATA", *answers, "S: <lost>")
    assert not caught.value.after_end_of_data
    mail, recipients, data, final = codes(caught.value.transcript)
    assert [mail, *recipients][:read] == [250, 550, 250][:read]
    assert (data, final) == (None, None)


# --- many recipients


def numbered(count: int) -> list[bytes]:
    return [b"RCPT TO:<u%d@y>\r\n" % number for number in range(count)]


def said(first: int, end: int) -> list[str]:
    return [f"C: RCPT TO:<u{number}@y>" for number in range(first, end)]


def test_long_envelope_goes_in_groups() -> None:
    transcript = drive(
        transaction(numbered(GROUP + 1)),
        C_MAIL, *said(0, GROUP), *["S: 250 ok"] * (GROUP + 1),
        *said(GROUP, GROUP + 1), "C: DATA", "S: 250 ok", "S: 354 go",
        "C: text", "C: .", "S: 250 taken",
    )  # fmt: skip
    assert codes(transcript) == (250, [250] * (GROUP + 1), 354, 250)


def test_long_envelope_stops_after_refused_mail() -> None:
    transcript = drive(
        transaction(numbered(GROUP + 1)), C_MAIL, *said(0, GROUP), *["S: 550 no"] * (GROUP + 1)
    )
    assert codes(transcript) == (550, [None] * (GROUP + 1), None, None)


@pytest.mark.parametrize("text", ["452 too many", "452 4.5.3 too many", "552 too many"])
def test_too_many_recipients_finishes_with_those_accepted(text: str) -> None:
    refused = int(text[:3])
    transcript = drive(
        transaction(numbered(GROUP + 2)),
        C_MAIL, *said(0, GROUP), *["S: 250 ok"] * GROUP, f"S: {text}",
        "C: DATA", "S: 354 go", "C: text", "C: .", "S: 250 taken",
    )  # fmt: skip
    assert codes(transcript) == (250, [250] * (GROUP - 1) + [refused] * 3, 354, 250)


def test_too_many_recipients_step_by_step_stops_naming_them() -> None:
    transcript = drive(
        transaction(numbered(3), pipelining=False),
        C_MAIL, "S: 250", *said(0, 1), "S: 250", *said(1, 2), "S: 452 4.5.3 enough",
        "C: DATA", "S: 354 go", "C: text", "C: .", "S: 250 taken",
    )  # fmt: skip
    assert codes(transcript) == (250, [250, 452, 452], 354, 250)


def test_full_mailbox_does_not_keep_the_others_from_being_named() -> None:
    transcript = drive(
        transaction(numbered(3), pipelining=False),
        C_MAIL, "S: 250", *said(0, 1), "S: 250", *said(1, 2), "S: 452 4.2.2 mailbox full",
        *said(2, 3), "S: 250", "C: DATA", "S: 354 go", "C: text", "C: .", "S: 250 taken",
    )  # fmt: skip
    assert codes(transcript) == (250, [250, 452, 250], 354, 250)


def test_transcript_shows_its_replies() -> None:
    assert repr(Transcript(1)) == "Transcript(mail=None, recipients=[None], data=None, final=None)"
