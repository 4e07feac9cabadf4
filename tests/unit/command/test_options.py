"""The command line of sendmail: every letter, every spelling, every refusal."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.command.modes import (
    ALIASES,
    CHECK,
    COUNT,
    DAEMON,
    DELIVER,
    FLUSH,
    FOREGROUND,
    HELP,
    LIST,
    MODES,
    NOTHING,
    PROGRAMS,
    RUNNER,
    SMTP,
    VERIFY,
    VERSION,
)
from pysendmail.command.options import Options, parse_options
from pysendmail.message.outcome import printable
from pysendmail.submission.exit_status import EX_USAGE, Refused


def parse(*words: bytes, program: bytes = b"sendmail") -> Options:
    return parse_options(program, words)


def refusal(*words: bytes, program: bytes = b"sendmail") -> bytes:
    with pytest.raises(Refused) as refused:
        parse(*words, program=program)
    assert refused.value.status == EX_USAGE
    return refused.value.line


# --- letters that act: words in front of the recipient, and what they say

ACTS: list[tuple[tuple[bytes, ...], dict[str, Any]]] = [
    ((b"-f", b"w@x"), {"sender": b"w@x"}),
    ((b"-fw@x",), {"sender": b"w@x"}),
    ((b"-r", b"w@x"), {"sender": b"w@x"}),
    ((b"-rw@x",), {"sender": b"w@x"}),
    ((b"-f", b""), {"sender": b""}),
    ((b"-f", b"<>"), {"sender": b"<>"}),
    ((b"-f", b"-odd"), {"sender": b"-odd"}),
    ((b"-f", b"one@x", b"-r", b"two@x"), {"sender": b"two@x"}),
    ((b"-F", b"Who Else"), {"full_name": b"Who Else"}),
    ((b"-FCronDaemon",), {"full_name": b"CronDaemon"}),
    ((b"-i",), {"dots": False}),
    ((b"-oi",), {"dots": False}),
    ((b"-o", b"i"), {"dots": False}),
    ((b"-oitrue",), {"dots": False}),
    ((b"-OIgnoreDots",), {"dots": False}),
    ((b"-O", b"IgnoreDots=true"), {"dots": False}),
    ((b"-Oignoredots=false",), {"dots": True}),
    ((b"-OIgnoreDots=no",), {"dots": True}),
    ((b"-OIgnoreDots=0",), {"dots": True}),
    ((b"-G",), {"gateway": True}),
    ((b"-n",), {"literal": True}),
    ((b"-v",), {"verbose": True}),
    ((b"-ov",), {"verbose": True}),
    ((b"-odi",), {"delivery_mode": b"i"}),
    ((b"-odf",), {"delivery_mode": b"i"}),
    ((b"-odb",), {"delivery_mode": b"b"}),
    ((b"-odq",), {"delivery_mode": b"q"}),
    ((b"-odqs",), {"delivery_mode": b"q"}),
    ((b"-odd",), {"delivery_mode": b"q"}),
    ((b"-o", b"db"), {"delivery_mode": b"b"}),
    ((b"-od",), {"delivery_mode": b""}),
    ((b"-ODeliveryMode=b",), {"delivery_mode": b"b"}),
    ((b"-O", b"deliverymode = i"), {"delivery_mode": b"i"}),
    ((b"-bq",), {"delivery_mode": b"q", "mode": DELIVER}),
    ((b"-oep",), {"error_mode": b"p"}),
    ((b"-oem",), {"error_mode": b"m"}),
    ((b"-oew",), {"error_mode": b"w"}),
    ((b"-oeq",), {"error_mode": b"q"}),
    ((b"-oee",), {"error_mode": b"e"}),
    ((b"-oe",), {"error_mode": b"p"}),
    ((b"-em",), {"error_mode": b"m"}),
    ((b"-eq",), {"error_mode": b"q"}),
    ((b"-e", b"q"), {"error_mode": b"q"}),
    ((b"-OErrorMode=m",), {"error_mode": b"m"}),
    ((b"-B8BITMIME",), {"body_type": b"8BITMIME"}),
    ((b"-B", b"8BITMIME"), {"body_type": b"8BITMIME"}),
    ((b"-B", b"7bit"), {"body_type": b"7BIT"}),
    ((b"-N", b"never"), {"notify": (b"NEVER",)}),
    ((b"-Nsuccess,delay,success",), {"notify": (b"SUCCESS", b"DELAY")}),
    ((b"-Nsuccess,delay, failure",), {"notify": (b"SUCCESS", b"DELAY", b"FAILURE")}),
    ((b"-R", b"hdrs"), {"ret": b"HDRS"}),
    ((b"-Rfull",), {"ret": b"FULL"}),
    ((b"-V0000abc",), {"envid": b"0000abc"}),
    ((b"-V", b"QQ314159"), {"envid": b"QQ314159"}),
    ((b"-V", b"a+2Bb"), {"envid": b"a+b"}),
    ((b"-V", b"a+b"), {"envid": b"a+b"}),
    ((b"-V", b"a+2b"), {"envid": b"a+2b"}),
    ((b"-h", b"3"), {"hops": 3}),
    ((b"-L", b"tag"), {"tag": b"tag"}),
    ((b"-L", b"x" * 40), {"tag": b"x" * 32}),
    ((b"-L", b"a b/%s\xe9"), {"tag": b"a_b__s_"}),
    ((b"-C", b"/etc/other.yaml"), {"configuration": b"/etc/other.yaml"}),
    ((b"-it",), {"dots": False, "from_header": True}),
    ((b"-ti",), {"dots": False, "from_header": True}),
    ((b"-tv",), {"verbose": True, "from_header": True}),
    ((b"-itfw@x",), {"dots": False, "from_header": True, "sender": b"w@x"}),
    ((b"-tif", b"w@x"), {"dots": False, "from_header": True, "sender": b"w@x"}),
    ((b"-bm",), {"mode": DELIVER}),
    ((b"-bp", b"-bm"), {"mode": DELIVER}),
]


@pytest.mark.parametrize(("words", "facts"), ACTS, ids=lambda value: repr(value)[:50])
def test_option_acts_and_nothing_else_is_changed(
    words: tuple[bytes, ...], facts: dict[str, Any]
) -> None:
    expected = {**vars(Options(DELIVER)), "operands": (b"bob",), **facts}
    assert vars(parse(*words, b"bob")) == expected


@pytest.mark.parametrize(
    "words",
    [
        (b"-c",), (b"-m",), (b"-s",), (b"-T",), (b"-U",), (b"-x",), (b"-4",), (b"-6",),
        (b"-Ac",), (b"-Am",), (b"-A", b"c"), (b"-p", b"ESMTP:h"), (b"-pESMTP:h",),
        (b"-X", b"/tmp/px"), (b"-X/tmp/px",), (b"-OTimeout.queuereturn=1d",),
        (b"-OQueueDirectory=/x",), (b"-O", b"smtputf8=yes"), (b"-Orequiretls=no",),
        (b"-oA/etc/aliases",), (b"-oA",),
        (b"-o7",), (b"-o8",), (b"-om",), (b"-oo",), (b"-on",), (b"-oc",), (b"-of",), (b"-os",),
        (b"-or0s",), (b"-oT5d",), (b"-oQ/dir",), (b"-o", b"A/x"), (b"-d",), (b"-d9",),
        (b"-cmsTUx46",),
    ],
    ids=repr,
)  # fmt: skip
def test_option_is_accepted_and_ignored(words: tuple[bytes, ...]) -> None:
    assert vars(parse(*words, b"bob")) == {**vars(Options(DELIVER)), "operands": (b"bob",)}


# --- operands


@pytest.mark.trap(24)
def test_options_end_at_the_first_operand_or_two_dashes() -> None:
    assert parse(b"-i", b"bob", b"carol").operands == (b"bob", b"carol")
    assert parse(b"--", b"-odd@example.org").operands == (b"-odd@example.org",)
    assert parse(b"-t", b"--").operands == ()


@pytest.mark.parametrize(
    "words", [(b"bob", b"-i"), (b"bob", b"--"), (b"-",), (b"bob", b"-f", b"w@x"), (b"-t", b"-")]
)
@pytest.mark.trap(24)
def test_operand_that_looks_like_an_option_is_refused(words: tuple[bytes, ...]) -> None:
    assert b"put -- before" in refusal(*words)


@pytest.mark.parametrize("words", [(), (b"-i",), (b"--",), (b"-f", b"x")])
def test_nobody_to_send_to_is_refused_before_anything_is_read(words: tuple[bytes, ...]) -> None:
    assert refusal(*words) == b"recipient names must be specified"


@pytest.mark.parametrize("words", [(b"",), (b"bob", b""), (b"--", b""), (b"-t", b"")])
def test_empty_operand_is_refused(words: tuple[bytes, ...]) -> None:
    assert refusal(*words) == b"an empty recipient"


# --- modes


@pytest.mark.parametrize(
    ("program", "words", "mode"),
    [
        (b"mailq", (), LIST),
        (b"newaliases", (), ALIASES),
        (b"runq", (), FLUSH),
        (b"hoststat", (), NOTHING),
        (b"purgestat", (), NOTHING),
        (b"hoststat", (b"x",), NOTHING),
        (b"smtpd", (), DAEMON),
        (b"rmail", (b"bob",), DELIVER),
        (b"mailq", (b"-v",), LIST),
        (b"newaliases", (b"-bp",), LIST),
        (b"sendmail", (b"-bp",), LIST),
        (b"sendmail", (b"-b", b"p"), LIST),
        (b"sendmail", (b"-bi",), ALIASES),
        (b"sendmail", (b"-I",), ALIASES),
        (b"sendmail", (b"-bh",), NOTHING),
        (b"sendmail", (b"-bH",), NOTHING),
        (b"sendmail", (b"-bs",), SMTP),
        (b"sendmail", (b"-bs", b"-i"), SMTP),
        (b"sendmail", (b"-bs", b"-odb", b"-oem"), SMTP),
        (b"sendmail", (b"-bv", b"bob"), VERIFY),
        (b"sendmail", (b"-bP",), COUNT),
        (b"sendmail", (b"-bpc",), COUNT),
        (b"sendmail", (b"-bC",), CHECK),
        (b"sendmail", (b"-bd",), DAEMON),
        (b"sendmail", (b"-bl",), DAEMON),
        (b"sendmail", (b"-bD",), FOREGROUND),
        (b"sendmail", (b"-q",), FLUSH),
        (b"sendmail", (b"-qf",), FLUSH),
        (b"sendmail", (b"-qIABC",), FLUSH),
        (b"mailq", (b"-qRbob",), LIST),
        (b"sendmail", (b"-bP", b"-qRbob"), COUNT),
        (b"sendmail", (b"-bd", b"-q"), DAEMON),
        (b"sendmail", (b"-bd", b"-q15m"), DAEMON),
        (b"sendmail", (b"-q15m", b"-bD"), FOREGROUND),
        (b"sendmail", (b"-q15m",), RUNNER),
        (b"sendmail", (b"-qp15m",), RUNNER),
        (b"sendmail", (b"-qp",), RUNNER),
        (b"sendmail", (b"-d0.1",), VERSION),
        (b"sendmail", (b"-d0",), VERSION),
        (b"sendmail", (b"--version",), VERSION),
        (b"sendmail", (b"--help", b"x"), HELP),
        (b"send-mail", (b"-t",), DELIVER),
    ],
)
def test_mode_is_that_of_the_program_or_the_last_word(
    program: bytes, words: tuple[bytes, ...], mode: str
) -> None:
    assert parse(*words, program=program).mode == mode


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (b"sendmail", (b"-bp", b"bob")),
        (b"sendmail", (b"-q", b"bob")),
        (b"sendmail", (b"-bi", b"bob")),
        (b"sendmail", (b"-bs", b"bob")),
        (b"sendmail", (b"-bd", b"bob")),
        (b"sendmail", (b"-q15m", b"bob")),
        (b"sendmail", (b"-bP", b"bob")),
        (b"mailq", (b"bob",)),
        (b"newaliases", (b"-oAfile", b"bob")),
    ],
)
def test_recipients_have_no_place_in_other_modes(program: bytes, words: tuple[bytes, ...]) -> None:
    assert refusal(*words, program=program) == b"no recipients can be given here"


@pytest.mark.parametrize("words", [(b"-bp",), (b"-q",), (b"-bs",), (b"-bv", b"bob"), (b"-bd",)])
def test_recipients_of_the_header_have_no_place_in_other_modes(words: tuple[bytes, ...]) -> None:
    assert refusal(b"-t", *words) == b"-t has no meaning here"


def test_verification_of_nobody_is_refused() -> None:
    assert refusal(b"-bv") == b"recipient names must be specified"


def test_rmail_is_a_gateway_whose_caller_reads_no_answer() -> None:
    options = parse(b"bob", program=b"rmail")
    assert (options.dots, options.gateway, options.error_mode) == (False, True, b"e")
    assert options.operands == (b"bob",)


def test_file_of_newaliases_may_be_another_word() -> None:
    assert parse(b"-oA", b"/etc/aliases", program=b"newaliases").mode == ALIASES
    assert parse(b"-oA", b"bob").operands == (b"bob",)


# --- the queue run


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"15m", 900), (b"1h30m", 5400), (b"900s", 900), (b"15", 900), (b"1h15", 4500),
        (b"1d", 86400), (b"p10m", 600), (b"p", 0), (b"1s", 1),
    ],
)  # fmt: skip
def test_interval_is_sendmails(value: bytes, seconds: int) -> None:
    assert parse(b"-q" + value).interval == seconds


def test_filters_of_the_queue_run_are_kept_as_written() -> None:
    assert parse(b"-qIABC", b"-q!Rbob", b"-qSjoe").filters == (b"IABC", b"!Rbob", b"Sjoe")


@pytest.mark.parametrize(
    ("words", "wait"), [((b"-q",), False), ((b"-qf",), True), ((b"-qf", b"-q"), True)]
)
def test_run_in_the_foreground_is_waited_for(words: tuple[bytes, ...], *, wait: bool) -> None:
    assert parse(*words).wait is wait


# --- refusals


@pytest.mark.parametrize("letter", [b"%c" % c for c in b"ABCFfhLNOopRrVXbe"])
def test_missing_value_is_told_as_getopt_does(letter: bytes) -> None:
    assert refusal(b"-" + letter) == b"option requires an argument -- '%b'" % letter
    assert refusal(b"-i" + letter) == b"option requires an argument -- '%b'" % letter


@pytest.mark.parametrize("letter", [b"%c" % c for c in b"DEHJKMPQSWYZagjklwyzu!?=1"])
def test_unknown_letter_is_told_as_getopt_does(letter: bytes) -> None:
    assert refusal(b"-" + letter, b"bob") == b"invalid option -- '%b'" % letter


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((b"-bt",), b"-bt is not supported"),
        ((b"-ba",), b"-ba is not supported"),
        ((b"-b", b""), b"-b is not supported"),
        ((b"-bz",), b"-bz is not supported"),
        ((b"-bO",), b"-bO is not supported"),
        ((b"-bS",), b"-bS is not supported"),
        ((b"-bpu",), b"-bpu is not supported"),
        ((b"-qGx",), b"-qGx is not supported"),
        ((b"-qQ",), b"-qQ is not supported"),
        ((b"-qL",), b"-qL is not supported"),
        ((b"-qff",), b"-qff is not supported"),
        ((b"-q!15m",), b"-q!15m is not supported"),
        ((b"-qR",), b"-qR: a text to look for was expected"),
        ((b"-q!S",), b"-q!S: a text to look for was expected"),
        ((b"-q15x",), b"-q: an interval like 15m or 1h30m was expected, not '15x'"),
        ((b"-qp-1",), b"-q: an interval like 15m or 1h30m was expected, not '-1'"),
        ((b"-q1mm",), b"-q: an interval like 15m or 1h30m was expected, not '1mm'"),
        ((b"-q0",), b"-q: an interval from 1s to 1d was expected, not '0'"),
        ((b"-q25h",), b"-q: an interval from 1s to 1d was expected, not '25h'"),
        ((b"-Orequiretls=yes", b"b"), b"-O requiretls: the smarthost cannot be held to it"),
        ((b"-O", b"RequireTLS", b"b"), b"-O requiretls: the smarthost cannot be held to it"),
        ((b"-Ax", b"bob"), b"-A: 'x' is not known"),
        ((b"-B9BIT", b"bob"), b"-B: '9BIT' is not known"),
        ((b"-Nsometimes", b"bob"), b"-N: 'SOMETIMES' is not known"),
        ((b"-N", b"", b"bob"), b"-N: '' is not known"),
        ((b"-Nnever,delay", b"bob"), b"-N never stands alone"),
        ((b"-Rall", b"bob"), b"-R: 'ALL' is not known"),
        ((b"-h", b"x", b"bob"), b"-h: a number was expected, not 'x'"),
        ((b"-h", b"-1", b"bob"), b"-h: a number was expected, not '-1'"),
        ((b"-h", b"1234567", b"bob"), b"-h: a number was expected, not '1234567'"),
        ((b"-odx", b"bob"), b"-od: 'x' is not known"),
        ((b"-oex", b"bob"), b"-oe: 'x' is not known"),
        ((b"-ex", b"bob"), b"-e: 'x' is not known"),
        ((b"-e", b"", b"bob"), b"-e: '' is not known"),
        ((b"-ODeliveryMode=", b"bob"), b"-O DeliveryMode: '' is not known"),
        ((b"-OErrorMode=x", b"bob"), b"-O ErrorMode: 'x' is not known"),
        ((b"-V", b"", b"bob"), b"-V: an envelope id is 1 to 100 printable characters"),
        ((b"-V", b"a b", b"bob"), b"-V: an envelope id is 1 to 100 printable characters"),
        ((b"-V", b"a+0Ab", b"bob"), b"-V: an envelope id is 1 to 100 printable characters"),
        ((b"-V" + b"x" * 101, b"bob"), b"-V: an envelope id is 1 to 100 printable characters"),
        ((b"-V" + b"=" * 34, b"bob"), b"-V: an envelope id is 1 to 100 printable characters"),
        ((b"--verbose",), b"unrecognized option '--verbose'"),
        ((b"---",), b"unrecognized option '---'"),
        ((b"-i-", b"bob"), b"invalid option -- '-'"),
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
def test_what_cannot_be_obeyed_is_refused(words: tuple[bytes, ...], said: bytes) -> None:
    assert refusal(*words) == said


def test_refusal_is_one_printable_line() -> None:
    assert refusal(b"--\x1b[2J\nx") == b"unrecognized option '--\\x1b[2J x'"


# argv is whatever execve(2) takes: words of any octets but NUL, the likely letters more often.
LIKELY = st.sampled_from([b"%c" % letter for letter in b"-bqofiOeNRVhLCd!IRSp015mhFA=x"])
WORD = st.one_of(
    st.lists(LIKELY, max_size=8).map(b"".join),
    st.lists(LIKELY, max_size=8).map(lambda letters: b"-" + b"".join(letters)),
    st.binary(max_size=40).map(lambda word: word.replace(b"\0", b"")),
)


@given(program=st.sampled_from([b"sendmail", *PROGRAMS]), words=st.lists(WORD, max_size=6))
def test_any_command_line_is_obeyed_or_refused(program: bytes, words: list[bytes]) -> None:
    try:
        options = parse(*words, program=program)
    except Refused as refused:
        assert refused.status == EX_USAGE
        assert refused.line == printable(refused.line)
    else:
        assert options.mode in {DELIVER, *PROGRAMS.values(), *MODES.values(), HELP, VERSION, RUNNER}
        assert b"" not in options.operands


def test_number_of_any_length_is_refused() -> None:
    assert b"an interval from" in refusal(b"-q" + b"9" * 5000 + b"s")
