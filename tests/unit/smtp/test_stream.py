"""Whole transactions, one and many, as a dialogue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from pysendmail.smtp import (
    ConnectionLost,
    MissingExtension,
    PermanentError,
    ProtocolError,
    SizeExceeded,
    SmtpError,
    TimedOut,
    Transaction,
    TransientError,
    UsageError,
    Verdict,
)
from pysendmail.smtp.body import BLOCK_OCTETS
from pysendmail.smtp.extensions import Extensions
from pysendmail.smtp.reply import Reply
from pysendmail.smtp.stream import COMMANDS, MESSAGES, Stream
from tests.helpers.script import drive

ONE, TWO = (b"b@y",), (b"b@y", b"c@y")
C_MAIL, C_ONE, C_TWO = "C: MAIL FROM:<a@x>", "C: RCPT TO:<b@y>", "C: RCPT TO:<c@y>"
PIPELINING = (b"PIPELINING",)
CHUNKING = (b"PIPELINING", b"CHUNKING")


def offering(*keywords: bytes) -> Extensions:
    return Extensions((b"mx",), dict.fromkeys(keywords, ()))


def message(recipients: Iterable[bytes] = ONE, text: object = b"text\r\n") -> Transaction:
    return Transaction(b"a@x", recipients, text)  # type: ignore[arg-type]


def run(
    stream: Stream, transactions: Iterable[Transaction], *script: str
) -> list[Verdict]:
    told: list[Verdict] = []
    drive(stream.run(transactions), *script, told=told)
    return told


def transact(
    *script: str,
    recipients: Iterable[bytes] = ONE,
    offers: tuple[bytes, ...] = PIPELINING,
    reset: bool = False,
    lmtp: bool = False,
) -> tuple[Verdict, Stream]:
    """Run one transaction by a script."""
    stream = Stream(offering(*offers), reset=reset, lmtp=lmtp)
    (verdict,) = run(stream, [message(recipients)], *script)
    return verdict, stream


def codes(verdict: Verdict) -> tuple[object, ...]:
    def code(reply: Reply | None) -> int | None:
        return None if reply is None else reply.code

    transcript = verdict.transcript
    return (
        code(transcript.mail),
        [code(reply) for reply in transcript.recipients],
        code(transcript.data),
        code(transcript.final),
    )


def last_words(verdict: Verdict) -> list[int | None]:
    """The code that decides for each recipient."""
    transcript = verdict.transcript
    replies = [transcript.verdict(index) for index in range(len(transcript.recipients))]
    return [None if reply is None else reply.code for reply in replies]


# --- one transaction


def test_pipelined_envelope_travels_at_once() -> None:
    verdict, stream = transact(
        C_MAIL, C_ONE, C_TWO, "C: DATA", "S: 250 a", "S: 250 b", "S: 250 c", "S: 354 go",
        "C: text", "C: .", "S: 250 taken", recipients=TWO,
    )  # fmt: skip
    assert codes(verdict) == (250, [250, 250], 354, 250)
    assert verdict.trouble is None
    assert not verdict.may_be_duplicate
    assert not stream.reset_needed
    assert stream.usable


def test_envelope_without_pipelining_goes_step_by_step() -> None:
    verdict, _ = transact(
        C_MAIL, "S: 250 a", C_ONE, "S: 250 b", C_TWO, "S: 250 c", "C: DATA", "S: 354 go",
        "C: text", "C: .", "S: 250 taken", recipients=TWO, offers=(),
    )  # fmt: skip
    assert codes(verdict) == (250, [250, 250], 354, 250)


def test_reset_travels_with_the_envelope() -> None:
    transact(
        "C: RSET", C_MAIL, C_ONE, "C: DATA", "S: 250 r", "S: 250 a", "S: 250 b", "S: 354 go",
        "C: text", "C: .", "S: 250 taken", reset=True,
    )  # fmt: skip
    transact(
        "C: RSET", "S: 250 r", C_MAIL, "S: 250 a", C_ONE, "S: 250 b", "C: DATA", "S: 354 go",
        "C: text", "C: .", "S: 250 taken", reset=True, offers=(),
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
    offers = PIPELINING if len(script) > 2 else ()
    verdict, stream = transact(*script, reset=True, offers=offers)
    assert isinstance(verdict.trouble, PermanentError)
    assert verdict.trouble.command == b"RSET"
    assert not stream.usable


@pytest.mark.parametrize("pipelining", [True, False])
def test_one_refused_recipient_does_not_sink_the_others(pipelining: bool) -> None:
    script = (
        [C_MAIL, C_ONE, C_TWO, "C: DATA", "S: 250 a", "S: 550 b", "S: 250 c", "S: 354 go"]
        if pipelining
        else [C_MAIL, "S: 250 a", C_ONE, "S: 550 b", C_TWO, "S: 250 c", "C: DATA", "S: 354 go"]
    )
    verdict, _ = transact(
        *script, "C: text", "C: .", "S: 250 taken",
        recipients=TWO, offers=PIPELINING if pipelining else (),
    )  # fmt: skip
    assert codes(verdict) == (250, [550, 250], 354, 250)
    assert last_words(verdict) == [550, 250]


def test_all_refused_and_data_refused_sends_nothing() -> None:
    verdict, stream = transact(
        C_MAIL, C_ONE, C_TWO, "C: DATA", "S: 250 a", "S: 550 b", "S: 450 c", "S: 503 no",
        recipients=TWO,
    )  # fmt: skip
    assert codes(verdict) == (250, [550, 450], None, None)
    assert stream.reset_needed
    assert stream.usable


def test_all_refused_step_by_step_says_no_data() -> None:
    verdict, stream = transact(
        C_MAIL, "S: 250 a", C_ONE, "S: 550 b", C_TWO, "S: 552 c", recipients=TWO, offers=(),
    )  # fmt: skip
    assert codes(verdict) == (250, [550, 552], None, None)
    assert stream.reset_needed


@pytest.mark.parametrize("answer", ["S: 250 nothing taken", "S: 554 no recipients"])
@pytest.mark.trap(12)
def test_data_accepted_though_no_recipient_was_gets_a_lone_dot(answer: str) -> None:
    verdict, stream = transact(
        C_MAIL, C_ONE, C_TWO, "C: DATA", "S: 250 a", "S: 550 b", "S: 550 c", "S: 354 go",
        "C: .", answer, recipients=TWO,
    )  # fmt: skip
    assert codes(verdict) == (250, [550, 550], None, None)
    assert stream.usable
    assert stream.reset_needed


@pytest.mark.parametrize(("answer", "usable"), [("S: 250 hm", False), ("S: 554 of course", True)])
def test_data_accepted_though_mail_was_refused_gets_a_lone_dot(answer: str, usable: bool) -> None:
    verdict, stream = transact(
        C_MAIL, C_ONE, "C: DATA", "S: 550 a", "S: 250 b", "S: 354 go", "C: .", answer,
    )  # fmt: skip
    assert codes(verdict) == (550, [None], None, None)
    assert verdict.trouble is None
    assert stream.usable is usable


def test_lone_dot_without_answer_keeps_the_refusals() -> None:
    verdict, _ = transact(
        C_MAIL, C_ONE, "C: DATA", "S: 250 a", "S: 550 b", "S: 354 go", "C: .", "S: <lost>",
    )  # fmt: skip
    assert isinstance(verdict.trouble, ConnectionLost)
    assert not verdict.may_be_duplicate
    assert codes(verdict) == (250, [550], None, None)


def test_refused_mail_is_the_verdict_and_the_rest_is_noise() -> None:
    verdict, stream = transact(
        C_MAIL, C_ONE, C_TWO, "C: DATA", "S: 451 a", "S: 503 b", "S: 354 odd", "S: 503 d",
        recipients=TWO,
    )  # fmt: skip
    assert codes(verdict) == (451, [None, None], None, None)
    assert last_words(verdict) == [451, 451]
    assert stream.reset_needed


def test_refused_mail_step_by_step_ends_it() -> None:
    verdict, _ = transact(C_MAIL, "S: 552 too big", offers=())
    assert codes(verdict) == (552, [None], None, None)


@pytest.mark.parametrize("pipelining", [True, False])
def test_refused_data_is_in_the_transcript(pipelining: bool) -> None:
    script = (
        [C_MAIL, C_ONE, "C: DATA", "S: 250 a", "S: 250 b", "S: 451 c"]
        if pipelining
        else [C_MAIL, "S: 250 a", C_ONE, "S: 250 b", "C: DATA", "S: 451 c"]
    )
    verdict, stream = transact(*script, offers=PIPELINING if pipelining else ())
    assert codes(verdict) == (250, [250], 451, None)
    assert last_words(verdict) == [451]
    assert stream.reset_needed


@pytest.mark.parametrize("code", [250, 299, 451, 552, 554])
def test_verdict_after_the_dot_is_in_the_transcript(code: int) -> None:
    verdict, stream = transact(
        C_MAIL, C_ONE, "C: DATA", "S: 250 a", "S: 250 b", "S: 354 go",
        "C: text", "C: .", f"S: {code} verdict",
    )  # fmt: skip
    assert codes(verdict) == (250, [250], 354, code)
    assert stream.reset_needed is (code >= 400)  # Postfix may keep a refused one open


@pytest.mark.parametrize(
    ("answers", "duplicate"),
    [
        (["S: 354 to mail"], False),
        (["S: 250", "S: 354 to rcpt"], False),
        (["S: 250", "S: 250", "S: 250 to data"], False),
        (["S: 250", "S: 250", "S: 350 to data"], False),
        (["S: 250", "S: 250", "S: 354", "C: text", "C: .", "S: 354 to the dot"], True),
    ],
    ids=["mail", "rcpt", "data", "data-3yz", "dot"],
)
def test_answer_of_another_command_is_protocol_error(answers: list[str], duplicate: bool) -> None:
    verdict, stream = transact(C_MAIL, C_ONE, "C: DATA", *answers)
    assert isinstance(verdict.trouble, ProtocolError)
    assert verdict.may_be_duplicate is duplicate
    assert not stream.usable


@pytest.mark.parametrize("trouble", ["S: <lost>", "S: <slow>"])
@pytest.mark.trap(17)
def test_trouble_after_the_final_dot_may_make_a_duplicate(trouble: str) -> None:
    verdict, _ = transact(
        C_MAIL, C_ONE, C_TWO, "C: DATA", "S: 250 a", "S: 550 b", "S: 250 c", "S: 354 go",
        "C: text", "C: .", trouble, recipients=TWO,
    )  # fmt: skip
    assert isinstance(verdict.trouble, ConnectionLost | TimedOut)
    assert verdict.may_be_duplicate
    assert codes(verdict) == (250, [550, 250], 354, None)
    assert last_words(verdict) == [550, None]


@pytest.mark.parametrize("read", range(4))
def test_trouble_before_the_end_keeps_the_verdicts_given(read: int) -> None:
    answers = ["S: 250 a", "S: 550 b", "S: 250 c"][:read]
    verdict, _ = transact(
        C_MAIL, C_ONE, C_TWO, "C: DATA", *answers, "S: <lost>", recipients=TWO
    )
    assert not verdict.may_be_duplicate
    mail, recipients, data, final = codes(verdict)
    assert [mail, *recipients][:read] == [250, 550, 250][:read]  # type: ignore[misc]
    assert (data, final) == (None, None)


# --- many recipients


def numbered(count: int) -> list[bytes]:
    return [b"u%d@y" % number for number in range(count)]


def said(first: int, end: int) -> list[str]:
    return [f"C: RCPT TO:<u{number}@y>" for number in range(first, end)]


def test_long_envelope_never_has_more_commands_under_way_than_the_bound() -> None:
    verdict, _ = transact(
        C_MAIL, *said(0, COMMANDS - 1), *["S: 250 ok"] * (COMMANDS // 2),
        *said(COMMANDS - 1, COMMANDS + 1), "C: DATA", *["S: 250 ok"] * (COMMANDS // 2 + 2),
        "S: 354 go", "C: text", "C: .", "S: 250 taken", recipients=numbered(COMMANDS + 1),
    )  # fmt: skip
    assert codes(verdict) == (250, [250] * (COMMANDS + 1), 354, 250)


def test_long_envelope_stops_after_refused_mail() -> None:
    verdict, _ = transact(
        C_MAIL, *said(0, COMMANDS - 1), *["S: 550 no"] * (COMMANDS // 2),
        "C: DATA", *["S: 503 no"] * (COMMANDS // 2 + 1),
        recipients=numbered(COMMANDS + 1),
    )  # fmt: skip
    assert codes(verdict) == (550, [None] * (COMMANDS + 1), None, None)


@pytest.mark.parametrize("text", ["452 too many", "452 4.5.3 too many", "552 too many"])
def test_too_many_recipients_finishes_with_those_accepted(text: str) -> None:
    count, half = COMMANDS + 2, COMMANDS // 2
    verdict, _ = transact(
        C_MAIL, *said(0, COMMANDS - 1), *["S: 250 ok"] * (half - 1), f"S: {text}",
        "C: DATA", *[f"S: {text}"] * half, "S: 354 go", "C: text", "C: .", "S: 250 taken",
        recipients=numbered(count),
    )  # fmt: skip
    taken = half - 2
    refused = int(text[:3])
    assert codes(verdict) == (250, [250] * taken + [refused] * (count - taken), 354, 250)


def test_too_many_recipients_step_by_step_stops_naming_them() -> None:
    verdict, _ = transact(
        C_MAIL, "S: 250", *said(0, 1), "S: 250", *said(1, 2), "S: 452 4.5.3 enough",
        "C: DATA", "S: 354 go", "C: text", "C: .", "S: 250 taken",
        recipients=numbered(3), offers=(),
    )  # fmt: skip
    assert codes(verdict) == (250, [250, 452, 452], 354, 250)


def test_full_mailbox_does_not_keep_the_others_from_being_named() -> None:
    verdict, _ = transact(
        C_MAIL, "S: 250", *said(0, 1), "S: 250", *said(1, 2), "S: 452 4.2.2 mailbox full",
        *said(2, 3), "S: 250", "C: DATA", "S: 354 go", "C: text", "C: .", "S: 250 taken",
        recipients=numbered(3), offers=(),
    )  # fmt: skip
    assert codes(verdict) == (250, [250, 452, 250], 354, 250)


# --- message after message, PIPELINING


def numbered_messages(count: int) -> Iterator[Transaction]:
    for number in range(count):
        yield Transaction(b"a%d@x" % number, ONE, b"text %d\r\n" % number)


def envelope(number: int, *, reset: bool = True) -> list[str]:
    first = ["C: RSET"] if reset else []
    return [*first, f"C: MAIL FROM:<a{number}@x>", C_ONE]


def test_next_envelope_travels_behind_the_message_before_it() -> None:
    stream = Stream(offering(*PIPELINING))
    verdicts = run(
        stream, numbered_messages(3),
        *envelope(0, reset=False), "C: DATA", "S: 250", "S: 250", "S: 354",
        "C: text 0", "C: .", *envelope(1), "C: DATA",
        "S: 250 taken 0", "S: 250", "S: 250", "S: 250", "S: 354",
        "C: text 1", "C: .", *envelope(2), "C: DATA",
        "S: 250 taken 1", "S: 250", "S: 250", "S: 250", "S: 354",
        "C: text 2", "C: .", "S: 250 taken 2",
    )  # fmt: skip
    finals = [verdict.transcript.final.lines for verdict in verdicts if verdict.transcript.final]
    assert finals == [(b"taken 0",), (b"taken 1",), (b"taken 2",)]
    assert not stream.reset_needed


def test_verdict_is_told_before_the_next_message_is_sent() -> None:
    told: list[Verdict] = []
    conversation = Stream(offering(*PIPELINING)).run(numbered_messages(2))
    with pytest.raises(AssertionError, match="script says here"):
        drive(
            conversation,
            *envelope(0, reset=False), "C: DATA", "S: 250", "S: 250", "S: 354",
            "C: text 0", "C: .", *envelope(1), "C: DATA", "S: 250 taken 0", "C: stop here",
            told=told,
        )  # fmt: skip
    assert len(told) == 1


def test_refused_message_does_not_disturb_the_one_behind_it() -> None:
    verdicts = run(
        Stream(offering(*PIPELINING)), numbered_messages(2),
        *envelope(0, reset=False), "C: DATA", "S: 250", "S: 250", "S: 354",
        "C: text 0", "C: .", *envelope(1), "C: DATA",
        "S: 554 spam", "S: 250", "S: 250", "S: 250", "S: 354",
        "C: text 1", "C: .", "S: 250 taken",
    )  # fmt: skip
    assert [last_words(verdict) for verdict in verdicts] == [[554], [250]]


def test_without_pipelining_nothing_follows_an_unjudged_message() -> None:
    verdicts = run(
        Stream(offering()), numbered_messages(2),
        "C: MAIL FROM:<a0@x>", "S: 250", C_ONE, "S: 250", "C: DATA", "S: 354",
        "C: text 0", "C: .", "S: 554 spam",
        "C: RSET", "S: 250", "C: MAIL FROM:<a1@x>", "S: 250", C_ONE, "S: 250", "C: DATA", "S: 354",
        "C: text 1", "C: .", "S: 250 taken",
    )  # fmt: skip
    assert [last_words(verdict) for verdict in verdicts] == [[554], [250]]


def test_message_that_cannot_go_this_way_costs_nobody_else() -> None:
    stream = Stream(Extensions((b"mx",), {b"PIPELINING": (), b"SIZE": (b"10",)}))
    verdicts = run(
        stream,
        [
            message(),
            Transaction(b"a@x", ONE, b"x", size=11),
            Transaction(b"a@x", ONE, b"x", smtputf8=True),
            Transaction(b"a@x\r\nQUIT", ONE, b"x"),
            message(()),
            message(),
        ],
        C_MAIL, C_ONE, "C: DATA", "S: 250", "S: 250", "S: 354", "C: text", "C: .", "S: 250",
        C_MAIL, C_ONE, "C: DATA", "S: 250", "S: 250", "S: 354", "C: text", "C: .", "S: 250",
    )  # fmt: skip
    assert [type(verdict.trouble) for verdict in verdicts] == [
        type(None), SizeExceeded, MissingExtension, UsageError, UsageError, type(None),
    ]  # fmt: skip
    assert stream.usable


@pytest.mark.parametrize("heard", range(5))
def test_loss_defers_all_and_doubts_only_the_message_that_was_whole(heard: int) -> None:
    answers = ["S: 250 taken", "S: 250", "S: 250", "S: 250"][:heard]
    verdicts = run(
        Stream(offering(*PIPELINING)), numbered_messages(2),
        *envelope(0, reset=False), "C: DATA", "S: 250", "S: 250", "S: 354",
        "C: text 0", "C: .", *envelope(1), "C: DATA", *answers, "S: <lost>",
    )  # fmt: skip
    first, second = verdicts
    assert last_words(first) == [250 if heard else None]
    assert first.may_be_duplicate is (not heard)
    assert isinstance(second.trouble, ConnectionLost)
    assert not second.may_be_duplicate


def failing(chunks: list[bytes]) -> Iterator[bytes]:
    yield from chunks
    raise OSError("the disk is gone")


def test_source_that_fails_inside_a_message_ends_the_session() -> None:
    stream = Stream(offering(*PIPELINING))
    first, second = run(
        stream, [message(), message(text=failing([b"half\r\n"])), message()],
        C_MAIL, C_ONE, "C: DATA", "S: 250", "S: 250", "S: 354", "C: text", "C: .",
        "C: RSET", C_MAIL, C_ONE, "C: DATA", "S: 250 taken", "S: 250", "S: 250", "S: 250", "S: 354",
    )  # fmt: skip
    assert last_words(first) == [250]
    assert isinstance(second.trouble, OSError)
    assert not second.may_be_duplicate
    assert not stream.usable


# --- message after message, CHUNKING


def chunked(number: int, *, reset: bool = True) -> list[str]:
    return [*envelope(number, reset=reset), "C: BDAT 8 LAST", f"C: text {number}"]


def test_whole_messages_travel_back_to_back() -> None:
    stream = Stream(offering(*CHUNKING))
    verdicts = run(
        stream, numbered_messages(3), *chunked(0, reset=False), *chunked(1), *chunked(2),
        "S: 250", "S: 250", "S: 250 taken 0",
        "S: 250", "S: 250", "S: 250", "S: 250 taken 1",
        "S: 250", "S: 250", "S: 250", "S: 250 taken 2",
    )  # fmt: skip
    assert [last_words(verdict) for verdict in verdicts] == [[250], [250], [250]]
    assert not stream.reset_needed


def test_refusals_anywhere_among_streamed_messages_are_told_to_their_own() -> None:
    verdicts = run(
        Stream(offering(*CHUNKING)), numbered_messages(5), *chunked(0, reset=False),
        *chunked(1), *chunked(2), *chunked(3), *chunked(4),
        "S: 550 mail", "S: 503", "S: 503",
        "S: 250", "S: 250", "S: 551 rcpt", "S: 554 nobody",
        "S: 250", "S: 250", "S: 250", "S: 452 full",
        "S: 250", "S: 250", "S: 250", "S: 554 spam",
        "S: 250", "S: 250", "S: 250", "S: 250 taken",
    )  # fmt: skip
    assert [last_words(verdict) for verdict in verdicts] == [[550], [551], [452], [554], [250]]


def test_chunk_accepted_for_nobody_is_noise() -> None:
    verdict, stream = transact(
        C_MAIL, C_ONE, "C: BDAT 6 LAST", "C: text", "S: 250", "S: 550 rcpt", "S: 250 hm",
        offers=CHUNKING,
    )  # fmt: skip
    assert last_words(verdict) == [550]
    assert stream.usable


def test_chunk_accepted_though_mail_was_refused_ends_the_session_for_those_behind() -> None:
    stream = Stream(offering(*CHUNKING))
    first, second = run(
        stream, numbered_messages(2), *chunked(0, reset=False), *chunked(1),
        "S: 550 mail", "S: 250", "S: 250 what",
    )  # fmt: skip
    assert last_words(first) == [550]
    assert isinstance(second.trouble, ProtocolError)
    assert second.may_be_duplicate
    assert not stream.usable


@pytest.mark.parametrize("heard", range(8))
def test_loss_among_streamed_messages_doubts_every_one_that_was_whole(heard: int) -> None:
    answers = ["S: 250", "S: 250", "S: 250", "S: 250", "S: 250", "S: 550", "S: 503"][:heard]
    first, second = run(
        Stream(offering(*CHUNKING)), numbered_messages(2), *chunked(0, reset=False), *chunked(1),
        *answers, *(["S: <lost>"] if heard < 7 else []),
    )  # fmt: skip
    assert last_words(first) == [250 if heard >= 3 else None]
    assert first.may_be_duplicate is (heard < 3)
    assert second.may_be_duplicate is (heard < 6)


def test_421_among_streamed_messages_leaves_no_doubt() -> None:
    trouble = TransientError(Reply(421, (b"leaving",)), b"end of data")
    conversation = Stream(offering(*CHUNKING)).run(numbered_messages(2))
    told: list[Verdict] = []
    script = [*chunked(0, reset=False), *chunked(1), "S: 250", "S: 250"]
    drive(_throwing(conversation, 3, trouble), *script, told=told)
    assert [verdict.trouble for verdict in told] == [trouble, trouble]
    assert not any(verdict.may_be_duplicate for verdict in told)


def _throwing(conversation, wait: int, trouble: SmtpError):  # type: ignore[no-untyped-def]
    """The same dialogue, whose numbered wait ends in trouble."""
    from pysendmail.smtp.phases import Phase

    waits, answer = 0, None
    step = next(conversation)
    while True:
        waits += isinstance(step, Phase)
        try:
            if isinstance(step, Phase) and waits == wait:
                step = conversation.throw(trouble)
            else:
                answer = yield step
                step = conversation.send(answer)
        except StopIteration:
            return


def test_number_of_messages_under_way_is_bounded() -> None:
    asked = 0

    def counted() -> Iterator[Transaction]:
        nonlocal asked
        for transaction in numbered_messages(MESSAGES + 10):
            asked += 1
            yield transaction

    stream = Stream(offering(*CHUNKING), hearing=True)
    conversation = stream.run(counted())
    step = next(conversation)
    while not hasattr(step, "after_end_of_data"):
        step = conversation.send(None)
    assert asked == MESSAGES
    conversation.close()


def test_long_message_waits_for_its_envelope_and_goes_in_chunks() -> None:
    verdict = run(
        Stream(offering(*CHUNKING)),
        [message(text=[b"x" * (BLOCK_OCTETS - 2) + b"\r\n", b"end\r\n"])],
        C_MAIL, C_ONE, "S: 250", "S: 250",
        f"C: BDAT {BLOCK_OCTETS}", "C: " + "x" * (BLOCK_OCTETS - 2),
        "C: BDAT 5 LAST", "C: end", "S: 250 chunk", "S: 250 taken",
    )[0]  # fmt: skip
    assert last_words(verdict) == [250]


def test_long_message_for_nobody_is_not_sent() -> None:
    verdict = run(
        Stream(offering(*CHUNKING)), [message(text=[b"x\r\n" * BLOCK_OCTETS, b"end\r\n"])],
        C_MAIL, C_ONE, "S: 250", "S: 550 no",
    )[0]  # fmt: skip
    assert last_words(verdict) == [550]


def test_refused_chunk_is_the_verdict_and_what_follows_is_noise() -> None:
    lines = "x" * (BLOCK_OCTETS - 2)
    block = lines.encode() + b"\r\n"
    verdict = run(
        Stream(offering(*CHUNKING)), [message(text=[block, b"end\r\n"])],
        C_MAIL, C_ONE, "S: 250", "S: 250", f"C: BDAT {BLOCK_OCTETS}", f"C: {lines}",
        "C: BDAT 5 LAST", "C: end", "S: 552 too big", "S: 503 no",
    )[0]  # fmt: skip
    assert codes(verdict) == (250, [250], 552, None)
    assert last_words(verdict) == [552]


def test_chunks_step_by_step_stop_at_the_first_refusal() -> None:
    lines = "x" * (BLOCK_OCTETS - 2)
    block = lines.encode() + b"\r\n"
    verdict = run(
        Stream(offering(b"CHUNKING")), [message(text=[block, b"end\r\n"])],
        C_MAIL, "S: 250", C_ONE, "S: 250", f"C: BDAT {BLOCK_OCTETS}", f"C: {lines}", "S: 452 full",
    )[0]  # fmt: skip
    assert last_words(verdict) == [452]
    verdict = run(
        Stream(offering(b"CHUNKING")), [message()], C_MAIL, "S: 250", C_ONE, "S: 550 no"
    )[0]
    assert last_words(verdict) == [550]


@pytest.mark.parametrize("blocks", [6, 5], ids=["middle", "end"])
def test_message_with_a_refused_chunk_is_given_up_without_its_last(
    monkeypatch: pytest.MonkeyPatch, blocks: int
) -> None:
    monkeypatch.setattr("pysendmail.smtp.stream.COMMANDS", 4)  # so soon answers are heard
    lines = "x" * (BLOCK_OCTETS - 2)
    long = message(text=[lines.encode() + b"\r\n"] * blocks)
    stream = Stream(offering(*CHUNKING))
    first, second = run(
        stream, [long, message()],
        C_MAIL, C_ONE, "S: 250", "S: 250", *(f"C: BDAT {BLOCK_OCTETS}", f"C: {lines}") * 4,
        "S: 250 chunk", "S: 452 full", "S: 250 chunk", "S: 250 chunk",
        "C: RSET", C_MAIL, C_ONE, "C: BDAT 6 LAST", "C: text",
        "S: 250 reset", "S: 250", "S: 250", "S: 250 taken",
    )  # fmt: skip
    assert last_words(first) == [452]
    assert last_words(second) == [250]
    assert not first.may_be_duplicate


def test_3yz_to_a_chunk_is_protocol_error() -> None:
    lines = "x" * (BLOCK_OCTETS - 2)
    verdict = run(
        Stream(offering(*CHUNKING)), [message(text=[lines.encode() + b"\r\n", b"end\r\n"])],
        C_MAIL, C_ONE, "S: 250", "S: 250", f"C: BDAT {BLOCK_OCTETS}", f"C: {lines}",
        "C: BDAT 5 LAST", "C: end", "S: 354 go",
    )[0]  # fmt: skip
    assert isinstance(verdict.trouble, ProtocolError)


def test_empty_message_is_a_chunk_of_nothing() -> None:
    verdict = run(
        Stream(offering(*CHUNKING)), [message(text=b"")],
        C_MAIL, C_ONE, "C: BDAT 0 LAST", "S: 250", "S: 250", "S: 250 taken",
    )[0]  # fmt: skip
    assert last_words(verdict) == [250]


def test_source_that_fails_between_chunks_costs_only_its_message() -> None:
    stream = Stream(offering(*CHUNKING))
    first, second, third = run(
        stream, [message(), message(text=failing([b"half\r\n"])), message()],
        C_MAIL, C_ONE, "C: BDAT 6 LAST", "C: text", "C: RSET", C_MAIL, C_ONE,
        "S: 250", "S: 250", "S: 250 taken", "S: 250", "S: 250", "S: 250",
        "C: RSET", C_MAIL, C_ONE, "C: BDAT 6 LAST", "C: text",
        "S: 250", "S: 250", "S: 250", "S: 250 taken",
    )  # fmt: skip
    assert [last_words(first), last_words(third)] == [[250], [250]]
    assert isinstance(second.trouble, OSError)
    assert not second.may_be_duplicate
    assert stream.usable


def test_binary_message_needs_its_extensions_and_is_not_touched() -> None:
    binary = Transaction(b"a@x", ONE, [b"a\nb\r\n"], body=b"BINARYMIME")
    for offers, missing in [((b"BINARYMIME",), b"CHUNKING"), (CHUNKING, b"BINARYMIME")]:
        (verdict,) = run(Stream(offering(*offers)), [binary])
        assert isinstance(verdict.trouble, MissingExtension)
        assert verdict.trouble.name == missing
    verdict = run(
        Stream(offering(*CHUNKING, b"BINARYMIME")), [binary],
        C_MAIL + " BODY=BINARYMIME", C_ONE, "C: BDAT 5 LAST", "C: a\nb",
        "S: 250", "S: 250", "S: 250 taken",
    )[0]  # fmt: skip
    assert last_words(verdict) == [250]


# --- LMTP


@pytest.mark.parametrize("offers", [PIPELINING, CHUNKING], ids=["data", "bdat"])
def test_lmtp_gives_each_accepted_recipient_a_verdict(offers: tuple[bytes, ...]) -> None:
    text = ["S: 354 go", "C: text", "C: ."] if offers == PIPELINING else []
    sent = ["C: DATA"] if offers == PIPELINING else ["C: BDAT 6 LAST", "C: text"]
    verdict, stream = transact(
        C_MAIL, C_ONE, C_TWO, "C: RCPT TO:<d@y>", *sent, "S: 250", "S: 250", "S: 550 no", "S: 250",
        *text, "S: 250 b has it", "S: 452 d is full",
        recipients=(*TWO, b"d@y"), offers=offers, lmtp=True,
    )  # fmt: skip
    assert last_words(verdict) == [250, 550, 452]
    assert verdict.transcript.taken
    assert not stream.reset_needed


def test_lmtp_loss_doubts_only_those_without_verdict() -> None:
    verdict, _ = transact(
        C_MAIL, C_ONE, C_TWO, "C: DATA", "S: 250", "S: 250", "S: 250", "S: 354", "C: text", "C: .",
        "S: 250 b has it", "S: <lost>", recipients=TWO, lmtp=True,
    )  # fmt: skip
    assert last_words(verdict) == [250, None]
    assert verdict.may_be_duplicate
    assert isinstance(verdict.trouble, ConnectionLost)


def test_lmtp_message_for_nobody_gets_one_refusal() -> None:
    verdict, stream = transact(
        C_MAIL, C_ONE, "C: BDAT 6 LAST", "C: text", "S: 250", "S: 550 no", "S: 503 nobody",
        offers=CHUNKING, lmtp=True,
    )  # fmt: skip
    assert last_words(verdict) == [550]
    assert stream.usable
