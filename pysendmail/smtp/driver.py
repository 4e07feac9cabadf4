"""The blocking driver: carries out the steps of a dialogue over two streams.

It owns the reply parser and the clock. What it guarantees:

- What a dialogue says before it waits is written at once, as far as that is sensible.
- A reply is awaited only so long as its phase and the caller's deadline allow, however slowly its
  octets drip in.
- While we write, a server that speaks up is listened to, if the streams can tell (`arrived`); so
  neither side ever waits for the other to read. One that answers in the middle of a message is
  sent no more of it, nor of anything else; an answer that was there, whole or in part, before the
  message's end was written never counts as its acceptance.
- When writing fails, what the server said before it hung up is still read, for it tells why.
- What was said as a `Secret` is seen in no reply, error or trace, though the server say it back.
- 421 in answer to anything is raised as `TransientError`, and octets that answer nothing as
  `ProtocolError`.
- After any of these `broken` is set.

The streams raise `OSError`, `TimeoutError` among them; a dialogue only meets `SmtpError`, and only
where it waits.
"""

from __future__ import annotations

from . import phases
from .errors import (
    ConnectionLost,
    ProtocolError,
    SmtpError,
    TimedOut,
    TransientError,
    UsageError,
)
from .outbox import Outbox
from .reply import Reply, ReplyParser
from .secrecy import Secrecy
from .steps import Body, Chunk, Mark, Secret, Told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from typing import Any, TypeVar

    from .phases import Phase, Timeouts
    from .steps import Dialogue

    T = TypeVar("T")

READ_OCTETS = 16 * 1024
# So much is collected before it is written though the dialogue has not come to wait yet.
WRITE_OCTETS = 64 * 1024
# When writing has failed, the reason the server gave is here already or never comes.
LAST_WORDS_SECONDS = 5.0


class Driver:
    """Performs dialogues over `reader` and `writer`; see `client` for what these must do."""

    def __init__(
        self,
        reader: Any,
        writer: Any,
        set_timeout: Callable[[float], None] | None,
        timeouts: Timeouts,
        clock: Callable[[], float],
        trace: Callable[[bytes, bytes], None] | None,
    ) -> None:
        self._read: Callable[[int], bytes] = getattr(reader, "read1", None) or reader.read
        self._arrived: Callable[[], bytes | None] | None = getattr(reader, "arrived", None)
        self._write_some: Callable[[memoryview], int | None] = writer.write
        self._flush: Callable[[], None] | None = getattr(writer, "flush", None)
        self._set_timeout = set_timeout
        self._timeouts = timeouts
        self._clock = clock
        self._trace = trace
        self._secrecy = Secrecy()
        self._parser = ReplyParser(self._secrecy)
        self._outbox = Outbox()
        self._early: Reply | None = None  # an answer to the message, given before its end
        self._early_used = False
        self._early_begun = False  # a part of it was here before the message's end
        self._trouble: SmtpError | None = None  # why nothing can be written any more
        self._unspoken = True  # the dialogue in hand has neither said nor awaited anything
        self.broken = False
        self.deadline: float | None = None

    @property
    def hears_while_writing(self) -> bool:
        """True when the streams can tell what has arrived without waiting for it."""
        return self._arrived is not None

    def perform(self, dialogue: Dialogue[T]) -> T:
        """Run `dialogue` to its end and return its result."""
        run = self.converse(dialogue)
        while True:
            try:
                next(run)
            except StopIteration as end:
                result: T = end.value
                return result

    def converse(self, dialogue: Dialogue[T]) -> Generator[Any, None, T]:
        """Run `dialogue`, yielding what it tells; return its result.

        What is told is yielded where the dialogue has to wait: whoever hears it may take his time
        while the server is at work. Who leaves before the end leaves the session broken.
        """
        if self.broken:
            raise UsageError("the session is over")
        self._unspoken = True
        told: list[Any] = []
        answer: Reply | bool | None
        try:
            step = next(dialogue)
            while True:
                answer = None
                try:
                    if isinstance(step, phases.Phase):
                        if told and not self._parser.has_line:
                            self._write_out()
                            yield from _taken_from(told)
                        answer = self._reply(step)
                    elif isinstance(step, Told):
                        told.append(step.value)
                    else:
                        answer = self._say(step)
                except SmtpError as trouble:
                    self.broken = True
                    self._outbox = Outbox()  # nothing is said any more
                    step = dialogue.throw(trouble)
                else:
                    step = dialogue.send(answer)
        except StopIteration as end:
            self._write_out()  # said, and no answer awaited
            self.broken = self.broken or self._trouble is not None
            yield from _taken_from(told)
            result: T = end.value
            return result
        except GeneratorExit:
            self.broken = True  # the server is in the middle of something
            raise
        except BaseException as error:
            if not getattr(error, "session_usable", False):
                self.broken = True
            yield from _taken_from(told)
            raise

    def start_tls(self, start: Callable[[], None]) -> None:
        """Turn the streams to TLS by `start`; a handshake that fails ends the session."""
        if self._parser.leftover:
            self.broken = True
            # What was sent in clear must never count as said under TLS (CVE-2011-0411).
            raise ProtocolError("octets in clear behind the answer to STARTTLS")
        try:
            self._allow(self._until(phases.TLS))
            start()
        except TimeoutError:
            self.broken = True
            raise TimedOut(phases.TLS.phrase) from None
        except BaseException:
            self.broken = True
            raise

    def is_quiet(self) -> bool:
        """Tell whether the session is sound and the server silent; otherwise it is broken now."""
        if not self.broken:
            try:
                self._expect_silence()
            except SmtpError:
                self.broken = True
        return not self.broken

    def _say(self, step: bytes | Secret | Body | Chunk | Mark) -> bool | None:
        """Collect what a step says; of a message's octets, tell whether no more are wanted."""
        if isinstance(step, bytes):
            if self._trace is not None:
                _show_commands(step, self._trace)
            self._put(step)
        elif isinstance(step, Mark):
            if self._trouble is None:
                self._outbox.mark(step)
        elif isinstance(step, Secret):
            self._keep_secret(step)
            if self._trace is not None:
                self._trace(b"C", step.octets[: step.shown] + b" ***")
            self._put(step.octets)
        else:
            if self._trace is not None:
                self._trace(b"C", b"[%d octets of message]" % len(step.octets))
            self._put(step.octets, message=isinstance(step, Body))
            return self._trouble is not None
        return None

    def _keep_secret(self, line: Secret) -> None:
        """See to it that the server's echo of a login is shown to nobody, now and later."""
        self._secrecy.add_line(line.octets[line.shown :])
        for secret in line.carried:
            self._secrecy.add_secret(secret)

    def _put(self, octets: bytes, *, message: bool = False) -> None:
        """Collect what is to be written; write it when it is much."""
        if self._trouble is None and not self.broken:
            self._outbox.put(octets, message=message)
            if self._outbox.size >= WRITE_OCTETS:
                self._write_out()

    def _write_out(self) -> None:
        """Write all that was collected, or less and keep the trouble or the early answer.

        Replies that come meanwhile are kept for those who await them. Trouble is kept as well: the
        dialogue's next wait reads what the server said before it.
        """
        if self._outbox.empty:
            return
        if self._unspoken:
            self._unspoken = False
            self._expect_silence()
        outbox, self._outbox = self._outbox, Outbox()
        octets = outbox.octets()
        phase = phases.BLOCK if outbox.message_end else phases.COMMANDS
        rest = memoryview(octets)
        try:
            if outbox.message_end:
                self._expect_no_answer()
            while rest and self._trouble is None:
                self._allow(self._until(phase))
                written = self._write_some(rest)
                if written:
                    rest = rest[written:]
                elif self._listen() and len(octets) - len(rest) < outbox.message_end:
                    self._note_early_answer()
            if self._flush is not None and self._trouble is None:
                self._flush()
        except TimeoutError:
            self._trouble = TimedOut(phase.phrase)
        except OSError as error:
            self._trouble = ConnectionLost(phase.phrase, reason=str(error))
        finally:
            outbox.written(len(octets) - len(rest))

    def _expect_no_answer(self) -> None:
        """Look, before more of a message is written, whether the server has answered it already.

        All that was said before the message has been answered, so whatever is here is for it.
        """
        if self._arrived is not None:
            self._listen()
        if self._parser.leftover:
            self._note_early_answer()

    def _note_early_answer(self) -> None:
        """Stop writing when the server has answered in the middle of a message."""
        reply = self._parser.next()
        self._early_begun = reply is None
        if reply is not None:
            self._take_early(reply)

    def _take_early(self, reply: Reply) -> None:
        self._early = reply
        # Whether it still counts our octets is its secret.
        self._trouble = ConnectionLost(
            phases.BLOCK.phrase, reason="answered before the end of the message"
        )

    def _listen(self) -> bool:
        """Take in what the server says while we write; return True when it said something."""
        if self._arrived is None:
            raise BlockingIOError("the stream took nothing")
        octets = self._arrived()
        if octets is None:
            return False
        if not octets:
            raise ConnectionResetError("closed by the server")
        self._parser.feed(octets)
        return True

    def _expect_silence(self) -> None:
        """Raise when the server has spoken or left while nothing was asked of it."""
        try:
            if self._arrived is not None:
                self._listen()
        except OSError as error:
            raise ConnectionLost(phases.IDLE.phrase, reason=str(error)) from error
        if self._parser.leftover:
            reply = self._parser.next()
            if reply is not None:
                reply = self._heed(reply, phases.IDLE)
            raise ProtocolError("the server spoke unasked", reply.lines[0] if reply else b"")

    def _reply(self, phase: Phase) -> Reply:
        self._write_out()
        self._unspoken = False
        if self._early is not None:
            return self._early_reply(self._early, phase)
        try:
            reply = self._parser.next()  # it may have come with the one before
            if reply is None:
                reply = self._await_reply(phase)
        except ProtocolError as error:
            error.after_end_of_data = phase.after_end_of_data and self._trouble is None
            raise
        if self._early_begun:
            self._take_early(reply)
            return self._early_reply(reply, phase)
        return self._heed(reply, phase)

    def _await_reply(self, phase: Phase) -> Reply:
        """Read until a whole reply is here."""
        until = self._until(phase)
        if self._trouble is not None:
            until = min(until, self._clock() + LAST_WORDS_SECONDS)
        while True:
            self._receive(phase, until)
            reply = self._parser.next()
            if reply is not None:
                return reply

    def _early_reply(self, reply: Reply, phase: Phase) -> Reply:
        """Return the answer that came before the end of the message, the last one that counts."""
        if self._early_used:
            assert self._trouble is not None  # noqa: S101 - set where the answer was noted
            raise self._trouble
        self._early_used = True
        heeded = self._heed(reply, phase)
        if heeded.code < 400:
            trouble = ProtocolError("the message was accepted before its end", heeded.lines[0])
            trouble.after_end_of_data = self._early_begun and phase.after_end_of_data
            raise trouble
        return heeded

    def _heed(self, reply: Reply, phase: Phase) -> Reply:
        """Return the reply as it may be seen, unless it is 421: then the server closes.

        RFC 5321 section 3.8. A challenge stays as it is: only the mechanism sees it.
        """
        if not (self._secrecy.empty or _is_challenge(reply, phase)):
            reply = Reply(reply.code, tuple(map(self._secrecy.hide, reply.lines)))
        if self._trace is not None:
            _show_reply(reply, phase, self._trace)
        if reply.code == 421:
            farewell = TransientError(reply, phase.command)
            farewell.session_usable = False
            raise farewell
        return reply

    def _receive(self, phase: Phase, until: float) -> None:
        """Read once into the parser; raise when there is nothing more to come."""
        try:
            self._allow(until)
            octets = self._read(READ_OCTETS)
        except TimeoutError:
            raise self._trouble or TimedOut(phase.phrase, phase.after_end_of_data) from None
        except OSError as error:
            raise self._trouble or ConnectionLost(
                phase.phrase, phase.after_end_of_data, str(error)
            ) from error
        if not octets:
            raise self._trouble or ConnectionLost(phase.phrase, phase.after_end_of_data)
        self._parser.feed(octets)

    def _until(self, phase: Phase) -> float:
        """Return when `phase`, beginning now, has to be over."""
        until = self._clock() + self._timeouts.seconds(phase)
        return until if self.deadline is None else min(until, self.deadline)

    def _allow(self, until: float) -> None:
        """Bound the next call of a stream; raise `TimeoutError` when the time is over."""
        seconds = until - self._clock()
        if seconds <= 0:
            raise TimeoutError
        if self._set_timeout is not None:
            self._set_timeout(seconds)


def _show_commands(octets: bytes, trace: Callable[[bytes, bytes], None]) -> None:
    for line in octets.removesuffix(b"\r\n").split(b"\r\n"):
        trace(b"C", line)


def _show_reply(reply: Reply, phase: Phase, trace: Callable[[bytes, bytes], None]) -> None:
    lines = (b"***",) if _is_challenge(reply, phase) else reply.lines
    for number, line in enumerate(lines, start=1):
        mark = b" " if number == len(lines) else b"-"
        trace(b"S", b"%d%s%s" % (reply.code, mark, line))


def _is_challenge(reply: Reply, phase: Phase) -> bool:
    """Tell whether the mechanism of a login has to answer `reply` (RFC 4954 section 4)."""
    return reply.code == 334 and phase is phases.AUTH


def _taken_from(told: list[Any]) -> Iterator[Any]:
    """Yield one after the other, and take it away."""
    while told:
        yield told.pop(0)
