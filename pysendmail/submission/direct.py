"""The second door: everything inside the caller's own process.

For whoever may read the credentials and write the spool - root, or the one user of a container -
while no daemon runs. The caller waits for the verdict, at most `wait` seconds; what is deferred
goes into the spool, and a daemon is started that lingers until the queue is empty, unless the
configuration says no.
"""

from __future__ import annotations

import time

from pysendmail._bundle import load_bundle
from pysendmail.config.errors import ConfigError
from pysendmail.config.load import load
from pysendmail.config.secrets import read_password, read_token
from pysendmail.journal import SYSLOG, Journal
from pysendmail.message.alias_file import read_aliases
from pysendmail.message.content import Content
from pysendmail.relay.attempt import attempt
from pysendmail.relay.session import open_session
from pysendmail.relay.smarthost import smarthosts_of
from pysendmail.spool.errors import SpoolError
from pysendmail.submission.accept import Accepted, accept
from pysendmail.submission.answer import Answer
from pysendmail.submission.conclude import Submission
from pysendmail.submission.drop_door import drop_directory, make_drop_directory
from pysendmail.submission.exit_status import EX_TEMPFAIL, Refused
from pysendmail.submission.linger import start
from pysendmail.submission.request import INTERACTIVE, QUEUE
from pysendmail.submission.submitter import find_submitter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pysendmail.config.keys import Config
    from pysendmail.message.content import Readable
    from pysendmail.relay.policy import Rule
    from pysendmail.relay.smarthost import Smarthost
    from pysendmail.smtp import Client
    from pysendmail.spool.contract import Claim, Spool
    from pysendmail.submission.request import Request


class Unable(Exception):
    """This user may not use the direct door; nothing was done."""


class OneSession:
    """Sessions for one attempt: opened when they are wanted, kept while they are good."""

    __slots__ = ("_hostname", "_kept")

    def __init__(self, hostname: bytes) -> None:
        self._hostname = hostname
        self._kept: dict[int, Client] = {}

    def borrow(self, smarthost: Smarthost, deadline: float | None) -> tuple[Client, bool]:
        """Return the session that was kept, or a new one; raises SmtpError."""
        kept = self._kept.pop(id(smarthost), None)
        if kept is not None:
            return kept, True
        return open_session(smarthost, hostname=self._hostname, deadline=deadline), False

    def room(self, _smarthost: Smarthost, _client: Client) -> int:
        """A message has not so many transactions that it could be too many."""
        return 1_000_000

    def another(self, _smarthost: Smarthost) -> bool:
        """One process with one message knows of no rate."""
        return True

    def give_back(self, smarthost: Smarthost, client: Client, messages: int) -> None:
        """Keep a sound session for the next transaction of the same message."""
        if client.broken:
            client.close()
        else:
            self._kept[id(smarthost)] = client

    def answered(self, smarthost: Smarthost) -> None:
        """There is nobody here to remember that it works."""

    def report(self, smarthost: Smarthost, rule: Rule, text: bytes) -> None:
        """The outcomes tell it all: there is nobody here to remember a trouble."""

    def close(self) -> None:
        """End what is open. The verdict is known, so nobody waits for the answer to QUIT."""
        for client in self._kept.values():
            client.leave()


def submit_direct(
    request: Request, raw: Readable, environ: Mapping[str, str], *, uid: int
) -> Answer:
    """Take one submission in this process; raises Refused, and Unable where this user may not."""
    try:
        config = load(environ, use_snapshot=True).config
        password = read_password(config, environ)
        if config.token_file:
            read_token(config, environ)  # as at each login: whether this user may
    except ConfigError as error:
        raise Unable(error.errors[0]) from error
    # standard error is the caller's, not the log's
    journal = Journal(SYSLOG, ident_of(request), environ)
    accepted = accept(
        request,
        raw,
        find_submitter(uid),
        config=config,
        aliases=read_aliases(config.aliases),
        now=time.time(),
        content=lambda: Content(directory=drop_directory(config.spool)),
        limit=config.message_size,
    )
    accepted.require_recipients()
    try:
        return finish(accepted, config, password, journal, environ)
    except (OSError, SpoolError) as error:
        line = f"the spool cannot take the message: {error}".encode()
        raise Refused(EX_TEMPFAIL, line) from error


def ident_of(request: Request) -> str:
    """Return the name that this process has in the log: -L adds to it."""
    tag = request.tag.decode("ascii", "replace")
    return f"sendmail-{tag}" if tag else "sendmail"


class LazySpool:
    """The spool, opened when the first message has to wait: a delivered one never pays for it."""

    __slots__ = ("_path", "_spool")

    def __init__(self, path: str) -> None:
        self._path = path
        self._spool: Spool | None = None

    @property
    def used(self) -> bool:
        """Whether anything had to wait."""
        return self._spool is not None

    def enter(self, *facts: Any, **options: Any) -> Claim | None:
        """Enter a message; see `Spool.enter`."""
        return self._open().enter(*facts, **options)

    def free(self) -> float:
        """Return how many octets there is room for."""
        return self._open().free()

    def wake(self) -> None:
        """Have a daemon that works with this spool look at it, if there is one."""
        try:
            self._open().wake()
        except SpoolError:
            pass  # what has to wait is durable, and the daemon looks now and then

    def _open(self) -> Spool:
        if self._spool is None:
            load_bundle("spool")
            from pysendmail.spool.directory import DirectorySpool

            self._spool = DirectorySpool.create(self._path)
            make_drop_directory(self._path)
        return self._spool


def finish(
    accepted: Accepted,
    config: Config,
    password: bytes | None,
    journal: Journal,
    environ: Mapping[str, str],
) -> Answer:
    """Deliver or spool what was accepted, and see to it that somebody tries again."""
    spool = LazySpool(config.spool)
    submission = Submission(accepted, spool=spool, config=config, journal=journal)
    if not accepted.envelope.recipients:
        answer = submission.conclude_unusable()
    elif accepted.mode == INTERACTIVE:
        sessions = OneSession(config.hostname)
        result = attempt(
            accepted.envelope,
            accepted.message,
            smarthosts_of(config, password),
            sessions,
            deadline=time.monotonic() + config.wait,
        )
        journal.outcomes(
            accepted.request.queue_id,
            result.outcomes,
            arrived=accepted.arrived,
            now=time.time(),
        )
        answer = submission.conclude(result)
        sessions.close()
    else:
        submission.enter("as asked")
        answer = Answer(0)
    if spool.used:
        spool.wake()  # whoever listens elsewhere was not asked
        if accepted.mode != QUEUE and config.linger:
            start(environ)
    return answer
