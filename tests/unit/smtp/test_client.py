"""The client and its driver over streams in memory."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pysendmail.smtp import (
    Client,
    ConnectionLost,
    MissingExtension,
    PermanentError,
    ProtocolError,
    Recipient,
    SizeExceeded,
    SmtpError,
    TimedOut,
    Timeouts,
    TlsError,
    Transaction,
    TransientError,
    UsageError,
    sendmail,
)
from pysendmail.smtp.driver import LAST_WORDS_SECONDS
from pysendmail.smtp.reply import Reply
from pysendmail.smtp.sasl import Credentials, Plain
from tests.unit.smtp.streams import Clock, ListeningPeer, Peer

GREETING = b"220 mx\r\n"
PIPELINING = b"250-mx\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250 AUTH PLAIN\r\n"
PLAIN = b"250 mx\r\n"
RECIPIENT = [b"b@y"]


def session(peer: Peer, offers: bytes = PIPELINING, **options) -> Client:
    """A client after EHLO; what the peer says later is added to its chunks by the test."""
    peer.chunks[:0] = [GREETING, offers]
    client = Client(peer, peer, **options)
    client.helo(b"me")
    peer.writes.clear()
    return client


# --- a session


def test_constructor_reads_nothing() -> None:
    peer = Peer(GREETING)
    client = Client(peer, peer)
    assert peer.chunks == [GREETING]
    assert client.helo_response == []
    assert not client.authenticated
    assert not client.broken
    assert (client.tls_endpoint, client.tls_session_props, client.gssapi_props) == (None,) * 3
    assert not client.tls_verified


def test_greeting_is_read_once() -> None:
    peer = Peer(GREETING)
    client = Client(peer, peer)
    assert client.greeting().code == 220
    assert client.greeting().lines == (b"mx",)
    assert peer.writes == []


def test_command_waits_for_the_greeting_and_gets_its_own_answer() -> None:
    peer = Peer(GREETING, b"250 noop\r\n")
    client = Client(peer, peer)
    assert client.command(b"NOOP") == (250, [b"noop"])
    assert client.greeting().lines == (b"mx",)
    assert peer.writes == [b"NOOP\r\n"]


@pytest.mark.parametrize("leave", [Client.quit, Client.leave])
def test_server_that_has_not_been_heard_is_left_without_a_word(
    leave: Callable[[Client], None],
) -> None:
    peer = Peer(GREETING)
    leave(Client(peer, peer))
    assert peer.chunks == [GREETING]
    assert peer.writes == []
    assert peer.closed


def test_refused_greeting_stands_and_leave_is_taken() -> None:
    peer = Peer(b"554 no\r\n", b"221 bye\r\n")
    client = Client(peer, peer)
    for ask in (client.greeting, client.noop, client.greeting):
        with pytest.raises(PermanentError, match="greeting was answered 554 no"):
            ask()
    client.quit()
    assert peer.writes == [b"QUIT\r\n"]


def test_helo_reads_the_greeting_first_and_keeps_the_answer() -> None:
    peer = Peer(GREETING, PIPELINING)
    client = Client(peer, peer)
    assert client.helo(b"me") == [b"mx", b"PIPELINING", b"SIZE 1000", b"AUTH PLAIN"]
    assert client.helo_response == [b"mx", b"PIPELINING", b"SIZE 1000", b"AUTH PLAIN"]
    assert client.extensions.size_limit == 1000
    assert peer.writes == [b"EHLO me\r\n"]


def test_client_works_over_buffered_streams() -> None:
    reader = io.BufferedReader(io.BytesIO(GREETING + b"250 mx\r\n221 bye\r\n"))
    client = Client(io.BytesIO(GREETING), io.BufferedWriter(io.BytesIO()))
    assert client.greeting().code == 220
    client = Client(reader, io.BufferedWriter(io.BytesIO()))
    client.greeting()
    with pytest.raises(ProtocolError, match="unasked"):
        client.helo(b"me")  # all answers were there before the question
    client.quit()


def test_buffered_writer_is_flushed() -> None:
    raw = io.BytesIO()
    client = Client(Peer(GREETING, PLAIN), io.BufferedWriter(raw))
    client.helo(b"me")
    assert raw.getvalue() == b"EHLO me\r\n"


def test_single_commands_say_what_they_should() -> None:
    peer = Peer()
    client = session(peer)
    peer.chunks += [
        b"250 ok\r\n", b"251 ok\r\n", b"354 go\r\n", b"250 taken\r\n", b"250 reset\r\n",
        b"250 noop\r\n", b"250-a@x\r\n250 b@x\r\n", b"252 no\r\n", b"214 help\r\n", b"214 x\r\n",
        b"252 maybe\r\n", b"250 A <a@x>\r\n", b"251 a@z\r\n", b"252 try it\r\n",
    ]  # fmt: skip
    assert client.mail(b"a@x", size=5).code == 250
    assert client.rcpt(Recipient(b"b@y", (b"NEVER",))).code == 251
    assert client.data([b"hi\n"]).code == 250
    client.rset()
    client.noop()
    assert client.expn(b"staff") == [b"a@x", b"b@x"]
    assert client.expn(b"secret") is None
    assert client.help() == [b"help"]
    assert client.help(b"MAIL") == [b"x"]
    assert client.command(b"VRFY a") == (252, [b"maybe"])
    assert client.vrfy(b"a") == [b"A <a@x>"]
    assert client.vrfy(b"moved") == [b"a@z"]
    assert client.vrfy(b"b") is None
    assert peer.writes == [
        b"MAIL FROM:<a@x> SIZE=5\r\n", b"RCPT TO:<b@y>\r\n", b"DATA\r\n", b"hi\r\n.\r\n",
        b"RSET\r\n", b"NOOP\r\n", b"EXPN staff\r\n", b"EXPN secret\r\n", b"HELP\r\n",
        b"HELP MAIL\r\n", b"VRFY a\r\n", b"VRFY a\r\n", b"VRFY moved\r\n", b"VRFY b\r\n",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "ask",
    [
        Client.rset,
        Client.noop,
        Client.help,
        lambda client: client.vrfy(b"x"),
        lambda client: client.expn(b"x"),
    ],
)
def test_go_ahead_that_nobody_asked_for_ends_the_session(ask: Callable[[Client], object]) -> None:
    peer = Peer()
    client = session(peer)
    peer.chunks.append(b"354 go\r\n")
    with pytest.raises(ProtocolError, match="another command"):
        ask(client)
    assert client.broken


def test_mail_needs_ehlo_before_it_as_a_transaction_does() -> None:
    peer = Peer(GREETING, b"250 ok\r\n")
    client = Client(peer, peer)
    for send in (client.mail, lambda sender: client.transaction(sender, RECIPIENT, b"x")):
        with pytest.raises(UsageError, match="EHLO before it"):
            send(b"a@x")
    assert peer.writes == []


def test_data_has_no_single_answer_under_lmtp() -> None:
    peer = Peer()
    client = session(peer, lmtp=True)
    with pytest.raises(UsageError, match="transaction"):
        client.data([b"hi\n"])
    assert peer.writes == []
    assert not client.broken


def test_single_data_that_is_answered_early_sends_no_more() -> None:
    peer = ListeningPeer()
    client = session(peer)
    peer.chunks += [b"250 a\r\n", b"250 b\r\n", b"354 d\r\n"]
    peer.write_results = [1000, 1000, 1000, 30, 0]
    peer.early = [None, None, None, None, b"552 too big\r\n"]
    client.mail(b"a@x")
    client.rcpt(b"b@y")
    taken: list[int] = []

    def source() -> Iterator[bytes]:
        for number in range(10):
            taken.append(number)
            yield b"x" * 70_000

    with pytest.raises(PermanentError) as caught:
        client.data(source())
    assert caught.value.command == b"end of data"
    assert len(taken) < 3


@pytest.mark.parametrize("line", [b"DATA", b"data", b"BDAT 5", b"AUTH PLAIN xxx", b"STARTTLS"])
def test_command_refuses_what_is_a_conversation(line: bytes) -> None:
    peer = Peer()
    with pytest.raises(UsageError, match="conversation"):
        session(peer).command(line)
    assert peer.writes == []


def test_refused_command_raises_and_the_session_goes_on() -> None:
    peer = Peer()
    client = session(peer)
    peer.chunks += [b"502 what\r\n", b"250 ok\r\n"]
    with pytest.raises(PermanentError) as caught:
        client.command(b"vrfy a")
    assert caught.value.command == b"VRFY"
    client.noop()
    assert not client.broken


@pytest.mark.parametrize(
    ("answers", "command", "reset"),
    [
        ([b"554 no\r\n"], b"DATA", b"RSET\r\n"),
        ([b"354 go\r\n", b"554 spam\r\n"], b"end of data", b"RSET\r\n"),
    ],
)
def test_refused_data_raises_and_reset_follows(
    answers: list[bytes], command: bytes, reset: bytes
) -> None:
    peer = Peer()
    client = session(peer)
    peer.chunks += [b"250 ok\r\n", *answers]
    client.mail(b"")
    with pytest.raises(PermanentError) as caught:
        client.data([b"x\n"])
    assert caught.value.command == command
    peer.writes.clear()
    peer.chunks += [b"250 ok\r\n"] * 2
    client.mail(b"")
    assert peer.written == reset + b"MAIL FROM:<>\r\n"


def test_context_manager_takes_leave_and_closes() -> None:
    peer = Peer()
    with session(peer):
        peer.chunks.append(b"221 bye\r\n")
    assert peer.writes == [b"QUIT\r\n"]
    assert peer.closed


@pytest.mark.trap(19)
def test_quit_unanswered_is_no_error() -> None:
    peer = Peer()
    client = session(peer)
    client.quit()
    assert client.broken
    client.quit()
    assert peer.writes == [b"QUIT\r\n"]


def test_leave_waits_for_no_answer() -> None:
    peer = Peer()
    client = session(peer)
    peer.chunks.append(b"never read")
    client.leave()
    assert peer.writes == [b"QUIT\r\n"]
    assert peer.chunks == [b"never read"]
    assert peer.closed
    client.leave()
    assert peer.writes == [b"QUIT\r\n"]


def test_leave_of_a_session_that_ended_is_no_error() -> None:
    peer = ListeningPeer()
    client = session(peer)
    peer.early.append(b"")
    client.leave()
    assert peer.writes == []
    assert peer.closed


def test_close_survives_streams_that_fail_to_close() -> None:
    class Stubborn(Peer):
        def close(self) -> None:
            raise BrokenPipeError

    peer = Stubborn()
    client = Client(peer, peer)
    client.close()
    with pytest.raises(UsageError, match="over"):
        client.greeting()


# --- transactions


def test_whole_envelope_is_one_write_and_a_usual_message_another() -> None:
    peer = Peer()
    client = session(peer)
    peer.chunks += [b"250 a\r\n250 b\r\n250 c\r\n354 d\r\n", b"250 taken\r\n"]
    transcript = client.transaction(
        b"a@x", [Recipient(b"b@y", (b"NEVER",)), b"c@y"], [b"A: b\r\n", b"\r\nx\r\n"], size=11
    )
    assert transcript.final is not None
    assert transcript.final.code == 250
    assert peer.writes == [
        b"MAIL FROM:<a@x> SIZE=11\r\nRCPT TO:<b@y>\r\nRCPT TO:<c@y>\r\nDATA\r\n",
        b"A: b\r\n\r\nx\r\n.\r\n",
    ]


def test_session_takes_one_transaction_after_another() -> None:
    peer = Peer()
    client = session(peer)
    for _ in range(3):
        peer.chunks += [b"250 a\r\n250 b\r\n354 d\r\n", b"250 taken\r\n"]
        assert client.transaction(b"a@x", RECIPIENT, [b"x\r\n"]).any_accepted
    assert not client.broken


def test_refused_transaction_is_reset_with_the_next_envelope() -> None:
    peer = Peer()
    client = session(peer)
    peer.chunks += [b"250 a\r\n550 b\r\n554 d\r\n"]
    client.transaction(b"a@x", RECIPIENT, [b"x\r\n"])
    peer.writes.clear()
    peer.chunks += [b"250 r\r\n250 a\r\n250 b\r\n354 d\r\n", b"250 taken\r\n"]
    client.transaction(b"a@x", RECIPIENT, [b"x\r\n"])
    assert peer.writes[0] == b"RSET\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\n"


def test_source_is_called_when_the_server_wants_the_message() -> None:
    peer = Peer()
    client = session(peer)
    calls = []

    def source():
        calls.append(len(peer.writes))
        return [b"x\r\n"]

    peer.chunks += [b"250 a\r\n550 b\r\n554 d\r\n"]
    client.transaction(b"a@x", RECIPIENT, source)
    assert calls == []
    peer.chunks += [b"250 r\r\n250 a\r\n250 b\r\n354 d\r\n", b"250 taken\r\n"]
    client.transaction(b"a@x", RECIPIENT, source)
    assert calls == [2]


def test_source_that_fails_leaves_the_session_broken() -> None:
    peer = Peer()
    client = session(peer)
    peer.chunks += [b"250 a\r\n250 b\r\n354 d\r\n"]

    def source():
        yield b"x" * 70_000
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        client.transaction(b"a@x", RECIPIENT, source)
    assert client.broken
    client.quit()
    assert b"QUIT" not in peer.written


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"size": 1001}, SizeExceeded),
        ({"smtputf8": True}, MissingExtension),
        ({"body": b"junk"}, UsageError),
    ],
)
def test_what_the_server_cannot_take_is_told_before_anything_is_sent(
    options: dict, error: type[SmtpError]
) -> None:
    peer = Peer()
    client = session(peer)
    with pytest.raises(error):
        client.transaction(b"a@x", RECIPIENT, [b""], **options)
    assert peer.writes == []
    assert not client.broken


@pytest.mark.parametrize("address", [b"a@x\r\nDATA", b"a@x> BODY=8BITMIME", b"a\0@x"])
@pytest.mark.trap(2)
def test_injection_in_an_address_sends_nothing(address: bytes) -> None:
    peer = Peer()
    client = session(peer)
    for sender, recipient in ((address, b"b@y"), (b"a@x", address)):
        with pytest.raises(UsageError):
            client.transaction(sender, [recipient], [b""])
    assert peer.writes == []


@pytest.mark.parametrize(
    ("sender", "recipients"),
    [
        ("a@x", RECIPIENT), ("", RECIPIENT), (None, RECIPIENT),
        (b"a@x", b"b@y"), (b"a@x", "b@y"), (b"a@x", ["b@y"]), (b"a@x", [Recipient("b@y")]),
        (b"a@x", [None]),
    ],
)  # fmt: skip
def test_address_that_is_not_bytes_or_stands_without_a_list_is_a_usage_error(
    sender: Any, recipients: Any
) -> None:
    peer = Peer()
    client = session(peer)
    with pytest.raises(UsageError, match="an address is bytes"):
        client.transaction(sender, recipients, b"x\r\n")
    with pytest.raises(UsageError, match="an address is bytes"):
        sendmail(client, b"To: b@y\n\nx\n", sender=sender or "", recipients=recipients)
    assert peer.writes == []


@pytest.mark.parametrize("address", ["a@x", None])
def test_address_of_a_single_command_that_is_not_bytes_is_a_usage_error(address: Any) -> None:
    peer = Peer()
    client = session(peer)
    for say in (client.mail, client.rcpt):
        with pytest.raises(UsageError, match="an address is bytes"):
            say(address)
    assert peer.writes == []


def test_transaction_needs_recipients_and_ehlo() -> None:
    peer = Peer()
    with pytest.raises(UsageError):
        session(peer).transaction(b"a@x", [], [b""])
    with pytest.raises(UsageError):
        Client(peer, peer).transaction(b"a@x", RECIPIENT, [b""])


def test_untrustworthy_end_of_a_transaction_breaks_the_session() -> None:
    peer = Peer()
    client = session(peer)
    peer.chunks += [b"550 a\r\n250 b\r\n354 d\r\n", b"250 taken?\r\n"]
    transcript = client.transaction(b"a@x", RECIPIENT, [b"x\r\n"])
    assert transcript.mail is not None
    assert transcript.mail.code == 550
    assert client.broken


# --- 421, silence and noise


@pytest.mark.parametrize(
    "answers",
    [
        [b"421 bye\r\n"],
        [b"250 a\r\n421 bye\r\n"],
        [b"250 a\r\n250 b\r\n421 bye\r\n"],
        [b"250 a\r\n250 b\r\n354 d\r\n", b"421 bye\r\n"],
    ],
    ids=["mail", "rcpt", "data", "dot"],
)
@pytest.mark.trap(7)
def test_421_to_anything_is_raised_and_ends_the_session(answers: list[bytes]) -> None:
    peer = Peer()
    client = session(peer)
    peer.chunks += answers
    with pytest.raises(TransientError) as caught:
        client.transaction(b"a@x", RECIPIENT, [b"x\r\n"])
    assert caught.value.code == 421
    assert caught.value.transcript is not None
    assert not caught.value.after_end_of_data
    assert not caught.value.session_usable
    assert client.broken


@pytest.mark.trap(21)
def test_unsolicited_line_between_commands_never_pairs() -> None:
    peer = Peer()
    client = session(peer)
    peer.chunks += [b"250 noop\r\n250 and more\r\n"]
    client.noop()
    with pytest.raises(ProtocolError, match="unasked") as caught:
        client.transaction(b"a@x", RECIPIENT, [b""])
    assert caught.value.transcript is not None
    assert peer.writes == [b"NOOP\r\n"]
    assert client.broken


def test_half_a_line_between_commands_never_pairs() -> None:
    peer = Peer()
    client = session(peer)
    peer.chunks += [b"250 noop\r\n25"]
    client.noop()
    with pytest.raises(ProtocolError, match="unasked"):
        client.noop()


@pytest.mark.parametrize(
    ("early", "error"),
    [
        (b"421 idle too long\r\n", TransientError),
        (b"250 hm\r\n", ProtocolError),
        (b"", ConnectionLost),
        (ConnectionResetError("reset"), ConnectionLost),
    ],
    ids=["421", "noise", "end", "reset"],
)
def test_kept_session_that_ended_is_noticed_before_sending(
    early: bytes | Exception, error: type[SmtpError]
) -> None:
    peer = ListeningPeer()
    client = session(peer)
    assert client.usable()
    peer.early.append(early)
    with pytest.raises(error):
        client.transaction(b"a@x", RECIPIENT, [b""])
    assert peer.writes == []
    assert not client.usable()


def test_usable_notices_a_closed_session_by_itself() -> None:
    peer = ListeningPeer()
    client = session(peer)
    peer.early.append(b"")
    assert not client.usable()
    assert client.broken


def test_garbage_is_protocol_error_and_after_the_dot_marked() -> None:
    peer = Peer()
    client = session(peer)
    peer.chunks += [b"250 a\r\n250 b\r\n354 d\r\n", b"junk\r\n"]
    with pytest.raises(ProtocolError) as caught:
        client.transaction(b"a@x", RECIPIENT, [b"x\r\n"])
    assert caught.value.after_end_of_data
    assert client.broken


# --- loss and time


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (b"", ConnectionLost),
        (ConnectionResetError("reset"), ConnectionLost),
        (TimeoutError(), TimedOut),
    ],
    ids=["end", "reset", "timeout"],
)
@pytest.mark.parametrize(
    ("answers", "after_end", "phrase"),
    [
        ([], False, "MAIL"),
        ([b"250 a\r\n250 b\r\n"], False, "DATA"),
        ([b"250 a\r\n250 b\r\n354 d\r\n"], True, "end of data"),
    ],
    ids=["mail", "data", "dot"],
)
def test_loss_tells_its_phase_and_whether_the_end_was_sent(
    end: bytes | Exception,
    error: type[SmtpError],
    answers: list[bytes],
    after_end: bool,
    phrase: str,
) -> None:
    peer = Peer()
    client = session(peer)
    peer.chunks += [*answers, end]
    with pytest.raises(error, match=phrase) as caught:
        client.transaction(b"a@x", RECIPIENT, [b"x\r\n"])
    assert caught.value.after_end_of_data is after_end
    assert client.broken


def test_failed_write_reads_the_reason_the_server_gave() -> None:
    peer = Peer()
    client = session(peer)
    peer.chunks += [b"250 a\r\n250 b\r\n354 d\r\n", b"552 5.3.4 too big\r\n"]
    peer.write_results = [100, BrokenPipeError("pipe")]
    transcript = client.transaction(b"a@x", RECIPIENT, [b"x" * 70_000])
    assert transcript.final is not None
    assert transcript.final.code == 552
    assert client.broken


def test_failed_write_of_commands_pairs_what_was_answered() -> None:
    peer = Peer()
    client = session(peer)
    peer.write_results = [10, BrokenPipeError("pipe")]
    peer.chunks += [b"421 shutting down\r\n"]
    with pytest.raises(TransientError, match="shutting down"):
        client.transaction(b"a@x", RECIPIENT, [b"x"])


@pytest.mark.parametrize(
    ("trouble", "error"),
    [(BrokenPipeError("pipe"), ConnectionLost), (TimeoutError(), TimedOut)],
)
@pytest.mark.parametrize(
    "last", [b"", TimeoutError(), ConnectionResetError()], ids=["end", "timeout", "reset"]
)
def test_failed_write_of_the_message_is_not_after_its_end(
    trouble: Exception, error: type[SmtpError], last: bytes | Exception
) -> None:
    peer = Peer()
    client = session(peer)
    peer.chunks += [b"250 a\r\n250 b\r\n354 d\r\n", last]
    peer.write_results = [1000, 3, trouble]
    with pytest.raises(error, match="sending the message") as caught:
        client.transaction(b"a@x", RECIPIENT, [b"x\r\n"])
    assert not caught.value.after_end_of_data


def test_failed_write_of_a_chunk_says_nothing_more_and_takes_the_reason_for_verdict() -> None:
    peer = Peer()
    client = session(peer, b"250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
    peer.chunks += [b"250 a\r\n250 b\r\n", b"452 4.3.1 disk full\r\n"]
    peer.write_results = [1000, 100, BrokenPipeError("pipe")]
    block = b"x" * 70_000
    message = Transaction(b"a@x", RECIPIENT, [block, block, block])
    (verdict,) = client.stream([message])
    assert [len(octets) for octets in peer.writes[1:]] == [100]
    reply = verdict.transcript.verdict(0)
    assert reply is not None
    assert reply.code == 452
    assert not verdict.may_be_duplicate
    assert client.broken


def test_garbage_as_last_words_is_not_after_the_end() -> None:
    peer = Peer()
    client = session(peer)
    peer.chunks += [b"250 a\r\n250 b\r\n354 d\r\n", b"junk\r\n"]
    peer.write_results = [1000, BrokenPipeError("pipe")]
    with pytest.raises(ProtocolError) as caught:
        client.transaction(b"a@x", RECIPIENT, [b"x\r\n"])
    assert not caught.value.after_end_of_data


def test_last_words_are_not_waited_for_long() -> None:
    peer = Peer()
    client = session(peer, set_timeout=peer.set_timeout)
    peer.write_results = [BrokenPipeError("pipe")]
    with pytest.raises(ConnectionLost):
        client.noop()
    assert peer.timeouts[-1] == pytest.approx(LAST_WORDS_SECONDS, abs=0.5)


def test_flush_that_fails_is_a_loss() -> None:
    class Unflushable(Peer):
        def flush(self) -> None:
            raise BrokenPipeError("pipe")

    peer = Unflushable(GREETING)
    with pytest.raises(ConnectionLost, match="sending commands"):
        Client(peer, peer).helo(b"me")


def test_short_writes_are_completed() -> None:
    peer = Peer()
    client = session(peer)
    peer.write_results = [1, 2, 1]
    peer.chunks += [b"250 ok\r\n"]
    client.noop()
    assert peer.written == b"NOOP\r\n"


def texts(*texts: bytes) -> Iterator[Transaction]:
    return (Transaction(b"a@x", RECIPIENT, text + b"\r\n") for text in texts)


ENVELOPE_TAKEN = b"250 a\r\n250 b\r\n354 go\r\n"


def test_verdict_is_yielded_while_the_server_is_at_work_on_the_next_message() -> None:
    peer = Peer(ENVELOPE_TAKEN, b"250 1\r\n250 r\r\n" + ENVELOPE_TAKEN, b"250 2\r\n")
    verdicts = session(peer).stream(texts(b"one", b"two"))
    first = next(verdicts)
    assert first.transcript.final.text == b"1"
    assert peer.written.endswith(b"two\r\n.\r\n")
    assert [verdict.transcript.final.text for verdict in verdicts] == [b"2"]


def test_verdicts_come_before_what_the_iterable_raises() -> None:
    def failing() -> Iterator[Transaction]:
        yield from texts(b"one", b"two")
        raise ZeroDivisionError

    peer = Peer(ENVELOPE_TAKEN, b"250 1\r\n250 r\r\n" + ENVELOPE_TAKEN)
    client = session(peer)
    verdicts = client.stream(failing())
    assert next(verdicts).transcript.final.text == b"1"
    with pytest.raises(ZeroDivisionError):
        next(verdicts)
    assert client.broken


def test_stream_that_is_left_is_broken() -> None:
    client = session(Peer(ENVELOPE_TAKEN, b"250 1\r\n250 r\r\n" + ENVELOPE_TAKEN))
    verdicts = client.stream(texts(b"one", b"two"))
    next(verdicts)
    verdicts.close()
    assert client.broken


def test_stream_that_takes_nothing_and_hears_nothing_is_a_loss() -> None:
    peer = Peer()
    client = session(peer)
    peer.write_results = [None]
    with pytest.raises(ConnectionLost):
        client.noop()


@pytest.mark.trap(18)
def test_server_that_answers_early_is_heard_and_judges() -> None:
    peer = ListeningPeer()
    client = session(peer)
    peer.chunks += [b"250 a\r\n250 b\r\n354 d\r\n"]
    peer.write_results = [1000, 30, 0, 0, 0]
    peer.early = [None, None, b"552 too", b" big\r\n"]
    transcript = client.transaction(b"a@x", RECIPIENT, [b"x" * 70_000, b"y" * 70_000])
    assert transcript.final is not None
    assert transcript.final.lines == (b"too big",)
    assert len(peer.writes[-1]) == 30
    assert client.broken


def test_early_answer_is_no_verdict_for_those_behind_it_under_lmtp() -> None:
    peer = ListeningPeer()
    client = session(peer, lmtp=True)
    peer.chunks += [b"250 a\r\n250 b\r\n250 c\r\n354 d\r\n"]
    peer.write_results = [1000, 1, 0]
    peer.early = [None, None, b"552 too big\r\n"]
    (verdict,) = client.stream([Transaction(b"a@x", [b"b@y", b"c@y"], b"x\r\n")])
    replies = [verdict.transcript.verdict(index) for index in range(2)]
    assert [reply and reply.code for reply in replies] == [552, None]
    assert isinstance(verdict.trouble, ConnectionLost)
    assert not verdict.may_be_duplicate
    assert client.broken


def test_early_421_is_raised() -> None:
    peer = ListeningPeer()
    client = session(peer)
    peer.chunks += [b"250 a\r\n250 b\r\n354 d\r\n"]
    peer.write_results = [1000, 0]
    peer.early = [None, None, b"421 bye\r\n"]
    with pytest.raises(TransientError):
        client.transaction(b"a@x", RECIPIENT, [b"x\r\n"])


def test_answers_to_the_envelope_that_come_while_it_is_written_are_paired() -> None:
    peer = ListeningPeer()
    client = session(peer)
    peer.write_results = [20, 0]
    peer.early = [None, b"250 a\r\n"]
    peer.chunks += [b"550 b\r\n554 d\r\n"]
    transcript = client.transaction(b"a@x", RECIPIENT, [b"x\r\n"])
    replies = (transcript.mail, *transcript.recipients)
    assert [reply.code for reply in replies if reply is not None] == [250, 550]


def test_half_an_early_answer_does_not_stop_the_message_and_accepts_nothing() -> None:
    peer = ListeningPeer()
    client = session(peer)
    peer.chunks += [b"250 a\r\n250 b\r\n354 d\r\n", b"0 taken\r\n"]
    peer.write_results = [1000, 1, 0]
    peer.early = [None, None, b"25"]
    with pytest.raises(ProtocolError, match="before its end") as caught:
        client.transaction(b"a@x", RECIPIENT, [b"x\r\n"])
    assert peer.writes[-1].endswith(b"\r\n.\r\n")
    assert caught.value.after_end_of_data


def ahead_of_the_message(answer: bytes, offers: bytes = PIPELINING) -> tuple[Peer, Client]:
    """A session whose server gives all answers as soon as it hears of the transaction."""
    peer = Peer()
    client = session(peer, offers)
    peer.chunks += [b"250 a\r\n250 b\r\n354 d\r\n" + answer, b"554 refused\r\n"]
    return peer, client


@pytest.mark.parametrize("offers", [PIPELINING, PLAIN])
def test_acceptance_that_was_there_before_the_message_is_none(offers: bytes) -> None:
    peer, client = ahead_of_the_message(b"250 early\r\n", offers)
    (verdict,) = client.stream([Transaction(b"a@x", RECIPIENT, b"private\r\n")])
    assert isinstance(verdict.trouble, ProtocolError)
    assert verdict.transcript.verdict(0) is None
    assert not verdict.may_be_duplicate
    assert b"private" not in peer.written
    assert client.broken


def test_acceptance_that_was_there_before_a_single_message_is_none() -> None:
    peer = Peer()
    client = session(peer)
    peer.chunks += [b"250 a\r\n", b"250 b\r\n", b"354 d\r\n250 early\r\n"]
    client.mail(b"a@x")
    client.rcpt(b"b@y")
    with pytest.raises(ProtocolError, match="before its end") as caught:
        client.data(b"private\r\n")
    assert not caught.value.after_end_of_data
    assert client.broken


def test_acceptance_that_comes_behind_the_go_ahead_by_itself_is_none() -> None:
    peer = ListeningPeer()
    client = session(peer)
    peer.chunks += [b"250 a\r\n250 b\r\n354 d\r\n"]
    peer.early = [None, b"250 early\r\n"]
    with pytest.raises(ProtocolError, match="before its end"):
        client.transaction(b"a@x", RECIPIENT, [b"private\r\n"])
    assert b"private" not in peer.written


def test_acceptance_that_begins_before_the_message_is_none_and_all_is_in_doubt() -> None:
    peer, client = ahead_of_the_message(b"250-early\r\n")
    peer.chunks[-1] = b"250 taken\r\n"
    (verdict,) = client.stream([Transaction(b"a@x", RECIPIENT, b"x\r\n")])
    assert isinstance(verdict.trouble, ProtocolError)
    assert verdict.may_be_duplicate
    assert client.broken


@pytest.mark.parametrize("answer", [(b"554 no\r\n", b""), (b"55", b"4 no\r\n")])
def test_refusal_that_was_there_before_the_message_is_the_verdict(
    answer: tuple[bytes, bytes],
) -> None:
    peer, client = ahead_of_the_message(answer[0])
    peer.chunks[-1] = answer[1] + b"250 to the dot, or to the next MAIL?\r\n"
    messages = [Transaction(b"a@x", RECIPIENT, b"x\r\n") for _ in range(2)]
    first, second = client.stream(messages)
    assert first.transcript.verdict(0) == Reply(554, (b"no",))
    assert isinstance(second.trouble, ConnectionLost)
    assert second.transcript.mail is None
    assert client.broken


def test_message_accepted_before_its_end_is_protocol_error() -> None:
    peer = ListeningPeer()
    client = session(peer)
    peer.chunks += [b"250 a\r\n250 b\r\n354 d\r\n"]
    peer.write_results = [1000, 1, 0]
    peer.early = [None, None, b"250 taken\r\n"]
    with pytest.raises(ProtocolError, match="before its end"):
        client.transaction(b"a@x", RECIPIENT, [b"x\r\n"])


def test_server_that_closes_while_we_write_is_a_loss() -> None:
    peer = ListeningPeer()
    client = session(peer)
    peer.write_results = [0]
    peer.early = [None, b""]
    with pytest.raises(ConnectionLost, match="closed by the server"):
        client.noop()


def test_dripping_reply_is_bounded_as_a_whole() -> None:
    clock = Clock()

    class Dripping(Peer):
        def read(self, size: int) -> bytes:
            clock.now += 100
            return b"2"

    peer = Dripping()
    client = Client(peer, peer, set_timeout=peer.set_timeout, clock=clock)
    with pytest.raises(TimedOut, match="greeting"):
        client.greeting()
    assert peer.timeouts == [300, 200, 100]


def test_deadline_bounds_every_phase() -> None:
    clock = Clock()
    peer = Peer()
    client = session(peer, set_timeout=peer.set_timeout, clock=clock, timeouts=Timeouts(other=9))
    assert client.deadline is None
    peer.timeouts.clear()
    peer.chunks += [b"250 ok\r\n"] * 2
    client.noop()
    client.deadline = clock.now + 7
    client.noop()
    assert peer.timeouts == [300, 9, 7, 7]
    clock.now += 8
    with pytest.raises(TimedOut):
        client.noop()
    assert client.deadline == 1007


@pytest.mark.trap(20)
def test_answer_that_comes_after_its_timeout_pairs_with_no_later_command() -> None:
    clock = Clock()
    peer = Peer()
    client = session(peer, set_timeout=peer.set_timeout, clock=clock)
    client.deadline = clock.now - 1
    with pytest.raises(TimedOut):
        client.noop()
    client.deadline = None
    peer.chunks.append(b"250 late\r\n")
    written = list(peer.writes)
    with pytest.raises(UsageError, match="is over"):
        client.rset()
    assert peer.writes == written


def test_interruption_leaves_the_session_broken() -> None:
    class Interrupted(Peer):
        def read(self, size: int) -> bytes:
            raise KeyboardInterrupt

    peer = Interrupted()
    client = Client(peer, peer)
    with pytest.raises(KeyboardInterrupt):
        client.greeting()
    assert client.broken


# --- TLS


class TlsPeer(Peer):
    """A peer that can turn to TLS, or fails to."""

    def __init__(self, *chunks: bytes | Exception, failure: Exception | None = None) -> None:
        super().__init__(*chunks)
        self.failure = failure
        self.tls_endpoint: object = None

    def start_tls(self, context: object, server_hostname: str) -> None:
        if self.failure is not None:
            raise self.failure
        self.tls_endpoint = (context, server_hostname)


OFFERS_TLS = b"250-mx\r\n250 STARTTLS\r\n"


def test_starttls_forgets_what_was_offered() -> None:
    peer = TlsPeer()
    client = session(peer, OFFERS_TLS)
    peer.chunks += [b"220 go\r\n"]
    client.starttls("context", "mx")
    assert client.helo_response == []
    assert b"STARTTLS" not in client.extensions
    assert client.tls_endpoint == ("context", "mx")
    with pytest.raises(UsageError):
        client.transaction(b"", RECIPIENT, [b""])
    with pytest.raises(UsageError):
        client.starttls("context", "mx")


@pytest.mark.trap(1)
def test_octets_behind_the_answer_to_starttls_are_refused() -> None:
    peer = TlsPeer()
    client = session(peer, OFFERS_TLS)
    peer.chunks += [b"220 go\r\n250-injected\r\n"]
    with pytest.raises(ProtocolError, match="clear"):
        client.starttls("context", "mx")
    assert client.tls_endpoint is None
    assert client.broken


def test_starttls_refused_leaves_the_session_in_clear() -> None:
    peer = TlsPeer()
    client = session(peer, OFFERS_TLS)
    peer.chunks += [b"454 later\r\n"]
    with pytest.raises(TransientError):
        client.starttls("context", "mx")
    assert not client.broken


@pytest.mark.parametrize("failure", [TlsError("bad certificate"), TimeoutError()])
def test_failed_handshake_ends_the_session(failure: Exception) -> None:
    peer = TlsPeer(failure=failure)
    client = session(peer, OFFERS_TLS)
    peer.chunks += [b"220 go\r\n"]
    with pytest.raises((TlsError, TimedOut)):
        client.starttls("context", "mx")
    assert client.broken


def test_starttls_not_offered_is_missing_extension() -> None:
    with pytest.raises(MissingExtension) as caught:
        session(TlsPeer()).starttls("context", "mx")
    assert caught.value.name == b"STARTTLS"


def test_starttls_needs_a_capable_stream_and_a_name() -> None:
    with pytest.raises(UsageError):
        session(Peer(), OFFERS_TLS).starttls("context", "mx")
    with pytest.raises(UsageError):
        session(TlsPeer(), OFFERS_TLS).starttls("context", "")


# --- the trace


def test_trace_shows_the_dialogue_without_secrets_and_message() -> None:
    lines: list[bytes] = []
    peer = Peer()
    client = session(peer, trace=lambda who, line: lines.append(who + b": " + line))
    peer.chunks += [
        b"235 welcome\r\n", b"250 a\r\n250 b\r\n354-go\r\n354 on\r\n", b"250 ok\r\n",
    ]  # fmt: skip
    client.auth(Plain(Credentials(b"user", b"secret")))
    client.transaction(b"a@x", RECIPIENT, [b"private\r\n"])
    assert lines == [
        b"S: 220 mx", b"C: EHLO me", b"S: 250-mx", b"S: 250-PIPELINING", b"S: 250-SIZE 1000",
        b"S: 250 AUTH PLAIN", b"C: AUTH PLAIN ***", b"S: 235 welcome",
        b"C: MAIL FROM:<a@x>", b"C: RCPT TO:<b@y>", b"C: DATA", b"S: 250 a", b"S: 250 b",
        b"S: 354-go", b"S: 354 on", b"C: [12 octets of message]", b"S: 250 ok",
    ]  # fmt: skip


def test_trace_hides_challenges() -> None:
    lines: list[bytes] = []
    peer = Peer()
    client = session(peer, trace=lambda who, line: lines.append(who + b": " + line))
    peer.chunks += [b"334 c2VjcmV0\r\n", b"501 cancelled\r\n"]
    with pytest.raises(SmtpError):
        client.auth(Plain(Credentials(b"user", b"secret")))
    assert lines[-4:] == [b"C: AUTH PLAIN ***", b"S: 334 ***", b"C: *", b"S: 501 cancelled"]


def test_login_happens_once() -> None:
    peer = Peer()
    client = session(peer)
    peer.chunks += [b"235 welcome\r\n"]
    client.auth(Plain(Credentials(b"user", b"secret")))
    assert client.authenticated
    with pytest.raises(UsageError):
        client.auth(Plain(Credentials(b"user", b"secret")))
