"""The server's side of SMTP, as behind `sendmail -bs` and the daemon's listener."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pysendmail.message.address import parse_mailbox
from pysendmail.smtp.arguments import check_address
from pysendmail.smtp.reply import Reply, ReplyParser
from pysendmail.smtp.server import Profile, Session, Transaction
from pysendmail.submission.request import Request, format_request
from pysendmail.submission.request_parser import parse_request, split_head
from pysendmail.submission.smtp_door import is_address, wishes_of
from tests.fuzz.targets.target import Target, cut

SIZE, RECIPIENTS = 200, 3
QUEUE_ID = "0123456789ABCD"


class Sink:
    """Where one message goes; it has room for `room` octets."""

    def __init__(self, room: int) -> None:
        self.text = b""
        self.closed = False
        self._room = room

    def write(self, chunk: bytes) -> None:
        assert not self.closed
        if len(self.text) + len(chunk) > self._room:
            raise OSError
        self.text += chunk

    def close(self) -> None:
        self.closed = True


class Heard:
    """One session: its replies, and what it has taken. `mood` says what it offers and allows."""

    def __init__(self, mood: int, pieces: Iterable[bytes]) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self._sinks: list[Sink] = []
        self._room = SIZE // 2 if mood & 4 else SIZE
        profile = Profile(
            b"mx.example.com",
            size=SIZE,
            recipients=RECIPIENTS,
            lf=bool(mood & 1),
            login=(lambda user, password: user == password) if mood & 2 else None,
            acceptable=is_address,
        )
        self.session = session = Session(profile, self._new_content)
        self.written = session.take_replies()
        for piece in pieces:
            session.feed(piece)
            while (transaction := session.next_message()) is not None:
                self.written += session.take_replies()
                session.answer(self._take(transaction))
            self.written += session.take_replies()
        self.closed = session.closed
        session.close()
        assert all(sink.closed for sink in self._sinks)

    def _new_content(self) -> Sink:
        self._sinks.append(Sink(self._room))
        return self._sinks[-1]

    def _take(self, transaction: Transaction) -> Reply:
        assert transaction.size == len(transaction.content.text) <= self._room
        assert 1 <= len(transaction.recipients) <= RECIPIENTS
        addresses = [recipient.address for recipient in transaction.recipients]
        for address in filter(None, [transaction.sender, *addresses]):
            assert check_address(address, utf8=True) == address
            assert parse_mailbox(address)
        request = Request(queue_id=QUEUE_ID, size=transaction.size, **wishes_of(transaction))
        _verb, records = split_head(format_request(request))
        assert parse_request(records) == request
        self.messages.append((repr(request), transaction.content.text))
        number = len(self.messages)
        taken = Reply(250, (b"2.0.0 taken as %d" % number,))
        return taken if number % 2 else Reply(451, (b"\xff",))

    @property
    def told(self) -> tuple[object, ...]:
        """All that a client and the owner of the session get to know."""
        return self.written, self.messages, self.closed, self.session.hello, self.session.user


def server(octets: bytes) -> None:
    """Any octets, cut anywhere, are heard the same, and answered by replies that a client can read.

    The first octet chooses what is offered and allowed. What is taken has an end, addresses that
    may go on a command line, and wishes that the daemon understands; all else is forgotten.
    """
    mood, pieces = octets[0] if octets else 0, cut(octets[1:])
    heard = Heard(mood, pieces)
    said = b"".join(pieces)
    assert Heard(mood, [said]).told == heard.told
    assert Heard(mood, re.split(rb"(?=\n)", said)).told == heard.told
    if len(said) < 400:
        assert Heard(mood, [b"%c" % octet for octet in said]).told == heard.told
    replies = read_replies(heard.written)
    assert replies[0].code == 220
    codes = [reply.code for reply in replies]
    assert all(code not in (220, 221, 421) for code in codes[1:-1])
    assert heard.closed or codes[-1] not in (221, 421)
    assert not heard.session.user or mood & 2
    numbers = [reply.lines[0] for reply in replies if b"taken as" in reply.text]
    assert len(numbers) == (len(heard.messages) + 1) // 2


def read_replies(written: bytes) -> list[Reply]:
    """Return the replies, as a client reads them that takes nothing but what RFC 5321 allows."""
    lines = written.split(b"\r\n")
    assert lines.pop() == b""
    assert all(len(line) <= 510 and line.decode("ascii").isprintable() for line in lines)
    parser = ReplyParser()
    parser.feed(written)
    found = []
    while (reply := parser.next()) is not None:
        found.append(reply)
    return found


TARGETS = (server,)


def seeds() -> dict[Target, list[bytes]]:
    """Return inputs to begin with."""
    dialogues = (
        b"EHLO me\nMAIL FROM:<a@x> SIZE=9 BODY=8BITMIME RET=HDRS ENVID=a+2Bb SMTPUTF8\n"
        b"RCPT TO:<b@y> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+40y\nRCPT TO:<c>\n"
        b"DATA\n..text\n.\nQUIT\n",
        b"HELO me\nMAIL FROM:<>\nRCPT TO:<@r:\"a b\"@x>\nBDAT 6\nline\n\nBDAT 0 LAST\nRSET\nNOOP\n",
        b"EHLO me\nAUTH PLAIN AGEAYQ==\nMAIL FROM: a\nRCPT TO:b\nDATA\n.\nMAIL FROM:<c>\nQUIT\n",
        b"EHLO me\nAUTH LOGIN\nYQ==\nYQ==\nAUTH LOGIN YQ==\n*\nVRFY a\nHELP\nEXPN a\n"
        b"GET / HTTP/1.1\n",
        b"EHLO me\nMAIL FROM:<a@x> ENVID=" + b"=" * 40 + b"\nRCPT TO:<b@y> ORCPT=-;b\n"
        b"RCPT TO:<c@y> ORCPT=rfc822;" + b"=" * 200 + b"\n"
        b"RCPT TO:<d@y> ORCPT=rfc822;+2B NOTIFY=NEVER\nDATA\n.\n",
        b"EHLO " + b"m" * 13_000 + b"\nMAIL FROM:<a>\nRCPT TO:<b>\nDATA\n" + b"x" * 90 + b"\n.\n",
    )
    return {
        server: [
            bytes([mood]) + cutting + dialogue.replace(b"\n", b"\r\n" if mood & 4 else b"\n")
            for mood, cutting in ((1, b"\0"), (3, b"\1\x07"), (7, b"\2\x05\x28"), (6, b"\0"))
            for dialogue in dialogues
        ]
    }
