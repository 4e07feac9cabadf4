"""The SMTP listener: mail from programs that speak SMTP to a port, and can do nothing else.

Off unless configured, and meant for this machine: who comes from farther away than `listen_for`
says is not served. A message then goes the way of any submission, and its reply is the verdict.
The submitter is the daemon's own user, since nobody knows which one connected; the trace field says
from where, and the log too.

At most `CONNECTIONS` at a time, a share of them for each machine that is not this one. When they
run short, those who have nothing to say lose their patience credit first (`smtp_connection`).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import threading

from pysendmail.config.endpoints import LOOPBACK, scope_of, serves
from pysendmail.daemon.acceptor import Acceptor
from pysendmail.daemon.smtp_connection import Connection
from pysendmail.journal import ERROR, WARNING
from pysendmail.message.queue_id import new_queue_id
from pysendmail.smtp.arguments import is_host
from pysendmail.smtp.server import Profile, Session
from pysendmail.submission.request import Request
from pysendmail.submission.smtp_door import is_address, reply_to, wishes_of
from pysendmail.submission.submitter import Submitter

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from pysendmail.daemon.acceptor import Peer
    from pysendmail.daemon.state import State
    from pysendmail.daemon.submissions import Submissions
    from pysendmail.smtp.reply import Reply
    from pysendmail.smtp.server import Transaction

CONNECTIONS = 64
CONNECTIONS_PER_PEER = 16  # of another machine; from this one all look alike
RECIPIENTS = 1000  # RFC 5321 section 4.5.3.1.8 wants 100
IDLE_S = 300.0  # RFC 5321 section 4.5.3.2.7
SHORT_IDLE_S = 10.0  # when connections run short
WRONG_LOGIN_S = 1.0


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
        self._audience = state.config.listen_for
        self._login = login_of(state.config.listen_user, password)

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
        """Tell the client to come again."""
        connection.setblocking(False)
        connection.send(b"421 4.7.0 Too many connections\r\n")

    def converse(self, connection: socket.socket, peer: Peer) -> None:
        """Speak SMTP with one client."""
        config = self._state.config
        profile = Profile(
            config.hostname,
            size=config.message_size,
            recipients=RECIPIENTS,
            login=self._login,
            acceptable=is_address,
        )
        session = Session(profile, self._submissions.new_content)
        Connection(
            connection,
            session,
            lambda transaction: self._take(transaction, session, str(peer)),
            closing=self.closing,
            patience=self._patience,
        ).run()

    def _patience(self) -> float:
        return SHORT_IDLE_S if self.served() > CONNECTIONS * 3 // 4 else IDLE_S

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
            lambda: self._submissions.submit(request, transaction.content, submitter),
            request.queue_id,
            lambda error: self._journal.event(
                request.queue_id, "internal error", priority=ERROR, said=repr(error)
            ),
        )


def login_of(user: bytes, password: bytes | None) -> Callable[[bytes, bytes], bool] | None:
    """Return what tells whether user and password are right; None where there is no user.

    Digests are compared, in constant time, so that neither content nor length of the right ones
    shows in how long it takes; being wrong takes a while.
    """
    if not user:
        return None
    expected = digest(user, password or os.urandom(32))

    def is_right(given_user: bytes, given_password: bytes) -> bool:
        right = hmac.compare_digest(digest(given_user, given_password), expected)
        if not right:
            threading.Event().wait(WRONG_LOGIN_S)
        return right

    return is_right


def digest(user: bytes, password: bytes) -> bytes:
    """Return a digest of both; neither of the configured ones has a NUL in it."""
    return hashlib.sha256(user + b"\0" + password).digest()


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
