"""After an attempt at an entry: what is crossed off, when to try again, who hears of it.

The bounce is durable before a recipient is crossed off; where it cannot be written, the failed
recipient stays (the second sentence of docs/architecture.md).
"""

from __future__ import annotations

from pysendmail.message.bounce import DELAY, FAILURE, RELAYED
from pysendmail.message.outcome import DEFERRED, FAILED, Outcome
from pysendmail.relay import retry
from pysendmail.spool.errors import SpoolError
from pysendmail.submission.conclude import next_attempt
from pysendmail.submission.notices import log_notices, log_untold, notice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pysendmail.config.keys import Config
    from pysendmail.journal import Journal
    from pysendmail.relay.attempt import Attempt
    from pysendmail.spool.contract import Claim, Notice


def settle(
    claim: Claim,
    attempt: Attempt,
    *,
    config: Config,
    journal: Journal,
    now: float,
    age: float,
    sync: bool = True,
) -> bool:
    """Record an attempt at an entry of this `age`; return whether that was the end of the entry.

    Without `sync` the entry's removal is durable only after the spool's next `sync`. An attempt
    that reached no smarthost is no attempt, unless the sender has to hear that the message is late
    or that its life is over. Raises OSError or SpoolError when the spool cannot record it, with
    nothing changed.
    """
    entry = claim.entry
    over = retry.expired(age=age, lifetime=config.lifetime)
    late = retry.warning_due(age=age, after=config.delay_warning, warned=entry.warned)
    if not (attempt.tried or over or late):
        claim.release()
        return False
    outcomes = attempt.outcomes
    if over:
        outcomes = [expire(outcome) for outcome in outcomes]
    failures = [outcome for outcome in outcomes if outcome.kind == FAILED]
    deferrals = [outcome for outcome in outcomes if outcome.kind == DEFERRED]
    warn = bool(deferrals) and late
    notices: list[Notice] = []
    for kind in (FAILURE, RELAYED, DELAY) if warn else (FAILURE, RELAYED):
        notices += notice(
            kind,
            entry.envelope,
            claim.message(),
            outcomes,
            config=config,
            arrived=entry.arrived,
            now=now,
        )
    due = now
    if deferrals or failures:
        due = next_attempt(
            attempt, attempts=entry.attempts + 1, config=config, arrived=entry.arrived, now=now
        )
    try:
        claim.settle(
            outcomes, due, now=now, notices=notices, warned=entry.warned or warn, sync=sync
        )
    except SpoolError:
        if not notices:
            raise
        # No room for a notice: who was delivered is crossed off all the same, the others wait.
        outcomes, notices, failures = [unsaid(outcome) for outcome in outcomes], [], []
        claim.settle(outcomes, due, now=now, sync=sync)
    journal.outcomes(entry.queue_id, outcomes, arrived=entry.arrived, now=now)
    log_notices(journal, entry.queue_id, notices)
    log_untold(journal, entry.queue_id, entry.envelope, failures)
    return all(outcome.kind != DEFERRED for outcome in outcomes)


def unsaid(outcome: Outcome) -> Outcome:
    """Return what a failure is while its bounce cannot be written: one more deferral."""
    if outcome.kind != FAILED:
        return outcome
    text = b"its bounce cannot be written now: " + outcome.text
    return Outcome(outcome.recipient, DEFERRED, b"4.3.1", text, outcome.remote)


def expire(outcome: Outcome) -> Outcome:
    """Return what a deferral becomes when the life of its message is over (RFC 3463: 4.4.7)."""
    if outcome.kind != DEFERRED:
        return outcome
    return Outcome(
        outcome.recipient,
        FAILED,
        b"4.4.7",
        b"delivery time expired; last: " + outcome.text,
        outcome.remote,
        outcome.maybe_duplicate,
    )
