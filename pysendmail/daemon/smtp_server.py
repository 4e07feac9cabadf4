"""The SMTP listener: mail from programs that speak SMTP to a port, and can do nothing else.

Off unless configured, and meant for this machine: who comes from farther away than `listen_for`
says is not served. A message then goes the way of any submission, and its reply is the verdict.
The submitter is the daemon's own user, since nobody knows which one connected; the trace field says
from where, and the log too.

At most `CONNECTIONS` at a time, a share of them for each machine that is not this one. When they
run short, those of whom no message comes are sent away sooner (`smtp_connection`).
"""

from __future__ import annotations

import os
import select
import time

from pysendmail.config.endpoints import LOOPBACK, scope_of, serves
from pysendmail.daemon.acceptor import Acceptor
from pysendmail.daemon.logins import Logins
from pysendmail.daemon.shares import NoRoom
from pysendmail.daemon.smtp_connection import Connection, Patience
from pysendmail.journal import ERROR, WARNING
from pysendmail.message.queue_id import new_queue_id
from pysendmail.smtp.arguments import is_host
from pysendmail.smtp.server import Profile, Refusal, Session
from pysendmail.submission.accept import why_nobody
from pysendmail.submission.exit_status import EX_TEMPFAIL, Refused
from pysendmail.submission.request import Request
from pysendmail.submission.smtp_door import is_address, reply_to, wishes_of
from pysendmail.submission.submitter import Submitter

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from pysendmail.daemon.acceptor import Peer
    from pysendmail.daemon.state import State
    from pysendmail.daemon.submissions import Submissions
    from pysendmail.smtp.reply import Reply
    from pysendmail.smtp.server import Transaction
    from pysendmail.submission.answer import Answer

CONNECTIONS = 64
CONNECTIONS_PER_PEER = 16  # of another machine; from this one all look alike
RECIPIENTS = 1000  # RFC 5321 section 4.5.3.1.8 wants 100
IDLE_S = 300.0  # RFC 5321 section 4.5.3.2.7
FRUITLESS_S = 300.0  # without a message, whatever else is said
SHORT_IDLE_S = 10.0  # when connections run short
SHORT_FRUITLESS_S = 60.0
TELL_AGAIN_S = 600.0  # that connections ran out


class SmtpServer(Acceptor):
    """Serves the listening sockets until it is closed.

    `password` is that of `listen_user`; without a user nobody has to log in.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        state: State,
        submissions: Submissions,
        password: bytes | None,
    ) -> None:
        super().__init__(listeners, state.journal, connections=CONNECTIONS, name="smtp")
        self._state = state
        self._submissions = submissions
        names = [listener.getsockname() for listener in listeners]
        self.addresses = [f"{address} port {port}" for address, port, *_ in names]
        self._turned_away = 0
        self._told = float("-inf")  # when that was last written down
        self._audience = state.config.listen_for
        user = state.config.listen_user
        self._logins = Logins(user, password) if user else None

    def identify(self, connection: socket.socket) -> Peer | None:
        """Return the address of the client, None where it is not of those we are here for."""
        address: str = connection.getpeername()[0]
        if serves(self._audience, address):
            return address
        self._journal.event("", "client refused", priority=WARNING, client=address)
        return None

    def limit(self, peer: Peer) -> int:
        """Return how many connections one client may have."""
        return CONNECTIONS if scope_of(str(peer)) == LOOPBACK else CONNECTIONS_PER_PEER

    def turn_away(self, connection: socket.socket) -> None:
        """Tell the client to come again, and the log from time to time."""
        self._turned_away += 1
        if time.monotonic() - self._told >= TELL_AGAIN_S:
            self._told = time.monotonic()
            self._journal.event(
                "",
                "too many connections by SMTP",
                priority=WARNING,
                client=connection.getpeername()[0],
                refused=self._turned_away,
            )
        connection.setblocking(False)
        connection.send(b"421 4.7.0 Too many connections\r\n")

    def converse(self, connection: socket.socket, peer: Peer) -> None:
        """Speak SMTP with one client."""
        config, address = self._state.config, str(peer)
        logins = self._logins
        profile = Profile(
            config.hostname,
            size=config.message_size,
            recipients=RECIPIENTS,
            login=(lambda *told: self._log_in(logins, address, *told)) if logins else None,
            acceptable=is_address,
            check_recipient=self._check_recipient,
        )
        session = Session(profile, self._submissions.new_content)
        Connection(
            connection,
            session,
            lambda transaction: self._take(transaction, session, address),
            closing=self.closing,
            patience=self._patience,
        ).run()

    def _patience(self) -> Patience:
        if self.served() > CONNECTIONS * 3 // 4:
            return Patience(silent=SHORT_IDLE_S, fruitless=SHORT_FRUITLESS_S)
        return Patience(silent=IDLE_S, fruitless=FRUITLESS_S)

    def _log_in(self, logins: Logins, address: str, user: bytes, password: bytes) -> bool:
        """Tell whether user and password are right; who is wrong is written down, and waits."""
        now = time.monotonic()
        if logins.barred(address, now):
            raise Refusal(454, b"4.7.0 Too many wrong logins, come later")
        if logins.is_right(user, password):
            return True
        self._journal.event("", "wrong login", priority=WARNING, client=address, user=user)
        select.select([self.closing], [], [], logins.note_wrong(address, now))
        return False

    def _check_recipient(self, address: bytes) -> None:
        """Refuse who is unknown here, while the client can still tell which one it was."""
        state = self._state
        try:
            said = why_nobody(address, state.config, state.aliases())
        except OSError:
            return  # the aliases cannot be read now: the end of the message tells
        if said:
            raise Refusal(550, b"5.1.1 " + said)

    def _take(self, transaction: Transaction, session: Session, address: str) -> Reply:
        """Have a message taken, and return the reply."""
        request = Request(queue_id=new_queue_id(), size=transaction.size, **wishes_of(transaction))
        submitter = Submitter(
            os.geteuid(),
            b"nobody",
            b"",
            client=client_of(session.hello, address),
            protocol=protocol_of(session),
        )
        return reply_to(
            lambda: self._submit(request, transaction, submitter, address),
            request.queue_id,
            lambda error: self._journal.event(
                request.queue_id, "internal error", priority=ERROR, said=repr(error)
            ),
        )

    def _submit(
        self, request: Request, transaction: Transaction, submitter: Submitter, address: str
    ) -> Answer:
        try:
            with self._submissions.hold(address) as hold:
                return self._submissions.submit(request, transaction.content, submitter, hold)
        except NoRoom:
            raise Refused(EX_TEMPFAIL, b"too much at a time, try again later") from None


def client_of(hello: bytes, address: str) -> bytes:
    """Return who the client is, for the trace field (RFC 5321 section 4.4): what it said it was,
    where that can stand in a header, and the address it came from.
    """
    literal = ("IPv6:" if ":" in address else "") + address.partition("%")[0]
    return b"%b ([%b])" % (hello if is_host(hello) else b"unknown", literal.encode())


def protocol_of(session: Session) -> bytes:
    """Return the protocol's name in the trace field (RFC 3848)."""
    if not session.esmtp:
        return b"SMTP"
    return b"ESMTPA" if session.user else b"ESMTP"
