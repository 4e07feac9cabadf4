"""The AUTH dialogue: carries a SASL mechanism over SMTP (RFC 4954 section 4).

Guarantees: an initial response is sent where it fits into a command line; challenges are decoded
strictly; an exchange that our side gives up is cancelled with `*`, after which the session can go
on; the number of rounds is bounded; every line but the first words is marked secret, and so are
password and token, for a server that says them back. A refusal by
the server is raised as `TransientError` or `PermanentError` charged to AUTH, with what the server
had complained of before as its `detail`; what our side cannot accept is an `AuthenticationError`.
"""

from __future__ import annotations

from binascii import Error as Undecodable
from binascii import a2b_base64, b2a_base64

from .. import phases
from ..errors import AuthenticationError, ProtocolError, ReplyError, SmtpError
from ..reply import Reply, reply_error
from ..steps import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..steps import Dialogue
    from .mechanism import Exchange, Mechanism

MAX_ROUNDS = 16
# RFC 4954 section 4 forbids an initial response in a line longer than RFC 5321 allows.
MAX_AUTH_LINE = 512


def authenticate(mechanism: Mechanism) -> Dialogue[Reply]:
    """Log in by `mechanism`; return the reply 235."""
    mechanism.complaint = ""
    exchange = mechanism.exchange()
    initial = next(exchange)
    command = b"AUTH " + mechanism.name
    line = command if initial is None else command + b" " + _encoded(initial, b"=")
    held: bytes | None = None  # a first response that has to wait for an empty challenge
    if len(line) + 2 > MAX_AUTH_LINE:
        held, line = initial, command
    carried = (mechanism.credentials.password, mechanism.credentials.token)
    yield Secret(line + b"\r\n", len(command), carried)
    for _ in range(MAX_ROUNDS):
        reply: Reply = yield phases.AUTH
        if reply.code == 235:
            return _succeed(reply, exchange)
        if reply.code != 334:
            raise _refusal(reply, mechanism)
        if held is not None:
            # Some servers put text here where RFC 4954 wants none; the mechanism is not asked.
            response, held = held, None
        else:
            try:
                response = _respond(reply, exchange)
            except AuthenticationError as refusal:
                refusal.session_usable = yield from _cancel()
                raise
        yield Secret(_encoded(response, b"") + b"\r\n", carried=carried)
    raise ProtocolError("the login does not come to an end")


def _respond(reply: Reply, exchange: Exchange) -> bytes:
    """Return the mechanism's response to a challenge, or raise `AuthenticationError`."""
    if len(reply.lines) != 1:
        raise AuthenticationError("a challenge of several lines")
    try:
        challenge = a2b_base64(reply.lines[0], strict_mode=True)
    except Undecodable:
        raise AuthenticationError("a challenge that is not base64") from None
    try:
        response = exchange.send(challenge)
    except StopIteration:
        raise AuthenticationError("a challenge after the end of the exchange") from None
    return response or b""


def _succeed(reply: Reply, exchange: Exchange) -> Reply:
    """Return the 235 if the mechanism is content with it."""
    try:
        exchange.send(None)
    except StopIteration:
        return reply
    except AuthenticationError as refusal:
        # The server believes that we are logged in, and we do not believe the server.
        refusal.session_usable = False
        raise
    raise AuthenticationError("success before the end of the exchange", session_usable=False)


def _refusal(reply: Reply, mechanism: Mechanism) -> SmtpError:
    refusal = reply_error(reply, phases.AUTH.command)
    if isinstance(refusal, ReplyError):
        refusal.detail = mechanism.complaint
    return refusal


def _cancel() -> Dialogue[bool]:
    """Give the exchange up; return True when the server agrees by 501 (RFC 4954 section 4)."""
    try:
        yield b"*\r\n"
        reply: Reply = yield phases.AUTH
    except SmtpError:
        return False  # it hung up or made no sense; why we gave up is what has to be told
    return reply.code >= 500


def _encoded(response: bytes, empty: bytes) -> bytes:
    return b2a_base64(response, newline=False) or empty
