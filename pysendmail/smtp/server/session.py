"""One SMTP session of the server: octets in, replies out, and messages when they are complete.

Guarantees: no octets raise anything; a message is given out only after its end of data, never on
the end of the input; nothing behind it is looked at before it was answered, so each reply belongs
to its message. Bounded in all it keeps: the line, the recipients, the size of a message, and the
mistakes after which it says 421 and ends. How the input is cut makes no difference. RFC 5321, with
PIPELINING, SIZE, 8BITMIME, SMTPUTF8, DSN, CHUNKING and ENHANCEDSTATUSCODES; AUTH where there is
somebody to ask.

Time is not looked at: who reads the connection decides how long it waits.
"""

from __future__ import annotations

from ..arguments import MAX_COMMAND
from ..reply import Reply
from . import replies
from .commands import parse_bdat, parse_mail, parse_rcpt, split_command
from .content import ContentReader
from .login import LINE_LIMIT as LOGIN_LINE_LIMIT
from .login import MECHANISMS, Login
from .replies import OK, Refusal, format_reply, too_large

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .transaction import Sink, Transaction

MISTAKES = 20  # mistakes between two messages
WRONG_LOGIN = 5  # as many mistakes as a wrong password counts for

# What browsers say when a web page makes them talk to a port of this machine.
OF_HTTP = (b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"PATCH", b"DELETE", b"TRACE", b"CONNECT")


class Profile:
    """What a server offers and allows, the same in all its sessions.

    `hostname` is in the greeting. `size` is the largest message in octets, `recipients` the most
    for one message. `lf`: a session whose first line ends with LF alone is one in which all may;
    without it every line must end with CR LF. `login` tells whether user and password are right, or
    raises Refusal; None: there is no AUTH, and none is needed. `acceptable` tells whether an
    address can be used; `check_recipient` raises Refusal for one that is known to lead nowhere.
    """

    __slots__ = ("acceptable", "check_recipient", "hostname", "lf", "login", "recipients", "size")

    def __init__(
        self,
        hostname: bytes,
        *,
        size: int,
        recipients: int,
        lf: bool = False,
        login: Callable[[bytes, bytes], bool] | None = None,
        acceptable: Callable[[bytes], bool] = bool,
        check_recipient: Callable[[bytes], None] = lambda _address: None,
    ) -> None:
        self.hostname = hostname
        self.size = size
        self.recipients = recipients
        self.lf = lf
        self.login = login
        self.acceptable = acceptable
        self.check_recipient = check_recipient


class Session:
    """One session. `hello` is the name the client gave, b"" before that; `esmtp`: by EHLO.

    `new_content` makes the place for one message; a message that is not given out is closed.
    """

    __slots__ = (
        "_buffer", "_chunk_left", "_complete", "_hear", "_lf", "_mistakes", "_new_content",
        "_output", "_overlong", "_profile", "_scanned", "_take", "_transaction", "closed", "esmtp",
        "hello", "user",
    )  # fmt: skip

    def __init__(self, profile: Profile, new_content: Callable[[], Sink]) -> None:
        self._profile = profile
        self._new_content = new_content
        self.hello = b""
        self.esmtp = False
        self.user = b""
        self.closed = False
        self._buffer = bytearray()
        self._scanned = 0  # so much of the buffer holds no line end
        self._overlong = False  # what is in the buffer belongs to a line that is too long
        self._lf = None if profile.lf else False  # None: the first line will tell
        self._output = bytearray()
        self._mistakes = 0
        self._transaction: Transaction | None = None
        self._complete: Transaction | None = None
        self._chunk_left = 0
        self._take: Callable[[], bool] = self._take_line  # what comes next in the buffer
        self._hear: Callable[[bytes], None] = self._obey  # what the next line is for
        self._say(Reply(220, (profile.hostname + b" ESMTP pysendmail",)))

    def feed(self, octets: bytes) -> None:
        """Take what the client has sent."""
        if not self.closed:
            self._buffer += octets

    def next_message(self) -> Transaction | None:
        """Go on until a message is complete, which `answer` must be called for, or all is read."""
        while self._complete is None and not self.closed and self._take():
            pass
        return self._complete

    def answer(self, reply: Reply) -> None:
        """Answer the message that was given out; its content is closed."""
        self._complete = None
        self._forget()
        self._mistakes = 0
        self._say(reply)

    def take_replies(self) -> bytes:
        """Return what is to be written to the client now."""
        octets = bytes(self._output)
        self._output.clear()
        return octets

    @property
    def received(self) -> int:
        """How many octets have come of a message that is not complete."""
        return self._transaction.size if self._transaction is not None else 0

    def shut_down(self, text: bytes) -> None:
        """Tell the client that the session ends (RFC 5321 section 3.8), and end it."""
        if not self.closed:
            self._say(Reply(421, (text,)))
            self.close()

    def close(self) -> None:
        """End the session; a message that was not complete is forgotten."""
        self.closed = True
        self._buffer.clear()
        self._forget()

    # --- what comes next in the buffer; each returns whether it got any further

    def _take_line(self) -> bool:
        limit = LOGIN_LINE_LIMIT if self._profile.login else MAX_COMMAND
        end = self._buffer.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(self._buffer)
            if self._scanned > limit:
                self._overlong = True
                del self._buffer[:-1]  # the last octet tells, with the next, how the line ends
                self._scanned = 1
            return False
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._scanned = 0
        overlong, self._overlong = self._overlong or end > limit, False
        if self._lf is None:
            self._lf = not line.endswith(b"\r")
        try:
            if overlong:
                raise Refusal(500, b"5.5.2 Line too long")
            if not self._lf and not line.endswith(b"\r"):
                raise Refusal(500, b"5.5.2 Lines end with CR LF")
            self._hear(line.removesuffix(b"\r"))
        except Refusal as refusal:
            self._hear = self._obey
            if refusal.reply.code < 510:
                self._mistake(refusal.reply)
            else:
                self._say(refusal.reply)
        return True

    def _take_data(self, transaction: Transaction, reader: ContentReader) -> bool:
        content, rest = reader.feed(bytes(self._buffer))
        self._buffer[:] = rest
        transaction.write(content, self._profile.size)
        if reader.ended:
            self._end_message(transaction)
        return reader.ended

    def _take_chunk(self, transaction: Transaction | None, *, last: bool) -> bool:
        """Take of a chunk what is there; without a transaction it only has to be got out of the
        way, for it was answered.
        """
        octets = bytes(self._buffer[: self._chunk_left])
        del self._buffer[: len(octets)]
        self._chunk_left -= len(octets)
        if transaction is not None:
            transaction.write(octets, self._profile.size)
        if self._chunk_left:
            return False
        self._take = self._take_line
        if transaction is not None and last:
            self._end_message(transaction)
        elif transaction is not None:
            self._say(transaction.refused or Reply(250, (b"2.0.0 Chunk received",)))
        return True

    def _end_message(self, transaction: Transaction) -> None:
        self._take = self._take_line
        if transaction.refused is not None:
            self._say(transaction.refused)
            self._forget()
        else:
            self._complete = transaction

    # --- replies

    def _say(self, reply: Reply) -> None:
        self._output += format_reply(reply, enhanced=self.esmtp)

    def _mistake(self, reply: Reply, weight: int = 1) -> None:
        """Refuse something no client has to say; who says too much of it is sent away."""
        self._say(reply)
        self._mistakes += weight
        if self._mistakes >= MISTAKES:
            self.shut_down(b"4.7.0 Too many errors")

    def _forget(self) -> None:
        if self._transaction is not None:
            self._transaction.close()
        self._transaction = None

    # --- commands

    def _obey(self, line: bytes) -> None:
        verb, arguments = split_command(line)
        if verb in OF_HTTP:
            self._say(Reply(554, (b"5.5.0 This is SMTP",)))
            self.close()
        elif verb in NOT_OFFERED:
            raise Refusal(502, b"5.5.1 Command not implemented")
        elif verb not in COMMANDS:
            raise Refusal(500, b"5.5.1 Command not recognized")
        else:
            COMMANDS[verb](self, arguments)

    def _helo(self, arguments: bytes, *, esmtp: bool = False) -> None:
        if not arguments:
            raise Refusal(501, b"5.5.4 Syntax: HELO hostname")
        self._forget()
        self.hello, self.esmtp = arguments, esmtp
        lines = [self._profile.hostname]
        if esmtp:
            lines += [
                b"PIPELINING",
                b"SIZE %d" % self._profile.size,
                b"8BITMIME",
                b"SMTPUTF8",
                b"DSN",
                b"CHUNKING",
                b"ENHANCEDSTATUSCODES",
                *([b"AUTH " + b" ".join(MECHANISMS)] if self._profile.login else []),
                b"HELP",
            ]
        self._say(Reply(250, tuple(lines)))

    def _ehlo(self, arguments: bytes) -> None:
        self._helo(arguments, esmtp=True)

    def _mail(self, arguments: bytes) -> None:
        if self._profile.login is not None and not self.user:
            raise Refusal(530, b"5.7.0 Authentication required")
        if self._transaction is not None:
            raise Refusal(503, b"5.5.1 There is a sender already")
        transaction = parse_mail(arguments)
        if transaction.sender and not self._profile.acceptable(transaction.sender):
            raise Refusal(553, b"5.1.7 The address cannot be read")
        if transaction.declared > self._profile.size:
            self._say(too_large(self._profile.size))
            return
        self._transaction = transaction
        self._say(Reply(250, (b"2.1.0 Ok",)))

    def _rcpt(self, arguments: bytes) -> None:
        transaction = self._in_envelope()
        recipient = parse_rcpt(arguments)
        if not self._profile.acceptable(recipient.address):
            raise Refusal(553, b"5.1.3 The address cannot be read")
        self._profile.check_recipient(recipient.address)
        if len(transaction.recipients) >= self._profile.recipients:
            self._say(Reply(452, (b"4.5.3 Too many recipients",)))
            return
        transaction.recipients.append(recipient)
        self._say(Reply(250, (b"2.1.5 Ok",)))

    def _data(self, arguments: bytes) -> None:
        if arguments:
            raise Refusal(501, b"5.5.4 Syntax: DATA")
        transaction = self._in_envelope()
        if not transaction.recipients:
            raise Refusal(554, b"5.5.1 No valid recipients")
        transaction.content = self._new_content()
        reader = ContentReader(lf=bool(self._lf))
        self._take = lambda: self._take_data(transaction, reader)
        self._say(replies.GO_AHEAD)

    def _bdat(self, arguments: bytes) -> None:
        try:
            self._chunk_left, last = parse_bdat(arguments)
        except Refusal as refusal:
            # How much of what follows is content nobody knows: none of it is to be obeyed.
            self._say(refusal.reply)
            self.close()
            return
        transaction = self._transaction
        if transaction is None:
            self._say(Reply(503, (b"5.5.1 MAIL comes first",)))
        elif not transaction.recipients:
            self._say(Reply(554, (b"5.5.1 No valid recipients",)))
            transaction = None
        elif transaction.content is None and transaction.refused is None:
            transaction.content = self._new_content()
        self._take = lambda: self._take_chunk(transaction, last=last)

    def _in_envelope(self) -> Transaction:
        """Return the transaction, in which no content has come yet."""
        if self._transaction is None:
            raise Refusal(503, b"5.5.1 MAIL comes first")
        if self._transaction.content is not None or self._transaction.refused is not None:
            raise Refusal(503, b"5.5.1 BDAT has begun the message")
        return self._transaction

    def _rset(self, _arguments: bytes) -> None:
        self._forget()
        self._say(OK)

    def _noop(self, _arguments: bytes) -> None:
        self._say(OK)

    def _vrfy(self, _arguments: bytes) -> None:
        self._say(replies.WILL_TRY)

    def _help(self, _arguments: bytes) -> None:
        self._say(replies.HELP)

    def _quit(self, _arguments: bytes) -> None:
        self._say(replies.BYE)
        self.close()

    def _auth(self, arguments: bytes) -> None:
        is_right = self._profile.login
        if is_right is None:
            raise Refusal(502, b"5.5.1 Command not implemented")
        if self.user or self._transaction is not None:
            raise Refusal(503, b"5.5.1 Not now")
        self._log_in(Login(arguments), is_right, None)

    def _log_in(
        self, login: Login, is_right: Callable[[bytes, bytes], bool], line: bytes | None
    ) -> None:
        """Go one step on with AUTH; `line` is what the client has answered, None at first."""
        self._hear = self._obey
        challenge = login.challenge(line)
        if login.credentials is None:
            self._hear = lambda answer: self._log_in(login, is_right, answer)
            self._say(Reply(334, (challenge,)))
        elif is_right(*login.credentials):
            self.user = login.credentials[0]
            self._say(replies.LOGGED_IN)
        else:
            self._mistake(Reply(535, (b"5.7.8 Wrong user or password",)), WRONG_LOGIN)


# VERB and ONEX come from clients of Sendmail, which they ask to tell more, and to end sooner.
COMMANDS: dict[bytes, Callable[[Session, bytes], None]] = {
    b"HELO": Session._helo, b"EHLO": Session._ehlo, b"MAIL": Session._mail, b"RCPT": Session._rcpt,
    b"DATA": Session._data, b"BDAT": Session._bdat, b"RSET": Session._rset, b"NOOP": Session._noop,
    b"VERB": Session._noop, b"ONEX": Session._noop, b"VRFY": Session._vrfy, b"HELP": Session._help,
    b"AUTH": Session._auth, b"QUIT": Session._quit,
}  # fmt: skip
NOT_OFFERED = (b"EXPN", b"ETRN", b"STARTTLS", b"TURN", b"ATRN", b"SEND", b"SOML", b"SAML")
