"""The conclusion of a submission: what is spooled, what is bounced, what the caller is told.

Exit status 0 is said only after every recipient was delivered, is durable in the spool, or has a
durable bounce (DESIGN 1). Raises OSError or SpoolError when the spool takes nothing: the caller is
told to try again then, and may have a duplicate of what was delivered already, never a loss.
"""

from __future__ import annotations

import os

from pysendmail.message.outcome import DEFERRED, FAILED
from pysendmail.relay import retry
from pysendmail.relay.policy import SESSION
from pysendmail.spool.errors import AlreadyEntered
from pysendmail.submission.answer import Answer
from pysendmail.submission.exit_status import EX_OK, exit_status
from pysendmail.submission.notices import bounce
from pysendmail.submission.request import ALWAYS_OK, BACKGROUND, MAIL_BACK, QUIET, WRITE_BACK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Protocol

    from pysendmail.config.keys import Config
    from pysendmail.message.envelope import Envelope
    from pysendmail.message.message import Message
    from pysendmail.message.outcome import Outcome
    from pysendmail.relay.attempt import Attempt
    from pysendmail.spool.contract import Claim
    from pysendmail.submission.accept import Accepted

    class Entering(Protocol):
        """The part of a spool that a submission needs: `Spool.enter`."""

        def enter(
            self,
            queue_id: str,
            envelope: Envelope,
            message: Message,
            *,
            arrived: float,
            uid: int,
            next_attempt: float,
            outcomes: Iterable[Outcome] = (),
            attempts: int = 0,
            claim: bool = False,
        ) -> Claim | None:
            """See `pysendmail.spool.contract.Spool.enter`."""


def conclude(
    accepted: Accepted, attempt: Attempt, *, spool: Entering, config: Config, now: float
) -> Answer:
    """Spool what was deferred, bounce what has to be, and return the answer of a foreground
    delivery.
    """
    mode = accepted.request.error_mode
    outcomes = attempt.outcomes + accepted.failures
    failures = [outcome for outcome in outcomes if outcome.kind == FAILED]
    taken = len(failures) < len(outcomes)
    enter_deferred(accepted, attempt, spool=spool, config=config, now=now)
    bounced = False
    if failures and (taken or mode in (MAIL_BACK, WRITE_BACK, ALWAYS_OK)):
        bounced = enter_bounce(accepted, failures, spool=spool, config=config, now=now)
    if taken:
        return Answer(EX_OK, output=progress(accepted, outcomes))
    if mode == ALWAYS_OK and bounced:
        return Answer(EX_OK)
    silent = mode == QUIET or bounced
    return Answer(
        exit_status(failures),
        output=progress(accepted, outcomes),
        errors=[] if silent else [failure_line(failures)],
    )


def enter(
    accepted: Accepted, *, spool: Entering, config: Config, now: float, claim: bool = False
) -> Claim | None:
    """Enter the whole submission, not attempted yet, and the bounce for addresses that are of no
    use.

    With `claim` the entry is held by the caller, whose attempt is under way. A queue id that the
    spool knows already is the same submission come a second time: it has been taken. Durable on
    return.
    """
    held = None
    request = accepted.request
    background = request.mode == BACKGROUND or claim
    try:
        held = spool.enter(
            request.queue_id,
            accepted.envelope,
            accepted.message,
            arrived=now,
            uid=accepted.submitter.uid,
            next_attempt=now if background else now + config.retry_first,
            claim=claim,
        )
    except AlreadyEntered:
        return None
    if accepted.failures:
        enter_bounce(accepted, accepted.failures, spool=spool, config=config, now=now)
    return held


def enter_deferred(
    accepted: Accepted, attempt: Attempt, *, spool: Entering, config: Config, now: float
) -> None:
    """Enter the recipients that were deferred, with reasons and the time of the next attempt."""
    deferred = {outcome.recipient for outcome in attempt.outcomes if outcome.kind == DEFERRED}
    if not deferred:
        return
    envelope = accepted.envelope.with_recipients(
        tuple(r for r in accepted.envelope.recipients if r.address in deferred)
    )
    try:
        spool.enter(
            accepted.request.queue_id,
            envelope,
            accepted.message,
            arrived=now,
            uid=accepted.submitter.uid,
            next_attempt=next_attempt(attempt, attempts=1, config=config, now=now),
            outcomes=[o for o in attempt.outcomes if o.kind == DEFERRED],
            attempts=1 if attempt.tried else 0,
        )
    except AlreadyEntered:
        pass  # the same submission came before, by another door


def next_attempt(attempt: Attempt, *, attempts: int, config: Config, now: float) -> float:
    """Return when to try again after `attempts` attempts.

    While smarthosts are at fault the pause does not grow: the breaker spares them, and the message
    should go out soon after they are back. What was never tried is due at once.
    """
    if not attempt.tried:
        return now
    return retry.next_attempt(
        now=now,
        attempts=1 if attempt.reach == SESSION else attempts,
        first=config.retry_first,
        longest=config.retry_longest,
        jitter=os.urandom(1)[0] / 255,
    )


def enter_bounce(
    accepted: Accepted, failures: Sequence[Outcome], *, spool: Entering, config: Config, now: float
) -> bool:
    """Enter the bounce for these failures; tell whether there is one."""
    notices = bounce(
        accepted.envelope, accepted.message, failures, config=config, arrived=now, now=now
    )
    for queue_id, envelope, message, due in notices:
        spool.enter(
            queue_id, envelope, message, arrived=now, uid=accepted.submitter.uid, next_attempt=due
        )
    return bool(notices)


def failure_line(failures: Sequence[Outcome]) -> bytes:
    """Return one line that tells why nobody could be served."""
    first = failures[0]
    more = b" (and %d more)" % (len(failures) - 1) if len(failures) > 1 else b""
    return b"%b: %b%b" % (first.recipient, first.text, more)


def progress(accepted: Accepted, outcomes: Sequence[Outcome]) -> list[bytes]:
    """Return what -v prints: one line for each recipient."""
    if not accepted.request.verbose:
        return []
    return [b"%b... %b (%b)" % (o.recipient, o.kind.encode(), o.text) for o in outcomes]
