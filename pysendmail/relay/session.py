"""Open a session: from a smarthost to a client that is ready to take messages.

Connect, greeting, EHLO, STARTTLS where the smarthost's policy says so, EHLO again, AUTH. Raises the
exceptions of the SMTP core; `policy.opening_trouble` says what they mean. Nothing secret is sent
before the policy for TLS is fulfilled.
"""

from __future__ import annotations

import time

from pysendmail.config.errors import ConfigError
from pysendmail.relay.smarthost import IMPLICIT, NONE, OPPORTUNISTIC
from pysendmail.smtp import AuthenticationError, authenticate, connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pysendmail.relay.smarthost import Smarthost
    from pysendmail.smtp import Client

    Trace = Callable[[bytes, bytes], None]

# An open session is worth a minute; past that the smarthost is away. No duplicate can come of
# giving up here, so this bound may be below the minimums that RFC 5321 section 4.5.3.2 sets.
OPENING_S = 60.0


def open_session(
    smarthost: Smarthost,
    *,
    hostname: bytes,
    deadline: float | None,
    trace: Trace | None = None,
    greeted: Callable[[], None] | None = None,
    before_login: Callable[[], None] | None = None,
) -> Client:
    """Return a client after EHLO, STARTTLS and AUTH; `deadline` is a monotonic second or None.

    `greeted` and `before_login` are called when the session has come so far; what they raise ends
    it.
    """
    limit = time.monotonic() + OPENING_S
    deadline = limit if deadline is None else min(limit, deadline)
    config = smarthost.tls_config
    if config is not None:
        config.context()  # a file that is no good is told before a smarthost is bothered
    try:
        creds = smarthost.login.creds()
    except ConfigError as error:
        raise AuthenticationError(error.errors[0]) from error
    client = connect(
        smarthost.host if smarthost.is_local else (smarthost.host, smarthost.port),
        proxy=smarthost.proxy,
        tls=config if smarthost.tls == IMPLICIT else None,
        server_hostname=smarthost.host,
        source_address=smarthost.source_address,
        deadline=deadline,
        trace=trace,
        lmtp=smarthost.lmtp,
        ignored=smarthost.ignored,
    )
    login = smarthost.login
    try:
        client.greeting()
        if greeted is not None:
            greeted()
        authenticate(
            client,
            host=hostname,
            tls_config=config,
            tls_required=smarthost.tls not in (NONE, OPPORTUNISTIC),
            tls_peer="" if smarthost.is_local else smarthost.host,
            sasl_mechs=login.mechanisms,
            user=login.user,
            authz=login.authzid,
            creds=creds,
            cleartext_allowed=smarthost.cleartext_allowed,
            before_login=before_login,
        )
    except BaseException:
        client.close()
        raise
    client.deadline = None
    return client
