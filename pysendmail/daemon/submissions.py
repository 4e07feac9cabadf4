"""The first door from the inside: one submission, from the request to the answer.

Interactive: an urgent delivery over a warm connection, the caller waits for the verdict, at most
`wait` seconds; the spool is touched only when the verdict does not come or is a deferral.
Background and queue: durable, then the answer. Nothing a caller sends raises out of here but
`Refused`.
"""

from __future__ import annotations

import time

from pysendmail.config.defaults import MESSAGE_SIZE_HIGHEST
from pysendmail.daemon.delivery import WaitedDelivery
from pysendmail.daemon.settle import settle
from pysendmail.daemon.shares import Hold, Shares
from pysendmail.message.content import Content
from pysendmail.message.intake import header_size
from pysendmail.relay.attempt import attempt
from pysendmail.spool.errors import SpoolError
from pysendmail.submission.accept import Accepted, accept
from pysendmail.submission.answer import Answer
from pysendmail.submission.conclude import Submission
from pysendmail.submission.exit_status import EX_TEMPFAIL, Refused, too_large
from pysendmail.submission.request import INTERACTIVE, QUEUE
from pysendmail.submission.submitter import find_submitter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pysendmail.daemon.acceptor import Peer
    from pysendmail.daemon.state import State
    from pysendmail.message.content import Readable
    from pysendmail.relay.attempt import Attempt
    from pysendmail.spool.contract import Claim
    from pysendmail.submission.request import Request
    from pysendmail.submission.submitter import Submitter

# What one message may take of the daemon's memory; the rest of it lies in an unnamed file.
MEMORY = 128 * 1024
# What all requests at a time may take, and what is made of them, in octets; and how many of these
# an octet of a header takes: it is read into fields, completed, repaired and written anew.
REQUESTS_MEMORY = 48 * 1024 * 1024
HEADER_MEMORY = 16
LOOK_S = 0.5  # how soon somebody who waits for a verdict notices that the daemon drains


class Submissions:
    """Takes submissions for one daemon."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._memory = Shares(REQUESTS_MEMORY)

    def hold(self, peer: Peer) -> Hold:
        """Return the memory of one peer's request, nothing as yet: a context."""
        return Hold(self._memory, peer)

    def new_content(self) -> Content:
        """Return an empty place for a message."""
        return Content(memory=MEMORY, directory=self._state.scratch)

    def submit(self, request: Request, raw: Readable, submitter: Submitter, hold: Hold) -> Answer:
        """Take one submission and return the answer; raises as `submit_held`."""
        answer, let_go = self.submit_held(request, raw, submitter, hold)
        let_go()
        return answer

    def submit_held(
        self, request: Request, raw: Readable, submitter: Submitter, hold: Hold
    ) -> tuple[Answer, Callable[[], None]]:
        """Take one submission; return the answer, and what is to be called once the caller has it.

        Until then what waits now is held: the threads that attempt it would hold up the answer.
        What is only queued nobody attempts unasked, and who has his answer may ask.
        Raises Refused for a caller's mistake, NoRoom for more than he may `hold`.
        """
        state = self._state
        hold.take(HEADER_MEMORY * header_size(raw))
        accepted = self._accept(request, raw, submitter, limit=state.config.message_size)
        accepted.require_recipients()
        submission = self._submission(accepted)
        try:
            if not accepted.envelope.recipients:
                return submission.conclude_unusable(), nothing_waits
            if accepted.mode == INTERACTIVE and state.accepts_deliveries:
                return self._deliver(accepted, submission, hold), nothing_waits
            return Answer(0), self._enter(accepted, submission, "as asked")
        except (OSError, SpoolError) as error:
            line = f"the spool cannot take the message: {error}"
            state.journal.event(request.queue_id, "refused", said=line)
            raise Refused(EX_TEMPFAIL, line.encode()) from error

    def take_dropped(self, request: Request, raw: Readable, uid: int) -> None:
        """Make a submission from the drop directory durable.

        Its caller has been told that it was taken, so it is never refused for its size or for
        recipients that are of no use. Raises OSError or SpoolError when the spool cannot take it
        now, and Refused for what sendmail would not have left there.
        """
        if request.size > MESSAGE_SIZE_HIGHEST:
            raise too_large(MESSAGE_SIZE_HIGHEST)
        accepted = self._accept(request, raw, find_submitter(uid))
        submission = self._submission(accepted)
        self._enter(accepted, submission, "from the drop directory", reserve=False)()

    def _accept(
        self, request: Request, raw: Readable, submitter: Submitter, limit: int | None = None
    ) -> Accepted:
        state = self._state
        accepted = accept(
            request,
            raw,
            submitter,
            config=state.config,
            aliases=state.aliases(),
            now=time.time(),
            content=self.new_content,
            limit=limit,
        )
        state.journal.event(
            request.queue_id,
            "submitted",
            **({"client": submitter.client} if submitter.client else {"uid": submitter.uid}),
            sender=accepted.envelope.sender,
            size=accepted.message.size,
            recipients=len(accepted.envelope.recipients),
            tag=request.tag or b"-",
        )
        return accepted

    def _submission(self, accepted: Accepted) -> Submission:
        state = self._state
        return Submission(accepted, spool=state.spool, config=state.config, journal=state.journal)

    def _enter(
        self, accepted: Accepted, submission: Submission, why: str, *, reserve: bool = True
    ) -> Callable[[], None]:
        """Enter everything; return what gives it free to be attempted.

        What is to be attempted at once does not wait behind a backlog.
        """
        claim = submission.enter(why, claim=accepted.mode != QUEUE, reserve=reserve)

        def let_go() -> None:
            if claim is not None:
                claim.release()
                self._state.arrivals.put(accepted.submitter.uid, accepted.request.queue_id)

        return let_go

    def _deliver(self, accepted: Accepted, submission: Submission, hold: Hold) -> Answer:
        """Attempt now; a verdict that comes in time is the answer, any other finds the entry."""
        state = self._state
        relay = state.relay

        def make_attempt() -> Attempt:
            return attempt(accepted.envelope, accepted.message, relay.smarthosts, relay.pool)

        def settle_late(claim: Claim, result: Attempt | None) -> None:
            hold.release()
            try:
                if result is not None:
                    settle(
                        claim,
                        result,
                        config=relay.config,
                        journal=state.journal,
                        now=time.time(),
                        age=state.age(claim.entry.arrived),
                    )
            finally:
                claim.release()  # also where the spool could not record it: nobody else would

        def enter() -> Claim | None:
            claim = submission.enter(
                "no verdict from the smarthost yet", claim=True, under_way=True
            )
            if claim is not None:
                hold.keep()  # until it is settled
            return claim

        delivery = WaitedDelivery(make_attempt, settle_late)
        state.workers.put(delivery, caller=accepted.submitter.uid)
        if not self._wait(delivery):
            if state.workers.withdraw(delivery):
                self._enter(accepted, submission, "all workers are busy")()
                return Answer(0)
            if delivery.hand_over(enter):
                return Answer(0)
        return self._conclude(accepted, submission, delivery)

    def _wait(self, delivery: WaitedDelivery) -> bool:
        """Wait for the verdict, at most `wait` seconds, and no longer once the daemon drains."""
        end = time.monotonic() + self._state.config.wait
        while self._state.accepts_deliveries and (left := end - time.monotonic()) > 0:
            if delivery.wait(min(left, LOOK_S)):
                return True
        return delivery.wait(0)

    def _conclude(
        self, accepted: Accepted, submission: Submission, delivery: WaitedDelivery
    ) -> Answer:
        state = self._state
        try:
            result = delivery.result()
        except Exception:
            # A bug, or a file that cannot be read: the worker has logged it, the message waits.
            submission.enter("the delivery failed in itself")
            return Answer(0)
        answer = submission.conclude(result)
        state.journal.outcomes(
            accepted.request.queue_id,
            result.outcomes,
            arrived=accepted.arrived,
            now=time.time(),
        )
        return answer


def nothing_waits() -> None:
    """Let go of nothing."""
