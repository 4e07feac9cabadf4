"""The conversations of an SMTP client, as generators without I/O.

Theory. An SMTP session is sequential, so each conversation is written as what it is: a function
that says something, waits, looks at the answer and goes on. A generator is such a function with
the I/O taken out. It yields `steps`: octets to be written, or the phase in which it waits for the
next reply; its program counter is the protocol state, and no other state exists. Who runs it
(`client.Client` over blocking streams, a test over a script) is not its business.

Pipelining (RFC 2920) needs no machinery here: a dialogue yields several commands joined into one
chunk and then waits as many times. The order of the code is the pairing of commands and replies.

A refusal that is a verdict about a message or a recipient goes into the `Transcript`; a refusal of
anything else is raised as `TransientError` or `PermanentError`. Two rules hold everywhere and are
kept by the driver: a 421 is raised as `TransientError` whatever it answers, and trouble of the
connection is thrown into the dialogue. An answer that no server may give at that point (250 to
DATA, 354 to MAIL) is a `ProtocolError`; otherwise only the first digit decides.
"""

from __future__ import annotations

from . import phases
from .arguments import format_hello
from .errors import ProtocolError, SmtpError, TransientError
from .extensions import Extensions, parse_extensions
from .reply import Reply, reply_error
from .steps import Body
from .transcript import Transcript

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .phases import Phase
    from .steps import Dialogue

# Commands under way at once. A server that reads nothing before it has written its answers needs
# room for them; a hundred short replies fit in any socket buffer (RFC 2920 section 3.1).
GROUP = 100

# EHLO not understood, or its argument disliked: worth a HELO. Any other refusal, such as 521 or
# 554, is meant for us and not for the verb (RFC 5321 sections 3.2 and 4.3.2).
_EHLO_UNKNOWN = (500, 501, 502, 504, 550)


def greeting() -> Dialogue[Reply]:
    """Wait for the greeting; nothing may be sent before it (RFC 5321 section 4.3.1)."""
    reply: Reply = yield phases.GREETING
    return _positive(reply, phases.GREETING)


def hello(host: bytes) -> Dialogue[Extensions]:
    """Say EHLO, and HELO to a server that knows no EHLO; return what is offered."""
    yield format_hello(b"EHLO", host)
    reply: Reply = yield phases.HELLO
    if reply.code not in _EHLO_UNKNOWN:
        return parse_extensions(_positive(reply, phases.HELLO).lines)
    yield format_hello(b"HELO", host)
    reply = yield phases.HELLO
    return Extensions(_positive(reply, phases.HELLO).lines)


def starttls() -> Dialogue[Reply]:
    """Ask for TLS; on return the very next octets must be TLS (RFC 3207)."""
    yield b"STARTTLS\r\n"
    reply: Reply = yield phases.STARTTLS
    if reply.code != 220:
        raise reply_error(reply, phases.STARTTLS.command)
    return reply


def command(line: bytes, phase: Phase = phases.OTHER, verb: bytes = b"") -> Dialogue[Reply]:
    """Say one complete command line and return its reply 2yz or 3yz."""
    yield line
    reply: Reply = yield phase
    if reply.code >= 400:
        raise reply_error(reply, verb or phase.command)
    return reply


def mail(line: bytes) -> Dialogue[Reply]:
    """Open a transaction; refusals are raised."""
    yield line
    reply: Reply = yield phases.MAIL
    return _positive(reply, phases.MAIL)


def rcpt(line: bytes) -> Dialogue[Reply]:
    """Name one recipient; refusals are raised."""
    yield line
    reply: Reply = yield phases.RCPT
    if reply.code == 552:
        # "Too many recipients" of old servers: RFC 5321 section 4.5.3.1.10 has it read as 452.
        raise TransientError(reply, phases.RCPT.command)
    return _positive(reply, phases.RCPT)


def data(blocks: Iterable[bytes], transcript: Transcript) -> Dialogue[Reply]:
    """Send the message of an open transaction; return the reply that decided."""
    transcript.reset_needed = True
    try:
        yield b"DATA\r\n"
        reply: Reply = yield phases.DATA
        transcript.data = reply
        if _is_go_ahead(reply):
            reply = yield from _content(blocks, transcript)
    except SmtpError as trouble:
        trouble.session_usable = False
        trouble.transcript = transcript
        raise
    return reply


def transaction(
    mail: bytes,
    recipients: Sequence[bytes],
    blocks: Iterable[bytes],
    *,
    pipelining: bool,
    reset: bool = False,
) -> Dialogue[Transcript]:
    """Hand over one message: `mail` and `recipients` are command lines, `blocks` the wire's octets.

    With `reset` an RSET goes first, to end what an earlier transaction left open. Troubles of the
    session carry the transcript, so that the verdicts given before them stand.
    """
    transcript = Transcript(len(recipients))
    envelope = _envelope_in_groups if pipelining else _envelope_step_by_step
    try:
        going_ahead = yield from envelope(mail, recipients, transcript, reset)
        if going_ahead:
            yield from _content(blocks, transcript)
    except SmtpError as trouble:
        trouble.session_usable = False  # replies may still be under way
        trouble.transcript = transcript
        raise
    return transcript


def quit() -> Dialogue[None]:
    """Take leave; whatever comes or does not come in answer, the conversation is over."""
    try:
        yield b"QUIT\r\n"
        yield phases.QUIT
    except SmtpError:
        pass  # the server closed first, said nothing or said nonsense: all the same to us now


def farewell() -> Dialogue[None]:
    """Take leave of a server whose answer nobody will read."""
    yield b"QUIT\r\n"


def _envelope_step_by_step(
    mail: bytes, recipients: Sequence[bytes], transcript: Transcript, reset: bool
) -> Dialogue[bool]:
    """Say each command after the answer to the one before; return True when data may flow."""
    if reset:
        yield from command(b"RSET\r\n", phases.RESET)
    yield mail
    transcript.mail = yield phases.MAIL
    # From here a refusal anywhere leaves it open whether the server holds a transaction.
    transcript.reset_needed = True
    if not _is_accepted(transcript.mail, phases.MAIL):
        return False
    for index, recipient in enumerate(recipients):
        yield recipient
        if _judge_recipient((yield phases.RCPT), index, transcript):
            break
    if not transcript.any_accepted:
        return False
    yield b"DATA\r\n"
    transcript.data = yield phases.DATA
    return _is_go_ahead(transcript.data)


def _envelope_in_groups(
    mail: bytes, recipients: Sequence[bytes], transcript: Transcript, reset: bool
) -> Dialogue[bool]:
    """Say the whole envelope at once, in groups if it is long; return True when data may flow.

    Every reply of a group is read and paired, also after a refusal (RFC 2920 section 3.1).
    """
    opening = b"RSET\r\n" + mail if reset else mail
    for start in range(0, len(recipients), GROUP):
        end = start + GROUP
        last = end >= len(recipients)
        yield b"".join((opening, *recipients[start:end], b"DATA\r\n" if last else b""))
        if opening:
            opening = b""
            if reset:
                _positive((yield phases.RESET), phases.RESET)
            transcript.mail = yield phases.MAIL
            transcript.reset_needed = True
            mail_accepted = _is_accepted(transcript.mail, phases.MAIL)
        full = False
        for index in range(start, min(end, len(recipients))):
            reply: Reply = yield phases.RCPT
            # After a refused MAIL the answers to RCPT are noise, but they must be read.
            full = (mail_accepted and _judge_recipient(reply, index, transcript)) or full
        if not last and not mail_accepted:
            return False
        if not last and full:
            yield b"DATA\r\n"
            break
    return (yield from _read_go_ahead(transcript, mail_accepted))


def _read_go_ahead(transcript: Transcript, mail_accepted: bool) -> Dialogue[bool]:
    """Read the answer to a DATA that was sent before its envelope was judged."""
    reply: Reply = yield phases.DATA
    if mail_accepted and transcript.any_accepted:
        transcript.data = reply
        return _is_go_ahead(reply)
    if reply.code == 354:
        # The server wants a message for nobody. A lone dot is the only way to end this; what is
        # answered is no verdict, for the refusals have been (RFC 2920 section 3.1).
        yield Body(b".\r\n")
        reply = yield phases.DATA
        # An empty message taken after MAIL was refused: this server cannot be followed any more.
        transcript.session_over = not mail_accepted and reply.code < 400
    return False


def _content(blocks: Iterable[bytes], transcript: Transcript) -> Dialogue[Reply]:
    """Send the message after 354; return the verdict."""
    for block in blocks:
        early: Reply | None = yield Body(block)
        if early is not None:
            # The server judged in the middle; whether it still counts our octets is its secret.
            if early.code < 400:
                raise ProtocolError("the message was accepted before its end", early.lines[0])
            transcript.final = early
            transcript.session_over = True
            return early
    reply: Reply = yield phases.FINAL
    if 300 <= reply.code < 400:
        trouble = ProtocolError("the end of data got an answer of another command", reply.lines[0])
        trouble.after_end_of_data = True
        raise trouble
    transcript.final = reply
    # A refused message should end its transaction too (RFC 5321 section 4.1.1.4), but Postfix keeps
    # it open when a policy refused the end of data, and answers the next MAIL with 503.
    transcript.reset_needed = reply.code >= 400
    return reply


def _judge_recipient(reply: Reply, index: int, transcript: Transcript) -> bool:
    """Note the answer to one RCPT; return True when the transaction takes no more recipients."""
    _is_accepted(reply, phases.RCPT)
    transcript.recipients[index] = reply
    too_many = reply.code in (452, 552) and reply.enhanced in (b"", b"4.5.3", b"5.5.3")
    if not (too_many and transcript.any_accepted):
        return False
    # RFC 5321 section 4.5.3.1.10: finish with those accepted; the rest is for another transaction.
    for later in range(index + 1, len(transcript.recipients)):
        transcript.recipients[later] = reply
    return True


def _is_accepted(reply: Reply, phase: Phase) -> bool:
    """Tell acceptance from refusal; raise `ProtocolError` for 3yz, which is neither."""
    if 300 <= reply.code < 400:
        raise reply_error(reply, phase.command)
    return reply.code < 300


def _is_go_ahead(reply: Reply) -> bool:
    """Only 354 lets data flow; raise `ProtocolError` for any other answer that is no refusal."""
    if reply.code < 400 and reply.code != 354:
        raise reply_error(reply, phases.DATA.command)
    return reply.code == 354


def _positive(reply: Reply, phase: Phase) -> Reply:
    """Return a reply 2yz; raise the error that any other one means."""
    if reply.code >= 300:
        raise reply_error(reply, phase.command)
    return reply
