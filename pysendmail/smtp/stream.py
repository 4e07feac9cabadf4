"""Message after message through one session, with as few round trips as the server allows.

Theory. Two cursors run over one sequence of commands: the one that says them, and the one that
hears the answers. `_expected` is what lies between, in order; each reply belongs to its first
element, and that is the whole pairing. How far the first cursor may be ahead depends on what the
server offers:

    nothing      each command waits for the answer to the one before it
    PIPELINING   the envelope travels whole, behind the end of the message before it: RFC 2920
                 section 3.1 lets a group of commands follow a message's last octet. One round
                 trip a message.
    CHUNKING     there is no go-ahead to wait for (RFC 3030), so whole messages travel back to back,
                 up to `MESSAGES` of them. Many messages a round trip.

Guarantees:

- Every transaction taken from the caller comes back once, in order, as a `Verdict`: also when the
  connection breaks, when the server answers nonsense, when a message's source fails.
- Between two messages stands RSET, unless the first is known to have been accepted. A server that
  refused a message may hold its transaction open (Postfix does when a policy refuses the end of
  data), and the next message would go to the recipients of the last.
- A message whose recipients were all refused is not sent where that is known in time: always
  after DATA, and with CHUNKING when it is longer than one block.
- A message of which a part was refused is not brought to its end where that is known in time: a
  lax server would take it without that part.

A refusal of a message or a recipient is part of a verdict. Trouble of the session (the connection,
421, a refused RSET, an answer that no server may give there) ends the stream: whoever has no
verdict yet gets that trouble, with `may_be_duplicate` if all of its octets had left. Nothing is
raised but what the caller's iterable raises.
"""

from __future__ import annotations

from . import phases
from .arguments import format_envelope
from .body import binary_blocks, chunk_blocks, data_blocks
from .dialogue import final
from .errors import ConnectionLost, ProtocolError, ReplyError, SmtpError
from .reply import reply_error
from .steps import Body, Chunk, Mark, Told
from .transaction import Verdict
from .transcript import Transcript

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeVar

    from .extensions import Extensions
    from .phases import Phase
    from .reply import Reply
    from .steps import Dialogue
    from .transaction import Transaction

    T = TypeVar("T")

# Commands under way at once. A server that reads nothing before it has written its answers needs
# room for them; so many short replies fit in any socket buffer (RFC 2920 section 3.1).
COMMANDS = 100
# Where the connection can hear while it writes, no buffer bounds the commands; but each message
# under way may become a duplicate when the connection breaks. With half as many a road of 50 ms
# stands empty half of the time.
COMMANDS_HEARD = 400
MESSAGES = 100


class Stream:
    """The transactions of one session, run as a dialogue that tells `Verdict`s.

    `reset`: the server may hold a transaction of before. `hearing`: the driver takes in replies
    while it writes. After the run `reset_needed` and `usable` tell in what state the session is.
    """

    def __init__(
        self,
        extensions: Extensions,
        *,
        lmtp: bool = False,
        reset: bool = False,
        hearing: bool = False,
    ) -> None:
        self._extensions = extensions
        self._lmtp = lmtp
        pipelining = b"PIPELINING" in extensions
        self._limit = (COMMANDS_HEARD if hearing else COMMANDS) if pipelining else 1
        self._chunking = b"CHUNKING" in extensions
        # Of what is under way there is little: lists are quick enough to take the first from.
        self._expected: list[tuple[Phase, _Delivery, int]] = []
        self._under_way: list[_Delivery] = []
        self.reset_needed = reset
        self.usable = True

    def run(self, transactions: Iterable[Transaction]) -> Dialogue[None]:
        """Hand over one transaction after the other.

        The next is asked for while the last octets of the one before still wait to travel with it:
        an iterable that takes its time holds them up.
        """
        try:
            for transaction in transactions:
                try:
                    delivery = _Delivery(transaction, self._extensions)
                except SmtpError as refusal:
                    yield from self._refuse(transaction, refusal)
                    continue
                self._under_way.append(delivery)
                yield from self._say_envelope(delivery)
                if self._chunking:
                    yield from self._say_chunks(delivery)
                else:
                    yield from self._say_data(delivery)
            yield from self._hear(0)
        except SmtpError as trouble:
            self.usable = trouble.session_usable = False
            for delivery in self._under_way:
                yield Told(delivery.verdict(trouble))

    # --- saying

    def _expect(self, phase: Phase, delivery: _Delivery, index: int = 0) -> Dialogue[None]:
        """Expect one more answer; hear some where too many are due."""
        self._expected.append((phase, delivery, index))
        if len(self._expected) >= self._limit:
            yield from self._hear(self._limit // 2)

    def _say_envelope(self, delivery: _Delivery) -> Dialogue[None]:
        """Say all that comes before the message: at once where so many answers may be due."""
        commands = delivery.commands
        if self.reset_needed:
            commands = [(b"RSET\r\n", phases.RESET, 0), *commands]
        self.reset_needed = True
        if len(self._expected) + len(commands) < self._limit:
            yield b"".join([line for line, _, _ in commands])
            self._expected += [(phase, delivery, index) for _, phase, index in commands]
            return
        for line, phase, index in commands:
            if delivery.transcript.refused or delivery.full:
                return
            yield line
            yield from self._expect(phase, delivery, index)

    def _say_data(self, delivery: _Delivery) -> Dialogue[None]:
        """Say DATA, and the message after 354; its last answer is left to be heard later."""
        if not self._expected and not delivery.transcript.any_accepted:
            yield self._conclude()
            return
        yield b"DATA\r\n"
        self._expected.append((phases.DATA, delivery, 0))
        yield from self._hear(0)
        if not delivery.go_ahead:
            yield self._conclude()
        elif not delivery.transcript.any_accepted:
            yield from self._say_lone_dot(delivery)
        else:
            for block in delivery.read(data_blocks):
                if (yield Body(block)):
                    break
            if delivery.trouble is not None:
                # The server waits inside the message now, and no command can end it.
                raise ConnectionLost(phases.BLOCK.phrase, reason="the message could not be read")
            yield delivery.handed_over
            yield from self._expect(phases.FINAL, delivery)

    def _say_lone_dot(self, delivery: _Delivery) -> Dialogue[None]:
        """End the message that the server wants for nobody.

        A lone dot is the only way; what is answered is no verdict, for the refusals have been (RFC
        2920 section 3.1).
        """
        yield Body(b".\r\n")
        yield from self._hear_noise(delivery)

    def _say_chunks(self, delivery: _Delivery) -> Dialogue[None]:
        """Send the message by BDAT (RFC 3030); its answers are left to be heard later."""
        blocks = delivery.read(binary_blocks if delivery.binary else chunk_blocks)
        block, last = next(blocks, (b"", True))
        long = not last
        if long:
            yield from self._hear(0)  # whether anybody may have it is worth the wait
        while not last and not delivery.hopeless:
            yield from _say_chunk(b"BDAT %d\r\n", block)
            yield from self._expect(phases.CHUNK, delivery)
            block, last = next(blocks, (b"", True))
        if delivery.trouble is not None or (delivery.hopeless and (long or not self._expected)):
            # No LAST: what has a part missing must not be taken for whole. RSET comes before MAIL.
            yield from self._hear(0)
            yield self._conclude()
            return
        yield from _say_chunk(b"BDAT %d LAST\r\n", block)
        yield delivery.handed_over
        yield from self._expect(phases.FINAL, delivery)
        if len(self._under_way) >= MESSAGES:
            while len(self._under_way) > MESSAGES // 2:
                yield from self._hear(len(self._expected) - 1)  # one more of them

    # --- hearing

    def _hear(self, left: int) -> Dialogue[None]:
        """Hear answers until no more than `left` are due."""
        while len(self._expected) > left:
            phase, delivery, index = self._expected.pop(0)
            if phase is not phases.FINAL:
                reply: Reply = yield phase
                delivery.note(reply, phase, index)
            elif delivery.hopeless:
                yield from self._hear_noise(delivery)  # sent by BDAT before that was known
            else:
                yield from self._hear_final(delivery)

    def _hear_final(self, delivery: _Delivery) -> Dialogue[None]:
        """Hear what becomes of the message; under LMTP, for each recipient (RFC 2033)."""
        transcript = delivery.transcript
        if self._lmtp:
            transcript.finals = [None] * len(transcript.recipients)
            for index in transcript.accepted():
                reply: Reply = yield phases.FINAL
                transcript.finals[index] = transcript.final = final(reply)
        else:
            reply = yield phases.FINAL
            transcript.final = final(reply)
        yield self._conclude()

    def _hear_noise(self, delivery: _Delivery) -> Dialogue[None]:
        """Hear the answer to a message that nobody was to have."""
        reply: Reply = yield phases.CHUNK
        yield self._conclude()
        if delivery.transcript.refused and reply.code < 400:
            raise ProtocolError("a message was accepted though its sender was not", reply.lines[0])

    # --- concluding

    def _conclude(self) -> Told:
        """Return the verdict of the delivery that has been under way longest."""
        delivery = self._under_way.pop(0)
        self.reset_needed = bool(self._under_way) or not delivery.transcript.taken
        return Told(delivery.verdict(None))

    def _refuse(self, transaction: Transaction, refusal: SmtpError) -> Dialogue[None]:
        """Tell that a transaction cannot go this way, after the verdicts of those before it."""
        yield from self._hear(0)
        transcript = Transcript(len(transaction.recipients))
        yield Told(Verdict(transaction, transcript, refusal))


class _Delivery:
    """One transaction under way: its command lines, and what is known of it."""

    __slots__ = (
        "_transaction", "commands", "full", "go_ahead", "handed_over", "transcript", "trouble",
    )  # fmt: skip

    def __init__(self, transaction: Transaction, extensions: Extensions) -> None:
        self._transaction = transaction
        mail, recipients = format_envelope(extensions, transaction)
        self.commands = [(mail, phases.MAIL, 0)]
        self.commands += [(line, phases.RCPT, index) for index, line in enumerate(recipients)]
        self.transcript = Transcript(len(recipients))
        self.handed_over = Mark()
        self.full = False  # the server takes no more recipients in this transaction
        self.go_ahead = False
        self.trouble: Exception | None = None  # what the message's source raised

    def read(self, blocks_of: Callable[[Iterable[bytes]], Iterator[T]]) -> Iterator[T]:
        """Yield the message in blocks for the wire; a source that fails ends it with `trouble`."""
        try:
            yield from blocks_of(self._transaction.chunks())
        except Exception as error:
            self.trouble = error

    @property
    def binary(self) -> bool:
        """True when the message must arrive as it is."""
        return self._transaction.body == b"BINARYMIME"

    @property
    def hopeless(self) -> bool:
        """True when, by what is known, nobody will have the message."""
        transcript = self.transcript
        refused = transcript.data is not None and transcript.data.code >= 400
        return refused or transcript.refused or not transcript.any_accepted

    def note(self, reply: Reply, phase: Phase, index: int) -> None:
        """Note an answer; raise `SmtpError` for one that ends the session."""
        transcript = self.transcript
        if phase is phases.RCPT:
            if not transcript.refused:  # after a refused MAIL they are noise
                self.full = _judge_recipient(reply, index, transcript) or self.full
        elif phase is phases.MAIL:
            transcript.mail = _verdict(reply, phase)
        elif phase is phases.DATA:
            self.go_ahead = reply.code == 354
            if transcript.any_accepted:
                transcript.data = reply
                if reply.code < 400 and not self.go_ahead:
                    raise reply_error(reply, phase.command)
        elif phase is phases.CHUNK:
            if _verdict(reply, phase).code >= 400 and not self.hopeless:
                transcript.data = reply
        elif reply.code >= 300:
            raise reply_error(reply, phase.command)

    def verdict(self, trouble: Exception | None) -> Verdict:
        """Return what is known by now; `trouble` is why no more will be."""
        transcript = self.transcript
        unknown = any(
            transcript.verdict(index) is None for index in range(len(transcript.recipients))
        )
        # Who said something instead of the verdict has not taken the message.
        doubtful = unknown and self.handed_over.passed and not isinstance(trouble, ReplyError)
        return Verdict(
            self._transaction, transcript, self.trouble or trouble, may_be_duplicate=doubtful
        )


def _say_chunk(command: bytes, block: bytes) -> Dialogue[None]:
    yield command % len(block)
    if block:
        yield Chunk(block)


def _judge_recipient(reply: Reply, index: int, transcript: Transcript) -> bool:
    """Note the answer to one RCPT; return True when the transaction takes no more recipients."""
    transcript.recipients[index] = _verdict(reply, phases.RCPT)
    too_many = reply.code in (452, 552) and reply.enhanced in (b"", b"4.5.3", b"5.5.3")
    if not (too_many and transcript.any_accepted):
        return False
    # RFC 5321 section 4.5.3.1.10: finish with those accepted; the rest is for another transaction.
    for later in range(index + 1, len(transcript.recipients)):
        transcript.recipients[later] = reply
    return True


def _verdict(reply: Reply, phase: Phase) -> Reply:
    """Return an acceptance or refusal; raise `ProtocolError` for 3yz, which is neither."""
    if 300 <= reply.code < 400:
        raise reply_error(reply, phase.command)
    return reply
