"""The replies of the server: their octets, and those that are always the same.

A reply is the `Reply` that a client would read. Its text begins with an enhanced status (RFC 3463,
RFC 2034), which a client that said HELO is not shown. What goes out is printable ASCII in lines
short enough for any client (RFC 5321 section 4.5.3.1.5), whoever wrote it.
"""

from __future__ import annotations

from ..reply import Reply

# With code, blank and CR LF a line has at most 512 octets.
TEXT_LIMIT = 500

_AS_TEXT = bytes(octet if 32 <= octet < 127 else ord("?") for octet in range(256))

OK = Reply(250, (b"2.0.0 Ok",))
BYE = Reply(221, (b"2.0.0 Bye",))
GO_AHEAD = Reply(354, (b"End data with <CR><LF>.<CR><LF>",))
WILL_TRY = Reply(252, (b"2.5.2 Cannot VRFY user, but will take a message for it",))
HELP = Reply(214, (
    b"2.0.0 Commands: HELO EHLO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT",
    b"2.0.0 See RFC 5321.",
))  # fmt: skip
LOGGED_IN = Reply(235, (b"2.7.0 Authentication successful",))
NO_ROOM = Reply(452, (b"4.3.1 No room for the message now",))


class Refusal(Exception):
    """A command that is answered with a refusal: `reply` says which."""

    def __init__(self, code: int, text: bytes) -> None:
        super().__init__(code, text)
        self.reply = Reply(code, (text,))


def too_large(limit: int) -> Reply:
    """Return the refusal of a message of more than `limit` octets (RFC 1870 section 6)."""
    return Reply(552, (b"5.3.4 Message larger than %d octets" % limit,))


def format_reply(reply: Reply, *, enhanced: bool) -> bytes:
    """Return the octets of a reply, with or without the enhanced status before each line."""
    status = reply.enhanced + b" "
    lines = [
        line.removeprefix(status) if len(status) > 1 and not enhanced else line
        for line in reply.lines
    ]
    code = b"%d" % reply.code
    texts = [line.translate(_AS_TEXT)[:TEXT_LIMIT] for line in lines]
    first = [code + b"-" + text for text in texts[:-1]]
    return b"\r\n".join([*first, code + b" " + texts[-1], b""])
