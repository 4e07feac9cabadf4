"""The server's side of SMTP: one session, free of I/O.

    session = Session(Profile(b"host.example.org"), new_content)
    write(session.take_replies())
    while not session.closed and (octets := read()):
        session.feed(octets)
        while (transaction := session.next_message()) is not None:
            write(session.take_replies())
            session.answer(Reply(250, (b"2.0.0 Ok: queued as 1",)))
        write(session.take_replies())

A small server for programs that hand in mail (RFC 6409), not one for the open network: it relays
what it is given to whoever owns the session, and knows no TLS. `commands`, `content` and `login`
are pure parsers, `transaction` the values they make, `session` the dialogue.
"""

from __future__ import annotations

from .replies import Refusal
from .session import Profile, Session
from .transaction import Transaction

__all__ = ["Profile", "Refusal", "Session", "Transaction"]
