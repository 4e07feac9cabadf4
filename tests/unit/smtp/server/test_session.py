"""The session over octets: replies in order, messages when they have ended, bounds that hold."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.smtp import Reply
from pysendmail.smtp.arguments import MAX_COMMAND
from pysendmail.smtp.server.session import MISTAKES
from tests.unit.smtp.server.clients import SIZE, Server, codes_of, cuts_of, lines

TWO_MESSAGES = lines(
    b"EHLO [127.0.0.1]",
    b"MAIL FROM:<a@example.org> BODY=8BITMIME RET=HDRS ENVID=x",
    b"RCPT TO:<b@example.org> NOTIFY=NEVER",
    b"RCPT TO:<c@example.org> ORCPT=rfc822;d@example.org",
    b"DATA",
    b"Subject: one",
    b"",
    b"..x",
    b".",
    b"RSET",
    b"MAIL FROM:<>",
    b"RCPT TO:<b@example.org>",
    b"BDAT 5",
) + b"Sub\r\nBDAT 4 LAST\r\nj:\r\n" + lines(b"NOOP", b"QUIT")  # fmt: skip
TWO_CODES = [250, 250, 250, 250, 354, 250, 250, 250, 250, 250, 250, 250, 221]


def test_greeting_names_host_and_protocol() -> None:
    assert Server().greeting == b"220 host.example.org ESMTP pysendmail\r\n"


def test_whole_session_is_the_same_however_it_is_cut() -> None:
    for pieces in cuts_of(TWO_MESSAGES):
        server = Server()
        assert server.codes(*pieces) == TWO_CODES
        assert server.contents == [b"Subject: one\r\n\r\n.x\r\n", b"Sub\r\nj:\r\n"]
        assert server.session.closed


def test_whole_session_with_lf_alone() -> None:
    octets = TWO_MESSAGES.replace(b"\r\n", b"\n").replace(b"BDAT 5", b"BDAT 4")
    octets = octets.replace(b"BDAT 4 LAST", b"BDAT 3 LAST")
    for pieces in cuts_of(octets):
        server = Server(lf=True)
        assert server.codes(*pieces) == TWO_CODES
        assert server.contents == [b"Subject: one\n\n.x\n", b"Sub\nj:\n"]


def test_message_comes_with_its_envelope() -> None:
    server = Server()
    server.hear(TWO_MESSAGES)
    first, second = server.messages
    assert (first.sender, first.body_type) == (b"a@example.org", b"8BITMIME")
    assert (first.ret, first.envid) == (b"HDRS", b"x")
    assert [recipient.address for recipient in first.recipients] == [
        b"b@example.org",
        b"c@example.org",
    ]
    assert first.recipients[0].notify == (b"NEVER",)
    assert first.recipients[1].orcpt == b"rfc822;d@example.org"
    assert second.sender == b""
    assert second.recipients[0].notify == ()
    assert server.session.hello == b"[127.0.0.1]"


def test_ehlo_tells_what_is_offered() -> None:
    said = Server().hear(b"EHLO me\r\n")
    assert said == (
        b"250-host.example.org\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n"
        b"250-SMTPUTF8\r\n250-DSN\r\n250-CHUNKING\r\n250-ENHANCEDSTATUSCODES\r\n250 HELP\r\n"
    )


def test_enhanced_status_is_shown_after_ehlo_only() -> None:
    begin = lines(b"MAIL FROM:<a@b>", b"RCPT TO:<c@d>", b"DATA")
    plain, extended = Server(), Server()
    plain.hear(b"HELO me\r\n")
    extended.hear(b"EHLO me\r\n")
    assert plain.hear(begin)[:8] == b"250 Ok\r\n"
    assert extended.hear(begin)[:14] == b"250 2.1.0 Ok\r\n"
    assert plain.hear(b".\r\n") == b"250 Ok: queued as 0A1B\r\n"
    assert extended.hear(b".\r\n") == b"250 2.0.0 Ok: queued as 0A1B\r\n"


def test_nothing_is_given_out_before_the_final_dot() -> None:
    server = Server(lf=True)
    server.hear(b"MAIL FROM:<a>\nRCPT TO:<b>\nDATA\ntext\n.")
    assert server.messages == []
    server.session.close()
    assert server.boxes[0].closed


def test_reply_of_a_message_comes_before_anything_behind_it_is_obeyed() -> None:
    server = Server()
    server.session.feed(lines(b"MAIL FROM:<a>", b"RCPT TO:<b>", b"DATA", b".", b"NOOP", b"QUIT"))
    assert server.session.next_message() is not None
    assert codes_of(server.session.take_replies()) == [250, 250, 354]
    assert server.session.next_message() is not None
    assert server.session.take_replies() == b""
    server.session.answer(Reply(452, (b"4.3.1 later",)))
    assert server.session.next_message() is None
    assert codes_of(server.session.take_replies()) == [452, 250, 221]


@pytest.mark.parametrize(
    ("commands", "codes"),
    [
        ([b"RCPT TO:<b>"], [503]),
        ([b"DATA"], [503]),
        ([b"MAIL FROM:<a>", b"DATA"], [250, 554]),
        ([b"MAIL FROM:<a>", b"RCPT TO:<b b>", b"DATA"], [250, 553, 554]),
        ([b"MAIL FROM:<a>", b"MAIL FROM:<a>"], [250, 503]),
        ([b"MAIL FROM:<a>", b"EHLO x", b"RCPT TO:<b>"], [250, 250, 503]),
        ([b"MAIL FROM:<a>", b"RSET", b"RCPT TO:<b>"], [250, 250, 503]),
        ([b"MAIL FROM:<a>", b"RCPT TO:<b>", b"DATA x"], [250, 250, 501]),
        ([b"MAIL FROM:<a> SIZE=1001"], [552]),
        ([b"MAIL FROM:<a> SIZE=1000"], [250]),
        ([b"MAIL FROM:<a>", *[b"RCPT TO:<b>"] * 4], [250, 250, 250, 250, 452]),
        ([b"VRFY root", b"EXPN list", b"ETRN x", b"STARTTLS"], [252, 502, 502, 502]),
        ([b"VERB ON", b"ONEX", b"HELP", b"AUTH PLAIN"], [250, 250, 214, 502]),
        ([b"HELO", b"EHLO", b"XYZZY", b""], [501, 501, 500, 500]),
        ([b"MAIL FROM:<a>", b"RCPT TO:<b>", b"BDAT 0", b"DATA"], [250, 250, 250, 503]),
        ([b"MAIL FROM:<a>", b"RCPT TO:<b>", b"BDAT 0", b"RCPT TO:<c>"], [250, 250, 250, 503]),
        ([b"BDAT 0 LAST", b"MAIL FROM:<a>", b"BDAT 0 LAST", b"NOOP"], [503, 250, 554, 250]),
    ],
)
def test_command_out_of_place_is_refused(commands: list[bytes], codes: list[int]) -> None:
    assert Server().codes(lines(*commands)) == codes


def test_address_its_owner_cannot_use_is_refused() -> None:
    server = Server(acceptable=lambda address: b"," not in address)
    commands = lines(b"MAIL FROM:<a,b>", b"MAIL FROM:<a>", b"RCPT TO:<b,c>", b"RCPT TO:<b>")
    assert server.codes(commands) == [553, 250, 553, 250]


def test_chunk_that_cannot_be_used_is_got_out_of_the_way() -> None:
    server = Server()
    assert server.codes(b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n") == [503, 250]
    assert server.codes(b"BDAT 99x\r\nQUIT\r\n") == [501]
    assert server.session.closed


def test_message_that_is_too_large_is_refused_at_its_end_and_not_kept() -> None:
    server = Server()
    begin = lines(b"MAIL FROM:<a>", b"RCPT TO:<b>", b"DATA")
    server.hear(begin, b"x" * SIZE)
    assert not server.boxes[0].closed
    server.hear(b"x")
    assert server.boxes[0].closed
    assert server.codes(b"x" * SIZE, b"\r\n.\r\n", begin, b".\r\n") == [552, 250, 250, 354, 250]
    assert len(server.messages) == 1


def test_chunks_that_are_too_large_are_refused_each() -> None:
    server = Server()
    server.hear(lines(b"MAIL FROM:<a>", b"RCPT TO:<b>"))
    chunk = b"BDAT 600\r\n" + b"x" * 600
    assert server.codes(chunk, chunk, chunk, b"BDAT 0 LAST\r\n") == [250, 552, 552, 552]
    assert server.codes(b"MAIL FROM:<a>\r\n") == [250]
    assert server.messages == []


def test_message_there_is_no_room_for_is_put_off() -> None:
    server = Server(room=10)
    server.hear(lines(b"MAIL FROM:<a>", b"RCPT TO:<b>", b"DATA"))
    assert server.codes(b"x" * 20, b"\r\n.\r\n", b"NOOP\r\n") == [452, 250]
    assert server.messages == []


def test_message_that_is_too_large_is_not_put_off_for_want_of_room() -> None:
    for cut in (SIZE + 1, 20):
        server = Server(room=10)
        server.hear(lines(b"MAIL FROM:<a>", b"RCPT TO:<b>", b"DATA"))
        text = b"x" * (SIZE + 1)
        assert server.codes(text[:cut], text[cut:], b"\r\n.\r\n") == [552]


def test_lf_alone_is_no_line_end_where_crlf_is_spoken() -> None:
    for server in (Server(), Server(lf=True)):
        server.hear(b"EHLO x\r\n")
        assert server.codes(b"MAIL FROM:<a>\nNOOP\r\n") == [500, 250]


SMUGGLED = lines(b"MAIL FROM:<evil>", b"RCPT TO:<victim>", b"DATA", b"Subject: smuggled", b".")


@pytest.mark.parametrize(
    "end",
    [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\r\n.\r\r\n", b"\n.\r"],
)
@pytest.mark.parametrize("lf", [False, True], ids=["network", "standard input"])
def test_smuggled_message_stays_in_the_message_it_came_in(end: bytes, lf: bool) -> None:
    """The end is no end, so the message goes on up to the dot of the smuggled one."""
    octets = lines(b"EHLO x", b"MAIL FROM:<a>", b"RCPT TO:<b>", b"DATA") + b"text" + end + SMUGGLED
    for pieces in cuts_of(octets):
        server = Server(lf=lf)
        assert server.codes(*pieces) == [250, 250, 250, 354, 250]
        assert [message.sender for message in server.messages] == [b"a"]
        assert b"Subject: smuggled" in server.contents[0]


@pytest.mark.parametrize("request_line", [b"GET / HTTP/1.1", b"POST / HTTP/1.1", b"CONNECT a:1"])
def test_browser_is_sent_away_at_its_first_line(request_line: bytes) -> None:
    server = Server()
    octets = lines(request_line, b"Host: x", b"", b"MAIL FROM:<a>", b"RCPT TO:<b>", b"DATA", b".")
    assert server.codes(octets) == [554]
    assert server.session.closed
    assert server.messages == []


def test_who_only_makes_mistakes_is_sent_away() -> None:
    server = Server()
    assert server.codes(b"XYZZY\r\n" * (MISTAKES + 5)) == [500] * MISTAKES + [421]
    assert server.session.closed


def test_mistakes_are_forgotten_with_a_message() -> None:
    server = Server()
    for _ in range(3):
        server.hear(b"XYZZY\r\n" * (MISTAKES - 1))
        server.hear(lines(b"MAIL FROM:<a>", b"RCPT TO:<b>", b"DATA", b"."))
    assert len(server.messages) == 3


def test_line_that_is_too_long_is_one_mistake_and_not_kept() -> None:
    server = Server()
    for _ in range(100):
        server.hear(b"x" * MAX_COMMAND)
        assert len(server.session._buffer) <= 2 * MAX_COMMAND
    assert server.codes(b"\r\nNOOP\r\n") == [500, 250]


def test_first_line_tells_the_line_end_though_it_is_too_long() -> None:
    line = b"x" * (MAX_COMMAND + 1) + b"\r\n"
    for place in (-1, -2, -3):
        server = Server(lf=True)
        assert server.codes(line[:place], line[place:], b"NOOP\n") == [500, 500]


def test_shut_down_says_so_once_and_forgets_what_was_under_way() -> None:
    server = Server()
    server.hear(lines(b"MAIL FROM:<a>", b"RCPT TO:<b>", b"DATA", b"text"))
    server.session.shut_down(b"4.3.2 Stopping")
    server.session.shut_down(b"4.3.2 Stopping")
    assert server.hear(b".\r\n") == b"421 Stopping\r\n"
    assert server.messages == []
    assert server.boxes[0].closed


# --- AUTH


def right(user: bytes, password: bytes) -> bool:
    return (user, password) == (b"me", b"secret")


PLAIN = base64.b64encode(b"\0me\0secret")
USER, PASSWORD = base64.b64encode(b"me"), base64.b64encode(b"secret")


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        ([b"AUTH PLAIN " + PLAIN], [235]),
        ([b"auth plain", PLAIN], [334, 235]),
        ([b"AUTH LOGIN", USER, PASSWORD], [334, 334, 235]),
        ([b"AUTH LOGIN " + USER, PASSWORD], [334, 235]),
    ],
)
def test_right_password_lets_mail_in(said: list[bytes], codes: list[int]) -> None:
    server = Server(login=right)
    assert b"250-AUTH PLAIN LOGIN\r\n" in server.hear(b"EHLO x\r\n")
    assert server.codes(b"MAIL FROM:<a>\r\n") == [530]
    assert server.codes(lines(*said, b"MAIL FROM:<a>", b"AUTH PLAIN")) == [*codes, 250, 503]
    assert server.session.user == b"me"


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        ([b"AUTH PLAIN " + base64.b64encode(b"\0me\0wrong")], [535]),
        ([b"AUTH PLAIN " + base64.b64encode(b"\0\0")], [535]),
        ([b"AUTH PLAIN " + base64.b64encode(b"me")], [501]),
        ([b"AUTH PLAIN ="], [501]),
        ([b"AUTH PLAIN not-base64"], [501]),
        ([b"AUTH LOGIN", b"*"], [334, 501]),
        ([b"AUTH LOGIN", b"?", b"NOOP"], [334, 501, 250]),
        ([b"AUTH LOGIN", b"A" * 20_000, b"NOOP"], [334, 500, 250]),
        ([b"AUTH CRAM-MD5"], [504]),
        ([b"AUTH"], [504]),
    ],
)
def test_anything_else_does_not(said: list[bytes], codes: list[int]) -> None:
    server = Server(login=right)
    assert server.codes(lines(*said, b"MAIL FROM:<a>")) == [*codes, 530]


def test_passwords_cannot_be_tried_out_in_one_session() -> None:
    server = Server(login=right)
    attempts = lines(*[b"AUTH PLAIN " + base64.b64encode(b"\0me\0wrong")] * 10)
    assert server.codes(attempts) == [535, 535, 535, 535, 421]


# --- any octets

WORDS = [
    b"EHLO x\r\n", b"HELO x\n", b"MAIL FROM:<a@b>\r\n", b"RCPT TO:<c@d>\r\n", b"DATA\r\n",
    b"DATA\n", b"BDAT 3\r\n", b"BDAT 2 LAST\r\n", b"abc", b".\r\n", b"\r\n.\r\n", b"\n.\n",
    b"RSET\r\n", b"AUTH LOGIN\r\n", b"AUTH PLAIN " + PLAIN + b"\r\n", PLAIN + b"\r\n",
    b"NOOP\r\n", b"\r", b"\n", b"MAIL FROM:<a>\n", b"RCPT TO:<b>\n", b"x" * 700, b"\0\xff",
]  # fmt: skip
dialogues = st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=20)), max_size=40)


@given(dialogues, st.booleans(), st.booleans(), st.data())
def test_any_octets_give_the_same_messages_and_replies_however_cut(
    dialogue: list[bytes], lf: bool, wants_login: bool, data: st.DataObject
) -> None:
    octets = b"".join(dialogue)
    login = right if wants_login else None
    whole = Server(lf=lf, login=login)
    whole.hear(octets)
    places = sorted(data.draw(st.sets(st.integers(0, len(octets)), max_size=8)))
    cut = Server(lf=lf, login=login)
    for start, end in zip([0, *places], [*places, None], strict=True):
        cut.hear(octets[start:end])
        assert len(cut.session._buffer) <= len(octets[start:end]) + MAX_COMMAND * 7
    assert (cut.said, cut.contents) == (whole.said, whole.contents)
    codes_of(whole.said)
    for message in whole.messages:
        assert message.recipients
        assert message.size <= SIZE
    if wants_login and not whole.session.user:
        assert whole.messages == []
    assert sum(not box.closed for box in whole.boxes) <= 1


@given(dialogues, st.booleans())
def test_no_message_comes_of_octets_that_hold_no_end(dialogue: list[bytes], lf: bool) -> None:
    octets = b"".join(dialogue).replace(b".", b"x").replace(b"LAST", b"xxxx")
    server = Server(lf=lf)
    server.hear(octets)
    assert server.messages == []


def test_received_counts_what_has_come_of_a_message_that_is_not_complete() -> None:
    server = Server()
    assert server.session.received == 0
    server.hear(lines(b"EHLO me", b"MAIL FROM:<a@example.org>", b"RCPT TO:<b@example.org>"))
    server.hear(b"BDAT 10\r\n12345")
    assert server.session.received == 5
