"""The conclusion of a submission: what is spooled, what is bounced, what the caller is told.

Exit status 0 is said only after every recipient was delivered, is durable in the spool, or has a
durable bounce (docs/architecture.md): of a failure that makes none the caller himself is told.
Raises OSError or SpoolError when the spool takes nothing: the caller is told to try again then, and
may have a duplicate of what was delivered already, never a loss.
"""

from __future__ import annotations

import os

from pysendmail.message.bounce import FAILURE, RELAYED
from pysendmail.message.outcome import DEFERRED, DELIVERED, FAILED, Outcome
from pysendmail.relay import retry
from pysendmail.relay.attempt import Attempt
from pysendmail.relay.policy import MESSAGE, SESSION
from pysendmail.spool.errors import AlreadyEntered, SpoolError, SpoolFull
from pysendmail.spool.room import find_shortage
from pysendmail.submission.answer import Answer
from pysendmail.submission.exit_status import EX_OK, exit_status, failure_line
from pysendmail.submission.notices import log_notices, log_untold, notice
from pysendmail.submission.request import ALWAYS_OK, BY_MAIL, QUEUE, QUIET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pysendmail.config.keys import Config
    from pysendmail.journal import Journal
    from pysendmail.message.bounce import Kind
    from pysendmail.message.envelope import Envelope
    from pysendmail.spool.contract import Claim, Entering
    from pysendmail.submission.accept import Accepted


class Submission:
    """One accepted submission on its way to an answer."""

    __slots__ = ("_accepted", "_config", "_journal", "_now", "_spool")

    def __init__(
        self, accepted: Accepted, *, spool: Entering, config: Config, journal: Journal
    ) -> None:
        self._accepted = accepted
        self._spool = spool
        self._config = config
        self._journal = journal
        self._now = accepted.arrived

    def enter(
        self, why: str, *, claim: bool = False, under_way: bool = False, reserve: bool = True
    ) -> Claim | None:
        """Enter everything, not attempted yet, and the bounce for addresses that are of no use.

        With `claim` the entry is held by the caller; `under_way` says that he attempts it by now. A
        queue id that the spool knows already is the same submission come a second time: it has been
        taken, and None is returned. `why` is for the log. The reserve of the spool is left unless
        `reserve` is False: then the message lies on that disk already. Durable on return.
        """
        accepted = self._accepted
        if reserve:
            self._require_room()
        self._log_failures()
        if accepted.failures:
            self._bounce(accepted.failures)  # first, as always: rather twice than never
        held = None
        if accepted.envelope.recipients:
            at_once = under_way or accepted.mode != QUEUE
            due = self._now if at_once else self._now + self._config.retry_first
            reasons = self._under_way(why) if under_way else ()
            try:
                held = self._enter_own(accepted.envelope, due, outcomes=reasons, claim=claim)
            except AlreadyEntered:
                return None
            self._journal.event(accepted.request.queue_id, "spooled", why=why)
        return held

    def conclude(self, attempt: Attempt) -> Answer:
        """Spool what was deferred, bounce what has to be, and return a foreground's answer."""
        mode = self._accepted.request.error_mode
        self._log_failures()
        outcomes = attempt.outcomes + self._accepted.failures
        failures = [outcome for outcome in outcomes if outcome.kind == FAILED]
        taken = len(failures) < len(outcomes)
        by_bounce = self._accepted.told_by_bounce
        untold = failures
        if failures and (taken or by_bounce or mode in BY_MAIL):
            untold = self._bounce(failures)
        self._enter_deferred(attempt)
        self._report_relayed(attempt)
        if not untold and (taken or by_bounce or mode == ALWAYS_OK):
            return Answer(EX_OK, output=self._progress(outcomes))
        # Of what no bounce tells the caller hears, even where others have the message.
        return Answer(
            exit_status(untold or failures),
            output=self._progress(outcomes),
            errors=[failure_line(untold)] if untold and mode != QUIET else [],
        )

    def conclude_unusable(self) -> Answer:
        """Conclude where nobody is left to attempt: all addresses are of no use."""
        return self.conclude(Attempt([], tried=False, reach=MESSAGE))

    def _under_way(self, why: str) -> list[Outcome]:
        """Return what mailq shows for recipients whose attempt has not ended yet."""
        return [
            Outcome(recipient.address, DEFERRED, b"4.4.2", why.encode())
            for recipient in self._accepted.envelope.recipients
        ]

    def _log_failures(self) -> None:
        """Write whom nobody can be asked to take the message for."""
        accepted = self._accepted
        queue_id, failures = accepted.request.queue_id, accepted.failures
        self._journal.outcomes(queue_id, failures, arrived=self._now, now=self._now)

    def _enter_deferred(self, attempt: Attempt) -> None:
        """Enter the recipients that were deferred, with reasons and time of the next attempt."""
        deferrals = [outcome for outcome in attempt.outcomes if outcome.kind == DEFERRED]
        if not deferrals:
            return
        if not any(outcome.kind == DELIVERED for outcome in attempt.outcomes):
            self._require_room()  # else who has it already would get it again
        waiting = {outcome.recipient for outcome in deferrals}
        envelope = self._accepted.envelope
        try:
            self._enter_own(
                envelope.with_recipients(
                    tuple(r for r in envelope.recipients if r.address in waiting)
                ),
                next_attempt(
                    attempt, attempts=1, config=self._config, arrived=self._now, now=self._now
                ),
                outcomes=deferrals,
                attempts=1 if attempt.tried else 0,
            )
        except AlreadyEntered:
            pass  # the same submission came before, by another door

    def _require_room(self) -> None:
        """Raise SpoolFull where the message would have to lie in the spool's reserve."""
        size, uid = self._accepted.message.size, self._accepted.submitter.uid
        if shortage := find_shortage(self._spool.free(), size, self._config.reserve, uid=uid):
            raise SpoolFull(shortage)

    def _enter_own(
        self,
        envelope: Envelope,
        due: float,
        *,
        outcomes: Sequence[Outcome] = (),
        attempts: int = 0,
        claim: bool = False,
    ) -> Claim | None:
        return self._spool.enter(
            self._accepted.request.queue_id,
            envelope,
            self._accepted.message,
            arrived=self._now,
            uid=self._accepted.submitter.uid,
            next_attempt=due,
            outcomes=outcomes,
            attempts=attempts,
            claim=claim,
        )

    def _bounce(self, failures: Sequence[Outcome]) -> list[Outcome]:
        """Enter the bounce for these failures; return those that none tells of."""
        accepted, notify = self._accepted, self._accepted.request.notify
        # It is said of all recipients, also of those who cannot be in the envelope.
        unwanted = bool(notify) and b"FAILURE" not in notify
        queue_id = accepted.request.queue_id
        envelope = accepted.envelope
        untold = log_untold(self._journal, queue_id, envelope, failures, unwanted=unwanted)
        self._inform(FAILURE, [] if unwanted else failures)
        return untold

    def _report_relayed(self, attempt: Attempt) -> None:
        """Enter the report of success where it was asked for and the smarthost makes none."""
        try:
            self._inform(RELAYED, attempt.outcomes)
        except (OSError, SpoolError) as error:
            # The mail is out: to fail now would only bring it a second time.
            self._journal.event(self._accepted.request.queue_id, "no report", said=str(error))

    def _inform(self, kind: Kind, outcomes: Sequence[Outcome]) -> None:
        """Enter the notice of this kind, durably, where one is due."""
        accepted, now = self._accepted, self._now
        notices = notice(
            kind,
            accepted.envelope,
            accepted.message,
            outcomes,
            config=self._config,
            arrived=now,
            now=now,
        )
        for queue_id, envelope, message, due in notices:
            self._spool.enter(
                queue_id,
                envelope,
                message,
                arrived=now,
                uid=accepted.submitter.uid,
                next_attempt=due,
            )
        log_notices(self._journal, accepted.request.queue_id, notices)

    def _progress(self, outcomes: Sequence[Outcome]) -> list[bytes]:
        """Return what -v prints: one line for each recipient."""
        if not self._accepted.request.verbose:
            return []
        return [b"%b... %b (%b)" % (o.recipient, o.kind.encode(), o.text) for o in outcomes]


def next_attempt(
    attempt: Attempt, *, attempts: int, config: Config, arrived: float, now: float
) -> float:
    """Return when to try again after `attempts` attempts at what `arrived` then.

    While smarthosts are at fault the pause does not grow: the breaker spares them, and the message
    should go out soon after they are back. What was never tried is due at once.
    """
    if not attempt.tried:
        return now
    return retry.next_attempt(
        now=now,
        arrived=arrived,
        attempts=1 if attempt.reach == SESSION else attempts,
        first=config.retry_first,
        longest=config.retry_longest,
        jitter=os.urandom(1)[0] / 255,
    )
