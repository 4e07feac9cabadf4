"""An SMTP client library: strict, pipelined, free of I/O at its core.

Usable on its own; imports nothing of the rest of the package. Where to begin:

    client = connect(("smtp.example.com", SUBMISSION_PORT))
    with client:
        authenticate(client, host=b"me.example.com", tls_config=TlsConfig(),
                     tls_peer="smtp.example.com", user=b"me",
                     creds=[(b"password", b"secret")])
        transcript = client.transaction(b"me@example.com", [b"you@example.org"], message)

The layers, lowest first: `errors`, `reply`, `phases`, `extensions`, `transaction`, `transcript`,
`arguments` and `body` are values and pure functions; `dialogue`, `stream` and `sasl` are the
conversations, as generators of `steps`; `driver` and `client` carry them out over streams;
`transport` makes streams of sockets; `authenticate` is policy.
"""

from __future__ import annotations

from .authenticate import authenticate
from .client import Client
from .errors import (
    AuthenticationError,
    ConnectError,
    ConnectionLost,
    MissingExtension,
    PermanentError,
    ProtocolError,
    ReplyError,
    SizeExceeded,
    SmtpError,
    TimedOut,
    TlsError,
    TransientError,
    UsageError,
)
from .extensions import Extensions, auth_mechanisms
from .phases import Timeouts
from .reply import Reply
from .sasl import Credentials
from .sendmail import sendmail
from .transaction import Recipient, Transaction, Verdict
from .transcript import Transcript
from .transport import (
    SMTP_PORT,
    SUBMISSION_PORT,
    SUBMISSIONS_PORT,
    TCP_PORT,
    Command,
    TlsConfig,
    connect,
)

__all__ = [
    "SMTP_PORT",
    "SUBMISSIONS_PORT",
    "SUBMISSION_PORT",
    "TCP_PORT",
    "AuthenticationError",
    "Client",
    "Command",
    "ConnectError",
    "ConnectionLost",
    "Credentials",
    "Extensions",
    "MissingExtension",
    "PermanentError",
    "ProtocolError",
    "Recipient",
    "Reply",
    "ReplyError",
    "SizeExceeded",
    "SmtpError",
    "TimedOut",
    "Timeouts",
    "TlsConfig",
    "TlsError",
    "Transaction",
    "Transcript",
    "TransientError",
    "UsageError",
    "Verdict",
    "auth_mechanisms",
    "authenticate",
    "connect",
    "sendmail",
]
