"""The client: drives the dialogues over any pair of binary streams, blocking.

`Client(reader, writer)` needs a `reader` whose `read1(n)` or `read(n)` returns what is there, at
least one octet, `b""` at the end; and a `writer` whose `write` may be short. Streams that can do
more are used for more (`transport.SocketStream` has all of it):

    set_timeout(seconds)   bounds each read and write that follows; they raise `TimeoutError`
    arrived()              what has come without waiting: octets, `b""` at the end, None for
                           nothing; then `write` may return 0 to have the server heard first
    start_tls(config, server_hostname)                makes TLS of the connection
    tls_endpoint, tls_session_props, tls_verified     facts about that TLS

Guarantees: every reply is paired with its command, in order; no phase takes longer than its
timeout, nothing goes on after `deadline`; a server that answers while we still write is heard.
Every trouble is an `SmtpError`. After one that leaves the session in doubt (`broken`), nothing is
sent any more and only `close` remains: a late answer must never pair with a later command.
"""

from __future__ import annotations

import time

from . import arguments, dialogue, phases
from .body import data_blocks
from .driver import Driver
from .errors import MissingExtension, ReplyError, SmtpError, UsageError
from .extensions import Extensions
from .phases import Timeouts
from .reply import Reply, reply_error
from .sasl.exchange import authenticate
from .stream import Stream
from .transaction import Recipient, Transaction
from .transcript import Transcript

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable
    from typing import Any, TypeVar

    from .sasl import Mechanism
    from .steps import Dialogue
    from .transaction import Source, Verdict

    T = TypeVar("T")


class Client:
    """One SMTP session as a client; a context manager that takes leave and closes.

    `extensions` and `helo_response` are what the last EHLO or HELO gave, empty before it and after
    STARTTLS. `gssapi_props` are facts of a login by GSSAPI (`sasl.gssapi.GssapiProperties`), else
    None. `trace`, if given, is called with `b"C"` or `b"S"` and each line that goes or comes,
    secrets masked. With `lmtp` the server speaks LMTP (RFC 2033). The extensions in `ignored`
    (upper-case keywords) are not used even if they are offered, for servers that do them wrong.
    """

    def __init__(
        self,
        reader: Any,
        writer: Any,
        *,
        set_timeout: Callable[[float], None] | None = None,
        timeouts: Timeouts | None = None,
        clock: Callable[[], float] = time.monotonic,
        trace: Callable[[bytes, bytes], None] | None = None,
        lmtp: bool = False,
        ignored: Collection[bytes] = (),
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._driver = Driver(reader, writer, set_timeout, timeouts or Timeouts(), clock, trace)
        self._greeting: Reply | None = None
        self._not_welcome: ReplyError | None = None
        self._ignored = ignored
        self.lmtp = lmtp
        self._reset_needed = False
        self.extensions = Extensions()
        self.authenticated = False
        self.gssapi_props: Any = None

    # --- The state of the session

    @property
    def broken(self) -> bool:
        """True when the session is in doubt or over: only `close` remains."""
        return self._driver.broken

    @property
    def deadline(self) -> float | None:
        """The moment on `clock` when everything has to be over, None for none; may be set."""
        return self._driver.deadline

    @deadline.setter
    def deadline(self, moment: float | None) -> None:
        self._driver.deadline = moment

    @property
    def helo_response(self) -> list[bytes]:
        """The lines of the last answer to EHLO or HELO, the first with the server's name."""
        return list(self.extensions.lines)

    @property
    def tls_endpoint(self) -> Any:
        """The TLS object of the connection, None while it is in clear."""
        return getattr(self._writer, "tls_endpoint", None)

    @property
    def tls_session_props(self) -> Any:
        """Version, cipher, certificate of the TLS session, None while in clear."""
        return getattr(self._writer, "tls_session_props", None)

    @property
    def tls_verified(self) -> bool:
        """True when TLS is on and the server has shown to be the one we asked for."""
        return bool(getattr(self._writer, "tls_verified", False))

    def usable(self) -> bool:
        """Tell whether a session that was kept is still good: nothing said, not closed, not broken.

        Asks nothing of the server; over streams that cannot tell, hope counts as good.
        """
        return self._driver.is_quiet()

    # --- The session

    def perform(self, conversation: Dialogue[T]) -> T:
        """Run a dialogue over this session: the way to conversations that have no method here."""
        self.greeting()
        return self._driver.perform(conversation)

    def greeting(self) -> Reply:
        """Return the server's greeting, waiting for it the first time; `ReplyError` if refused.

        Whatever is said first waits for it: sooner said, it would take the greeting for its answer.
        """
        if self._not_welcome is not None:
            raise self._not_welcome
        if self._greeting is None:
            try:
                self._greeting = self._driver.perform(dialogue.greeting())
            except ReplyError as refusal:
                self._not_welcome = refusal
                raise
        return self._greeting

    def helo(self, host: bytes) -> list[bytes]:
        """Introduce us as `host` by EHLO, or HELO where that is all; return the answer's lines.

        `host` is a domain or an address literal in brackets; under LMTP the verb is LHLO.
        """
        verb = b"LHLO" if self.lmtp else b"EHLO"
        self.extensions = self.perform(dialogue.hello(host, verb=verb, ignored=self._ignored))
        self._reset_needed = False  # EHLO ends a transaction as RSET does
        return self.helo_response

    def starttls(self, config: Any, server_hostname: str) -> None:
        """Turn to TLS; then nothing the server offered counts, and `helo` is due again.

        `config` is a `transport.TlsConfig`, `server_hostname` the name the certificate must have.
        Raises `TlsError`, after which nothing can be sent.
        """
        start = getattr(self._writer, "start_tls", None)
        if start is None or self.tls_endpoint is not None or not server_hostname:
            raise UsageError("TLS needs a stream that can do it, in clear yet, and a host name")
        if b"STARTTLS" not in self.extensions:
            raise MissingExtension(b"STARTTLS")
        self.perform(dialogue.starttls())
        self.extensions = Extensions()
        self._driver.start_tls(lambda: start(config, server_hostname))

    def auth(self, mechanism: Mechanism) -> None:
        """Log in by `mechanism`; whether the link deserves the secret is for the caller to know."""
        if self.authenticated:
            raise UsageError("logged in already")
        self.perform(authenticate(mechanism))
        self.authenticated = True
        self.gssapi_props = mechanism.gssapi_props

    def quit(self) -> None:
        """Take leave, as far as the server cares, and close; never raises."""
        if self._on_speaking_terms():
            self._driver.perform(dialogue.quit())
        self.close()

    def leave(self) -> None:
        """Take leave and close without waiting for the answer, for when nobody has the time."""
        if self._on_speaking_terms():
            try:
                self._driver.perform(dialogue.farewell())
            except SmtpError:
                pass  # it has gone before us
        self.close()

    def close(self) -> None:
        """Close both streams without a word; may be called again."""
        self._driver.broken = True
        for stream in (self._writer, self._reader):
            try:
                stream.close()
            except OSError:
                pass  # a buffered stream may fail to flush: it is over anyway

    def _on_speaking_terms(self) -> bool:
        """Tell whether QUIT may be said: the server has greeted, also one that refused us."""
        return not self.broken and (self._greeting or self._not_welcome) is not None

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.quit()

    # --- Messages

    def stream(self, transactions: Iterable[Transaction]) -> Generator[Verdict, None, None]:
        """Hand over message after message, as fast as the server's extensions allow.

        Yields one `Verdict` for each transaction, in order, once it is known and the server is at
        work on what follows; each was taken from `transactions` some time before. Nothing of the
        session is raised: a verdict that could not be had names its trouble, and the stream is over
        then (`broken`). Who leaves before the end leaves messages without verdict and the session
        broken.
        """
        stream = Stream(
            self.extensions,
            lmtp=self.lmtp,
            reset=self._reset_needed,
            hearing=self._driver.hears_while_writing,
        )
        yield from self._driver.converse(stream.run(transactions))
        self._reset_needed = stream.reset_needed
        if not stream.usable:
            self._driver.broken = True

    def transaction(
        self, sender: bytes, recipients: Iterable[bytes | Recipient], source: Source, **options: Any
    ) -> Transcript:
        """Hand over one message and return what the server said about it.

        The arguments are those of `Transaction`. Refusals of the sender, of recipients or of the
        message are in the transcript, never raised.

        Raises `UsageError`, `SizeExceeded` or `MissingExtension` before anything is sent. Any other
        `SmtpError` is trouble of the session; its `transcript` has the replies given before.
        """
        (verdict,) = self.stream((Transaction(sender, recipients, source, **options),))
        if verdict.trouble is None:
            return verdict.transcript
        if isinstance(verdict.trouble, SmtpError):
            verdict.trouble.transcript = verdict.transcript
            verdict.trouble.after_end_of_data = verdict.may_be_duplicate
        raise verdict.trouble

    # --- Single commands; refusals are raised

    def mail(self, sender: bytes, **options: Any) -> Reply:
        """Open a transaction; the options are those of `Transaction`."""
        line = arguments.format_mail(self.extensions, Transaction(sender, (), b"", **options))
        if self._reset_needed:
            self.rset()
        self._reset_needed = True
        return self.perform(dialogue.command(line, phases.MAIL))

    def rcpt(self, recipient: bytes | Recipient, *, smtputf8: bool = False) -> Reply:
        """Name one recipient."""
        who = Recipient(recipient) if isinstance(recipient, bytes) else recipient
        return self.perform(
            dialogue.rcpt(arguments.format_rcpt(self.extensions, who, smtputf8=smtputf8))
        )

    def data(self, source: Source) -> Reply:
        """Send the message to those who were accepted; return the server's acceptance.

        Not under LMTP, where each recipient has an answer of its own: `transaction` reads those.
        """
        if self.lmtp:
            raise UsageError("under LMTP a message goes by transaction")
        transcript = Transcript(0)
        blocks = data_blocks(Transaction(b"", (), source).chunks())
        reply = self.perform(dialogue.data(blocks, transcript))
        self._reset_needed = reply.code >= 400
        if reply.code >= 400:
            raise reply_error(reply, b"DATA" if transcript.final is None else b"end of data")
        return reply

    def rset(self) -> None:
        """End the transaction in hand."""
        self.perform(dialogue.command(b"RSET\r\n", phases.RESET))
        self._reset_needed = False

    def noop(self) -> None:
        """Do nothing, to see whether the server is there."""
        self.perform(dialogue.command(b"NOOP\r\n", verb=b"NOOP"))

    def vrfy(self, name: bytes) -> list[bytes] | None:
        """Return what the server knows of a user, or None where it does not tell (252)."""
        line = arguments.format_command(b"VRFY " + name, utf8=b"SMTPUTF8" in self.extensions)
        reply = self.perform(dialogue.command(line, verb=b"VRFY"))
        return list(reply.lines) if reply.code in (250, 251) else None

    def expn(self, name: bytes) -> list[bytes] | None:
        """Return the members of the list `name`, or None where the server does not tell (252)."""
        line = arguments.format_command(b"EXPN " + name)
        reply = self.perform(dialogue.command(line, verb=b"EXPN"))
        return list(reply.lines) if reply.code == 250 else None

    def help(self, topic: bytes = b"") -> list[bytes]:
        """Return the server's help."""
        line = arguments.format_command(b"HELP " + topic if topic else b"HELP")
        return list(self.perform(dialogue.command(line, verb=b"HELP")).lines)

    def command(self, line: bytes) -> tuple[int, list[bytes]]:
        """Say one command of the caller's; return code and lines of a reply 2yz or 3yz.

        Not for DATA, BDAT, AUTH and STARTTLS, whose conversations go on after the reply.
        """
        formatted = arguments.format_command(line, utf8=b"SMTPUTF8" in self.extensions)
        verb = line.split(b" ", 1)[0].upper()
        if verb in (b"DATA", b"BDAT", b"AUTH", b"STARTTLS"):
            raise UsageError(f"{verb.decode()} is a conversation, not a command")
        reply = self.perform(dialogue.command(formatted, verb=verb, refusal=400))
        return reply.code, list(reply.lines)
