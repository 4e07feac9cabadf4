"""The conversations of an SMTP client, as generators without I/O.

Theory. An SMTP session is sequential, so each conversation is written as what it is: a function
that says something, waits, looks at the answer and goes on. A generator is such a function with
the I/O taken out; its program counter is the protocol state, and no other state exists. The work
is divided in three, and each part knows only what is written beside it:

    dialogue     what is said and what an answer means; yields `steps`
    driver       when octets are written and read: collects what is said before a wait, makes
                 replies of octets, keeps timeouts and deadline; commands mean nothing to it
    transport    how octets travel: socket, pipe, TLS, proxy; of SMTP it knows nothing

Pairing. SMTP numbers neither commands nor replies, so a reply answers the oldest command that has
no answer yet. The order of the code is that pairing: whoever yields a command has to wait for it
as many times as it will be answered, in the order said. Pipelining (RFC 2920) needs no machinery:
a dialogue yields several commands and waits behind them. Whatever leaves the pairing in doubt (an
octet that answers nothing, a wait that was given up) therefore ends the session.

No deadlock. Two who write while neither reads stand still as soon as the buffers between them are
full. So the driver hears while it writes, where the streams can tell what has arrived; where they
cannot, no dialogue may have more commands under way than buffers have room for their answers
(`stream.COMMANDS`).

A break. Trouble of the connection is thrown into the dialogue where it waits, with all replies
that had come before it delivered first, since those stand. What a break means for messages that
are under way is told in `stream`.

A refusal is raised as `TransientError` or `PermanentError`; 421 is raised by the driver, whatever
it answers. An answer that no server may give at that point (250 to DATA, 354 to MAIL) is a
`ProtocolError`; otherwise only the first digit decides.

Here are the conversations of one question each. Whole transactions, any number of them, are
`stream`'s, where a refusal becomes part of a verdict.
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
    from collections.abc import Collection, Iterable

    from .phases import Phase
    from .steps import Dialogue

# EHLO not understood, or its argument disliked: worth a HELO. Any other refusal, such as 521 or
# 554, is meant for us and not for the verb (RFC 5321 sections 3.2 and 4.3.2).
_EHLO_UNKNOWN = (500, 501, 502, 504, 550)


def greeting() -> Dialogue[Reply]:
    """Wait for the greeting; nothing may be sent before it (RFC 5321 section 4.3.1)."""
    reply: Reply = yield phases.GREETING
    return _positive(reply, phases.GREETING)


def hello(
    host: bytes, *, verb: bytes = b"EHLO", ignored: Collection[bytes] = ()
) -> Dialogue[Extensions]:
    """Say EHLO, and HELO to a server that knows no EHLO; return what is offered.

    `verb` is `LHLO` for LMTP, where nothing else will do (RFC 2033 section 4.1).
    """
    yield format_hello(verb, host)
    reply: Reply = yield phases.HELLO
    if reply.code not in _EHLO_UNKNOWN or verb != b"EHLO":
        return parse_extensions(_positive(reply, phases.HELLO).lines, ignored)
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


def command(
    line: bytes, phase: Phase = phases.OTHER, verb: bytes = b"", *, refusal: int = 300
) -> Dialogue[Reply]:
    """Say one complete command line and return its reply; from the code `refusal` on it is raised.

    A 3yz asks for more, and none of the commands of RFC 5321 but DATA has more to say.
    """
    yield line
    reply: Reply = yield phase
    if reply.code >= refusal:
        raise reply_error(reply, verb or phase.command)
    return reply


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
    yield b"DATA\r\n"
    reply: Reply = yield phases.DATA
    transcript.data = reply
    if reply.code >= 400:
        return reply
    if reply.code != 354:
        raise reply_error(reply, phases.DATA.command)
    for block in blocks:
        if (yield Body(block)):
            break
    reply = yield phases.FINAL
    transcript.final = final(reply)
    return reply


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


def final(reply: Reply) -> Reply:
    """Return the answer to the end of data; that of another command leaves all in doubt."""
    if 300 <= reply.code < 400:
        trouble = ProtocolError("the end of data got an answer of another command", reply.lines[0])
        trouble.after_end_of_data = True
        raise trouble
    return reply


def _positive(reply: Reply, phase: Phase) -> Reply:
    """Return a reply 2yz; raise the error that any other one means."""
    if reply.code >= 300:
        raise reply_error(reply, phase.command)
    return reply
