"""The conclusion over the spool in memory: every error mode, and sentence 1 of the design."""

from __future__ import annotations

from typing import Any

import pytest

from pysendmail.message.alias_file import parse_aliases
from pysendmail.message.outcome import DEFERRED, DELIVERED, FAILED, Outcome
from pysendmail.relay.policy import MESSAGE, SESSION
from pysendmail.spool.errors import SpoolFull
from pysendmail.spool.memory import MemorySpool
from pysendmail.submission.accept import Accepted
from pysendmail.submission.answer import Answer
from pysendmail.submission.conclude import Submission
from tests.unit.submission.samples import CONFIG, NOW, QUEUE_ID, FakeJournal, accepted, ended

A, B, C = b"a@example.net", b"b@example.net", b"c@example.net"


def delivered(who: bytes) -> Outcome:
    return Outcome(who, DELIVERED, b"2.0.0", b"250 ok", b"mx")


def deferred(who: bytes) -> Outcome:
    return Outcome(who, DEFERRED, b"4.2.0", b"450 later", b"mx")


def failed(who: bytes, text: bytes = b"550 5.1.1 who") -> Outcome:
    return Outcome(who, FAILED, b"5.1.1", text, b"mx")


class OrderedSpool(MemorySpool):
    """Remembers in which order ids were entered; takes no more than `room` of them."""

    def __init__(self, room: int = 100) -> None:
        super().__init__()
        self.entered: list[str] = []
        self._room = room

    def enter(self, queue_id: str, *facts: Any, **options: Any):
        if len(self.entered) == self._room:
            raise SpoolFull("no room")
        self.entered.append(queue_id)
        return super().enter(queue_id, *facts, **options)


class Story:
    """One submission over a spool in memory."""

    def __init__(self, one: Accepted, spool: Any = None) -> None:
        self.spool = spool or MemorySpool()
        self.journal = FakeJournal()
        self.submission = Submission(
            one,
            spool=self.spool,
            config=CONFIG,
            journal=self.journal,  # type: ignore[arg-type]
        )

    def conclude(self, *outcomes: Outcome, **facts: Any) -> Answer:
        return self.submission.conclude(ended(*outcomes, **facts))

    def entry(self):
        return self.spool.find(QUEUE_ID)

    def bounces(self) -> list[tuple[bytes, bytes, bytes]]:
        """Sender, recipient and content of what waits beside the submission."""
        return [
            (
                entry.envelope.sender,
                entry.pending[0].address,
                b"".join(self.spool.open_message(entry.queue_id).chunks()),
            )
            for entry in self.spool.entries()
            if entry.queue_id != QUEUE_ID
        ]


def test_delivered_leaves_nothing_and_says_nothing() -> None:
    story = Story(accepted(A, B))
    answer = story.conclude(delivered(A), delivered(B))
    assert (answer.status, answer.output, answer.errors) == (0, [], [])
    assert story.spool.count() == 0


def test_deferred_waits_with_reason_and_next_attempt() -> None:
    story = Story(accepted(A, B))
    answer = story.conclude(delivered(A), deferred(B))
    assert answer.status == 0
    entry = story.entry()
    assert [recipient.address for recipient in entry.pending] == [B]
    assert entry.reasons == {B: deferred(B)}
    assert entry.attempts == 1
    assert NOW + 0.75 * CONFIG.retry_first <= entry.next_attempt <= NOW + 1.25 * CONFIG.retry_first
    assert story.bounces() == []


@pytest.mark.parametrize(("tried", "reach"), [(False, SESSION), (True, SESSION), (True, MESSAGE)])
def test_what_was_never_tried_is_due_at_once(tried: bool, reach: str) -> None:
    story = Story(accepted(A))
    story.conclude(deferred(A), tried=tried, reach=reach)
    assert (story.entry().next_attempt == NOW) is not tried
    assert story.entry().attempts == int(tried)


@pytest.mark.parametrize(
    ("mode", "status", "errors", "bounced"),
    [
        (b"p", 67, [b"a@example.net: 550 5.1.1 who"], False),
        (b"m", 67, [], True),
        (b"w", 67, [], True),
        (b"q", 67, [], False),
        (b"e", 0, [], True),
    ],
    ids=["print", "mail", "write", "quiet", "always ok"],
)
def test_failure_of_all_is_told_as_the_error_mode_says(
    mode: bytes, status: int, errors: list[bytes], bounced: bool
) -> None:
    story = Story(accepted(A, error_mode=mode))
    answer = story.conclude(failed(A))
    assert (answer.status, answer.errors) == (status, errors)
    assert bool(story.bounces()) is bounced
    assert story.entry() is None


@pytest.mark.parametrize(
    ("mode", "errors"),
    [(b"p", 1), (b"m", 1), (b"w", 1), (b"q", 0), (b"e", 1)],
)
def test_null_sender_has_no_bounce_so_the_real_status_is_told(mode: bytes, errors: int) -> None:
    story = Story(accepted(A, sender=b"", error_mode=mode))
    answer = story.conclude(failed(A))
    assert (answer.status, len(answer.errors)) == (67, errors)
    assert story.spool.count() == 0


def test_who_said_never_is_told_by_the_status() -> None:
    story = Story(accepted(A, b"x@y@z", notify=(b"NEVER",)))
    answer = story.conclude(delivered(A))
    assert (answer.status, len(answer.errors)) == (65, 1)
    assert story.spool.count() == 0
    assert (QUEUE_ID, "no bounce") in story.journal.events


@pytest.mark.parametrize("mode", [b"p", b"m", b"w", b"q", b"e"])
@pytest.mark.parametrize("other", [delivered, deferred])
def test_failure_among_others_is_bounced_and_exit_is_0(mode: bytes, other: Any) -> None:
    story = Story(accepted(A, B, error_mode=mode))
    answer = story.conclude(failed(A), other(B))
    assert (answer.status, answer.errors) == (0, [])
    [(sender, recipient, content)] = story.bounces()
    assert (sender, recipient) == (b"", b"joe@example.org")
    assert b"550 5.1.1 who" in content
    assert (QUEUE_ID, "notice") in story.journal.events


@pytest.mark.parametrize("facts", [{"sender": b""}, {"notify": (b"NEVER",)}], ids=["null", "never"])
@pytest.mark.parametrize("mode", [b"p", b"m", b"w", b"q", b"e"])
@pytest.mark.parametrize("other", [delivered, deferred])
def test_failure_among_others_that_makes_no_bounce_is_told_by_the_status(
    facts: dict[str, Any], mode: bytes, other: Any
) -> None:
    story = Story(accepted(A, B, error_mode=mode, **facts))
    answer = story.conclude(failed(A), other(B))
    said = [] if mode == b"q" else [b"a@example.net: 550 5.1.1 who"]
    assert (answer.status, answer.errors) == (67, said)
    assert story.bounces() == []
    assert (story.entry() is not None) is (other is deferred)


def test_unusable_address_is_bounced_with_the_others() -> None:
    story = Story(accepted(A, b"x@y@z"))
    assert story.conclude(delivered(A)).status == 0
    [(_, _, content)] = story.bounces()
    assert b"x@y@z" in content


def test_success_that_was_asked_for_is_reported_where_the_smarthost_does_not() -> None:
    story = Story(accepted(A, B, notify=(b"SUCCESS",)))
    taken_over = Outcome(B, DELIVERED, b"2.0.0", b"250 ok", b"mx", dsn=True)
    assert story.conclude(delivered(A), taken_over).status == 0
    [(_, recipient, content)] = story.bounces()
    assert recipient == b"joe@example.org"
    assert b"Action: relayed\r\n" in content
    assert b"Final-Recipient: rfc822; " + A in content
    assert b"Final-Recipient: rfc822; " + B not in content


def test_report_of_success_that_finds_no_room_does_not_undo_it() -> None:
    story = Story(accepted(A, notify=(b"SUCCESS",)), OrderedSpool(room=0))
    assert story.conclude(delivered(A)).status == 0
    assert story.journal.events == [(QUEUE_ID, "no report")]


REFUSED_ALIAS = parse_aliases(b"robot: |/bin/robot\n")


@pytest.mark.parametrize("mode", [b"p", b"m", b"w", b"q", b"e"])
@pytest.mark.parametrize("operands", [(b"robot",), (b"robot", A)])
def test_refused_alias_is_logged_and_bounced_in_every_error_mode(
    mode: bytes, operands: tuple[bytes, ...]
) -> None:
    story = Story(accepted(*operands, aliases=REFUSED_ALIAS, error_mode=mode))
    answer = story.conclude(*map(failed, operands[1:]))
    assert (answer.status, answer.errors) == (0, [])
    [(_, recipient, content)] = story.bounces()
    assert recipient == b"joe@example.org"
    assert b"programs are not run: '|/bin/robot'" in content
    assert story.journal.events[0] == (QUEUE_ID, FAILED)


@pytest.mark.parametrize(
    "asked", [{"sender": b""}, {"notify": (b"NEVER",)}, {"notify": (b"SUCCESS", b"DELAY")}]
)
def test_refused_alias_that_cannot_be_bounced_is_told_by_the_exit_status(
    asked: dict[str, Any],
) -> None:
    answer = Story(accepted(b"robot", aliases=REFUSED_ALIAS, **asked)).conclude(tried=False)
    assert answer.status == 69
    assert b"programs are not run" in answer.errors[0]


def test_failure_of_several_names_the_first() -> None:
    story = Story(accepted(A, B))
    answer = story.conclude(failed(A), failed(B, b"554 no"))
    assert answer.errors == [b"a@example.net: 550 5.1.1 who (and 1 more)"]
    assert answer.status == 69


def test_verbose_tells_of_each_recipient() -> None:
    story = Story(accepted(A, B, verbose=True))
    answer = story.conclude(delivered(A), failed(B))
    assert answer.output == [
        b"a@example.net... delivered (250 ok)",
        b"b@example.net... failed (550 5.1.1 who)",
    ]


def test_same_submission_come_twice_is_not_entered_twice() -> None:
    spool = MemorySpool()
    Story(accepted(A), spool).conclude(deferred(A))
    assert Story(accepted(A), spool).conclude(deferred(A)).status == 0
    assert spool.count() == 1


def test_bounce_is_durable_before_the_own_entry() -> None:
    spool = OrderedSpool()
    assert Story(accepted(A, B), spool).conclude(failed(A), deferred(B)).status == 0
    assert len(spool.entered) == 2
    assert spool.entered[1] == QUEUE_ID


def test_own_entry_that_finds_no_room_is_never_exit_0() -> None:
    story = Story(accepted(A, B), OrderedSpool(room=1))
    with pytest.raises(SpoolFull):
        story.conclude(failed(A), deferred(B))
    assert story.entry() is None
    assert len(story.bounces()) == 1


@pytest.mark.parametrize("outcomes", [(deferred(A),), (delivered(B), failed(A))])
def test_spool_that_takes_nothing_is_never_exit_0(outcomes: tuple[Outcome, ...]) -> None:
    with pytest.raises(SpoolFull):
        Story(accepted(A, B), OrderedSpool(room=0)).conclude(*outcomes)


# --- nobody left to attempt


@pytest.mark.parametrize(
    ("mode", "status", "errors", "bounced"),
    [
        (b"p", 65, [b"x@y@z: the address cannot be read"], False),
        (b"m", 65, [], True),
        (b"w", 65, [], True),
        (b"q", 65, [], False),
        (b"e", 0, [], True),
    ],
)
def test_unusable_addresses_alone_are_told_as_the_error_mode_says(
    mode: bytes, status: int, errors: list[bytes], *, bounced: bool
) -> None:
    story = Story(accepted(b"x@y@z", error_mode=mode))
    answer = story.submission.conclude_unusable()
    assert (answer.status, answer.errors) == (status, errors)
    assert bool(story.bounces()) is bounced
    assert story.entry() is None


# --- entered without an attempt


@pytest.mark.parametrize(
    ("mode", "due"), [(b"b", NOW), (b"i", NOW), (b"q", NOW + CONFIG.retry_first)]
)
def test_entered_is_due_by_its_mode(mode: bytes, due: float) -> None:
    story = Story(accepted(A, mode=mode))
    assert story.submission.enter("as asked") is None
    assert story.entry().next_attempt == due
    assert story.entry().uid == 1000
    assert (QUEUE_ID, "spooled") in story.journal.events


def test_entered_with_a_claim_is_nobody_elses() -> None:
    story = Story(accepted(A, mode=b"q"))
    claim = story.submission.enter("no verdict", claim=True, under_way=True)
    assert story.spool.claim(QUEUE_ID) is None
    assert claim.entry.next_attempt == NOW
    claim.release()


def test_entered_with_a_claim_is_due_by_its_mode_all_the_same() -> None:
    story = Story(accepted(A, mode=b"q"))
    claim = story.submission.enter("as asked", claim=True)
    assert claim.entry.next_attempt == NOW + CONFIG.retry_first
    assert not claim.entry.reasons
    claim.release()


def test_entered_by_the_configured_mode_where_none_was_asked_for() -> None:
    story = Story(accepted(A, config=CONFIG.replaced(delivery_mode="queue")))
    story.submission.enter("as configured")
    assert story.entry().next_attempt == NOW + CONFIG.retry_first


def test_entered_with_an_unusable_address_has_its_bounce_first() -> None:
    spool = OrderedSpool()
    story = Story(accepted(A, b"x@y@z"), spool)
    story.submission.enter("as asked")
    assert len(story.bounces()) == 1
    assert len(spool.entered) == 2
    assert spool.entered[1] == QUEUE_ID


def test_entry_that_finds_no_room_behind_its_bounce_is_not_taken() -> None:
    story = Story(accepted(A, b"x@y@z"), OrderedSpool(room=1))
    with pytest.raises(SpoolFull):
        story.submission.enter("as asked")
    assert story.entry() is None
    assert (QUEUE_ID, "spooled") not in story.journal.events


@pytest.mark.parametrize("claim", [True, False])
def test_entered_without_a_usable_address_is_the_bounce_alone(claim: bool) -> None:
    story = Story(accepted(b"x@y@z"))
    assert story.submission.enter("dropped", claim=claim) is None
    assert story.entry() is None
    [(_, recipient, content)] = story.bounces()
    assert recipient == b"joe@example.org"
    assert b"x@y@z" in content


def test_entered_twice_is_taken_once_and_bounced_rather_twice_than_never() -> None:
    spool = MemorySpool()
    Story(accepted(A, b"x@y@z"), spool).submission.enter("as asked")
    again = Story(accepted(A, b"x@y@z"), spool)
    assert again.submission.enter("again", claim=True) is None
    assert again.entry() is not None
    assert len(again.bounces()) == 2
    assert (QUEUE_ID, "spooled") not in again.journal.events


def test_remembered_submission_is_taken_already() -> None:
    spool = MemorySpool()
    spool.remember(QUEUE_ID, NOW)
    assert Story(accepted(A), spool).submission.enter("dropped") is None
    assert spool.count() == 0
