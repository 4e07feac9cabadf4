"""One attempt over smarthosts in memory: every row of the policy, failover, splitting, loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pysendmail.message.envelope import Envelope, Recipient
from pysendmail.message.outcome import DEFERRED, DELIVERED, FAILED, Outcome
from pysendmail.relay.attempt import LEFT_OVER, Attempt, Delivery, attempt, attempts
from pysendmail.relay.offer import Away, gone_cold, told
from pysendmail.relay.policy import MESSAGE, POLICY, RECIPIENT, SESSION
from pysendmail.smtp import (
    AuthenticationError,
    ConnectError,
    ConnectionLost,
    MissingExtension,
    PermanentError,
    ProtocolError,
    Reply,
    SmtpError,
    TimedOut,
    TlsError,
    Transaction,
    Transcript,
    TransientError,
    Verdict,
)
from tests.unit.relay.peers import LOST, OFFERS, SLOW, Peer, Sessions, session, smarthost
from tests.unit.spool.samples import ALICE, BOB, CAROL, message

ALPHA, BETA = smarthost("alpha"), smarthost("beta")
A, B, C = ALICE.decode(), BOB.decode(), CAROL.decode()


def envelope(*addresses: bytes, **options: object) -> Envelope:
    recipients = tuple(Recipient(address) for address in addresses or (ALICE, BOB))
    return Envelope(b"root@example.org", recipients, **options)  # type: ignore[arg-type]


def run(sessions: Sessions, *addresses: bytes, **options: object) -> Attempt:
    """Attempt over the two smarthosts alpha and beta."""
    return attempt(envelope(*addresses, **options), message(), (ALPHA, BETA), sessions)


def kinds(result: Attempt) -> list[str]:
    return [outcome.kind for outcome in result.outcomes]


def test_delivered_says_who_took_it_and_what_was_said() -> None:
    peer = Peer()
    sessions = Sessions(alpha=[peer])
    result = run(sessions)
    assert result.outcomes == [
        Outcome(address, DELIVERED, b"2.0.0", b"250 2.0.0 taken as 4711", b"alpha", dsn=True)
        for address in (ALICE, BOB)
    ]
    assert result.tried
    assert [recipients for recipients, _ in peer.messages] == [[A, B]]
    assert peer.messages[0][1].endswith(b"all is well")
    assert sessions.reports == []
    assert sessions.working == ["alpha"]


def test_delivered_says_who_answers_for_reports() -> None:
    alpha = Peer({B: "450 4.2.0 busy"})
    beta = Peer(offers=("mx", "PIPELINING"))
    result = run(Sessions(alpha=[alpha], beta=[beta]))
    assert kinds(result) == [DELIVERED, DELIVERED]
    assert [(outcome.remote, outcome.dsn) for outcome in result.outcomes] == [
        (b"alpha", True),
        (b"beta", False),
    ]


def test_delivered_without_enhanced_status_gets_one() -> None:
    result = run(Sessions(alpha=[Peer({".": "250 ok"})]))
    assert {outcome.status for outcome in result.outcomes} == {b"2.0.0"}


def test_envelope_options_reach_the_wire() -> None:
    peer = Peer(offers=("mx", "DSN", "8BITMIME", "SMTPUTF8", "SIZE"))
    recipients = (Recipient("ü@example.org".encode(), (b"NEVER",), b"rfc822;x@y"),)
    sent = Envelope(b"a@b", recipients, ret=b"HDRS", envid=b"QQ", eight_bit=True, smtputf8=True)
    size = message().size
    assert kinds(attempt(sent, message(), [ALPHA], Sessions(alpha=[peer]))) == [DELIVERED]
    assert peer.commands[1:3] == [
        f"MAIL FROM:<a@b> SIZE={size} BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ",
        "RCPT TO:<ü@example.org> NOTIFY=NEVER ORCPT=rfc822;x@y",
    ]


def test_deadline_is_handed_on_to_the_session() -> None:
    client = session(Peer())
    sessions = Sessions(alpha=[client])
    attempt(envelope(), message(), [ALPHA], sessions, deadline=1e12)
    assert sessions.deadlines == [1e12]
    assert client.deadline == 1e12


def reply_error(code: int, text: bytes = b"no") -> SmtpError:
    kind = PermanentError if code >= 500 else TransientError
    return kind(Reply(code, (text,)), b"EHLO")


# --- every row of the policy: (what alpha does, rule, outcome with alpha alone, goes to beta)

OPENING = [
    pytest.param(ConnectError("alpha", ()), "connection", id="cannot connect"),
    pytest.param(TimedOut("waiting for the greeting"), "connection", id="timeout"),
    pytest.param(ConnectionLost("greeting"), "connection", id="loss"),
    pytest.param(ProtocolError("no SMTP"), "connection", id="no SMTP"),
    pytest.param(TlsError("bad certificate"), "access", id="TLS"),
    pytest.param(AuthenticationError("no mechanism"), "access", id="no mechanism"),
    pytest.param(MissingExtension(b"STARTTLS"), "access", id="no STARTTLS"),
    pytest.param(reply_error(454), "access", id="4xx"),
    pytest.param(reply_error(554), "access", id="5xx"),
    pytest.param(reply_error(535), "access", id="password refused"),
    pytest.param(reply_error(421), "leaving", id="421"),
]


@pytest.mark.parametrize(("trouble", "row"), OPENING)
@pytest.mark.trap(13)
@pytest.mark.trap(14)
def test_trouble_of_opening_defers_all_and_is_reported(trouble: SmtpError, row: str) -> None:
    sessions = Sessions(alpha=[trouble], beta=[])
    result = run(sessions)
    rule = POLICY[row]
    assert kinds(result) == [DEFERRED, DEFERRED]
    assert [(host, rule) for host, rule, _ in sessions.reports] == [("alpha", rule)]
    assert result.reach == SESSION
    assert result.tried


@pytest.mark.parametrize(("trouble", "row"), OPENING)
def test_trouble_of_opening_leaves_the_message_to_the_next(trouble: SmtpError, row: str) -> None:
    beta = Peer()
    assert kinds(run(Sessions(alpha=[trouble], beta=[beta]))) == [DELIVERED, DELIVERED]
    assert len(beta.messages) == 1


def test_only_access_raises_the_alarm() -> None:
    assert [name for name, rule in POLICY.items() if rule.alarm] == ["access"]


@pytest.mark.trap(17)
def test_only_loss_after_the_dot_may_duplicate() -> None:
    assert [name for name, rule in POLICY.items() if rule.may_duplicate] == ["after the dot"]


# id: (answers of alpha, kind, status, said by, next one tried, reach)
TRANSACTION = {
    "lost at MAIL": ({"MAIL": LOST}, DEFERRED, b"4.4.2", b"", True, SESSION),
    "slow at MAIL": ({"MAIL": SLOW}, DEFERRED, b"4.4.2", b"", True, SESSION),
    "lost at RCPT": ({"RCPT": LOST}, DEFERRED, b"4.4.2", b"", True, MESSAGE),
    "lost at DATA": ({"DATA": LOST}, DEFERRED, b"4.4.2", b"", True, MESSAGE),
    "nonsense at MAIL": ({"MAIL": "hello?"}, DEFERRED, b"4.4.2", b"", True, SESSION),
    "250 to DATA": ({"DATA": "250 what"}, DEFERRED, b"4.4.2", b"", True, MESSAGE),
    "421 at MAIL": ({"MAIL": "421 4.3.2 bye"}, DEFERRED, b"4.3.2", b"alpha", True, SESSION),
    "421 at RCPT": ({"RCPT": "421 bye"}, DEFERRED, b"4.3.2", b"alpha", True, MESSAGE),
    "421 at DATA": ({"DATA": "421 bye"}, DEFERRED, b"4.3.2", b"alpha", True, MESSAGE),
    "421 at the dot": ({".": "421 bye"}, DEFERRED, b"4.3.2", b"alpha", True, MESSAGE),
    "530 at MAIL": ({"MAIL": "530 5.7.0 log in"}, DEFERRED, b"4.7.0", b"alpha", True, SESSION),
    "503 at MAIL": ({"MAIL": "503 5.5.1 nested"}, DEFERRED, b"4.5.1", b"alpha", True, SESSION),
    "too fast at MAIL": (
        {"MAIL": "450 4.7.1 too much mail"}, DEFERRED, b"4.7.1", b"alpha", True, SESSION
    ),
    "too fast at DATA": ({"DATA": "432 4.3.2 wait"}, DEFERRED, b"4.3.2", b"alpha", True, MESSAGE),
    "too fast at the dot": (
        {".": "454 Throttling failure"}, DEFERRED, b"4.7.0", b"alpha", True, MESSAGE
    ),
    "greylisted at RCPT": (
        {"RCPT": "450 4.7.1 greylisted"}, DEFERRED, b"4.7.1", b"alpha", True, RECIPIENT
    ),
    "greylisted at the dot": (
        {".": "451 4.7.1 try later"}, DEFERRED, b"4.7.1", b"alpha", True, MESSAGE
    ),
    "4xx at MAIL": ({"MAIL": "451 later"}, DEFERRED, b"4.0.0", b"alpha", True, MESSAGE),
    "5xx at MAIL": ({"MAIL": "550 5.7.1 no"}, FAILED, b"5.7.1", b"alpha", False, MESSAGE),
    "4xx at DATA": ({"DATA": "451 4.3.0 later"}, DEFERRED, b"4.3.0", b"alpha", True, MESSAGE),
    "5xx at DATA": ({"DATA": "554 no"}, FAILED, b"5.0.0", b"alpha", False, MESSAGE),
    "4xx at the dot": ({".": "452 4.3.1 full"}, DEFERRED, b"4.3.1", b"alpha", True, MESSAGE),
    "bare 5xx at the dot": ({".": "550 no"}, FAILED, b"5.0.0", b"alpha", False, MESSAGE),
    "5xx at the dot": ({".": "554 5.6.0 spam"}, FAILED, b"5.6.0", b"alpha", False, MESSAGE),
    "4xx at RCPT": ({"RCPT": "450 4.2.1 busy"}, DEFERRED, b"4.2.1", b"alpha", True, RECIPIENT),
    "552 at RCPT": ({"RCPT": "552 5.5.3 many"}, DEFERRED, b"4.5.3", b"alpha", True, RECIPIENT),
    "5xx at RCPT": ({"RCPT": "550 5.1.1 who"}, FAILED, b"5.1.1", b"alpha", False, RECIPIENT),
    "bare 5xx at RCPT": ({"RCPT": "550 who"}, FAILED, b"5.1.0", b"alpha", False, RECIPIENT),
    "policy at RCPT": ({"RCPT": "550 5.7.1 no"}, FAILED, b"5.7.1", b"alpha", False, RECIPIENT),
    "lost after the dot": ({".": LOST}, DEFERRED, b"4.4.2", b"", False, MESSAGE),
    "slow after the dot": ({".": SLOW}, DEFERRED, b"4.4.2", b"", False, MESSAGE),
    "nonsense after the dot": ({".": "hm"}, DEFERRED, b"4.4.2", b"", False, MESSAGE),
}


# cases that end the session: the smarthost's breaker hears of them
OVER = ("lost at", "slow at", "nonsense at", "250 to", "421", "503", "530", "too fast")


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "step by step"])
@pytest.mark.parametrize("case", TRANSACTION)
def test_trouble_in_a_transaction_ends_as_the_policy_says(case: str, pipelining: bool) -> None:
    answers, kind, status, said_by, _, reach = TRANSACTION[case]
    offers = OFFERS if pipelining else ("mx",)
    sessions = Sessions(alpha=[Peer(answers, offers=offers)])
    result = attempt(envelope(ALICE), message(), [ALPHA], sessions)
    [outcome] = result.outcomes
    assert (outcome.kind, outcome.status, outcome.remote) == (kind, status, said_by)
    assert outcome.maybe_duplicate == ("after the dot" in case)
    assert result.reach == reach
    assert bool(sessions.reports) == case.startswith(OVER)
    shows_no_work = case.startswith(OVER) or "after the dot" in case
    assert sessions.working == ([] if shows_no_work else ["alpha"])
    assert len(sessions.returned) == 1


@pytest.mark.parametrize("case", TRANSACTION)
def test_trouble_in_a_transaction_reaches_the_next_smarthost_or_not(case: str) -> None:
    answers, kind, _, _, tried_next, _ = TRANSACTION[case]
    beta = Peer()
    result = run(Sessions(alpha=[Peer(answers)], beta=[beta]), ALICE)
    assert bool(beta.messages) == tried_next
    assert kinds(result) == [DELIVERED if tried_next else kind]


def test_smtputf8_missing_fails_when_no_smarthost_has_it() -> None:
    sessions = Sessions(alpha=[Peer()], beta=[Peer()])
    result = run(sessions, "ü@example.org".encode(), smtputf8=True)
    assert [(o.kind, o.status) for o in result.outcomes] == [(FAILED, b"5.6.7")]
    assert sessions.reports == []


def test_smtputf8_missing_at_the_first_is_delivered_by_the_second() -> None:
    beta = Peer(offers=("mx", "SMTPUTF8"))
    result = run(Sessions(alpha=[Peer()], beta=[beta]), "ü@x".encode(), smtputf8=True)
    assert kinds(result) == [DELIVERED]


@pytest.mark.parametrize("order", [("alpha", "beta"), ("beta", "alpha")])
def test_smtputf8_missing_at_one_while_the_other_is_away_is_deferred(
    order: tuple[str, str],
) -> None:
    stock = {order[0]: [Peer()], order[1]: [ConnectError("x", ())]}
    result = run(Sessions(**stock), "ü@x".encode(), smtputf8=True)
    [outcome] = result.outcomes
    assert outcome.kind == DEFERRED
    assert outcome.status[:1] == b"4"


def test_size_exceeded_fails_before_anything_is_sent() -> None:
    alpha = Peer(offers=("mx", "SIZE 10"))
    result = attempt(envelope(ALICE), message(), [ALPHA], Sessions(alpha=[alpha]))
    assert [(o.kind, o.status) for o in result.outcomes] == [(FAILED, b"5.3.4")]
    assert alpha.commands == ["EHLO client.example.org"]


def test_argument_that_cannot_be_sent_is_deferred_and_blames_nobody() -> None:
    sessions = Sessions(alpha=[Peer()], beta=[Peer()])
    result = run(sessions, b"a b@example.org")
    assert [(o.kind, o.remote) for o in result.outcomes] == [(DEFERRED, b"")]
    assert sessions.reports == []


# --- several recipients


@pytest.mark.trap(11)
def test_each_recipient_has_his_own_verdict() -> None:
    alpha = Peer({A: "550 5.1.1 who", B: "450 4.2.0 later"})
    result = attempt(envelope(ALICE, BOB, CAROL), message(), [ALPHA], Sessions(alpha=[alpha]))
    assert kinds(result) == [FAILED, DEFERRED, DELIVERED]
    assert [recipients for recipients, _ in alpha.messages] == [[C]]


def test_next_smarthost_gets_only_those_who_are_open() -> None:
    alpha, beta = Peer({A: "550 5.1.1 who", B: "450 4.2.0 later"}), Peer()
    result = run(Sessions(alpha=[alpha], beta=[beta]), ALICE, BOB, CAROL)
    assert kinds(result) == [FAILED, DELIVERED, DELIVERED]
    assert [recipients for recipients, _ in beta.messages] == [[B]]
    assert [o.remote for o in result.outcomes] == [b"alpha", b"beta", b"alpha"]


def test_refusals_read_before_a_loss_stand() -> None:
    alpha, beta = Peer({A: "550 5.1.1 who", "DATA": LOST}), Peer()
    result = run(Sessions(alpha=[alpha], beta=[beta]))
    assert kinds(result) == [FAILED, DELIVERED]
    assert [recipients for recipients, _ in beta.messages] == [[B]]


def test_loss_after_the_dot_does_not_concern_who_was_refused_before() -> None:
    alpha = Peer({A: "550 5.1.1 who", B: "450 4.2.0 later", ".": LOST})
    beta = Peer()
    result = run(Sessions(alpha=[alpha], beta=[beta]), ALICE, BOB, CAROL)
    assert kinds(result) == [FAILED, DELIVERED, DEFERRED]
    assert [o.maybe_duplicate for o in result.outcomes] == [False, False, True]
    assert [recipients for recipients, _ in beta.messages] == [[B]]


def test_too_many_recipients_are_offered_again_at_once() -> None:
    addresses = [b"u%d@example.org" % number for number in range(7)]
    alpha = Peer(most_recipients=3)
    sessions = Sessions(alpha=[alpha])
    result = attempt(envelope(*addresses), message(), [ALPHA], sessions)
    assert kinds(result) == [DELIVERED] * 7
    assert [len(recipients) for recipients, _ in alpha.messages] == [3, 3, 1]


def test_rate_without_room_for_another_message_leaves_it_to_the_next_smarthost() -> None:
    alpha, beta = Peer(), Peer()
    sessions = Sessions(alpha=[alpha], beta=[beta])
    sessions.others, sessions.keeps = 1, False
    deliveries = [Delivery(envelope(ALICE), message(), number) for number in range(3)]
    results = [result for _, result in attempts(deliveries, [ALPHA, BETA], sessions)]
    assert [result.outcomes[0].kind for result in results if isinstance(result, Attempt)] == (
        [DELIVERED] * 3
    )
    assert (len(alpha.messages), len(beta.messages)) == (2, 1)
    assert sessions.reports == []


def test_452_to_everybody_is_a_deferral() -> None:
    alpha = Peer(most_recipients=0)
    assert kinds(attempt(envelope(), message(), [ALPHA], Sessions(alpha=[alpha]))) == [DEFERRED] * 2
    assert len([c for c in alpha.commands if c.startswith("MAIL")]) == 1


def test_more_than_a_hundred_recipients_take_several_transactions() -> None:
    addresses = [b"u%d@example.org" % number for number in range(250)]
    alpha = Peer()
    result = attempt(envelope(*addresses), message(), [ALPHA], Sessions(alpha=[alpha]))
    assert kinds(result) == [DELIVERED] * 250
    assert [o.recipient for o in result.outcomes] == addresses
    assert [len(recipients) for recipients, _ in alpha.messages] == [100, 100, 50]


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ({"MAIL": "530 5.7.0 log in"}, DEFERRED),
        ({"MAIL": "421 bye"}, DEFERRED),
        ({"MAIL": LOST}, DEFERRED),
        ({"MAIL": "451 later"}, DEFERRED),
        ({"MAIL": "550 no"}, FAILED),
        ({".": "554 no"}, FAILED),
    ],
    ids=lambda value: str(value),
)
def test_every_one_of_many_recipients_has_an_outcome(answers: dict[str, str], kind: str) -> None:
    addresses = [b"u%d@example.org" % number for number in range(150)]
    sessions = Sessions(alpha=[Peer(answers)])
    result = attempt(envelope(*addresses), message(), [ALPHA], sessions)
    assert kinds(result) == [kind] * 150


def test_loss_after_the_dot_lets_the_rest_go_on_over_a_new_session() -> None:
    addresses = [b"u%d@example.org" % number for number in range(120)]
    second = Peer()
    sessions = Sessions(alpha=[Peer({".": LOST}), second])
    result = attempt(envelope(*addresses), message(), [ALPHA], sessions)
    assert kinds(result) == [DEFERRED] * 100 + [DELIVERED] * 20
    assert [o.maybe_duplicate for o in result.outcomes] == [True] * 100 + [False] * 20


# --- warm sessions


def test_session_gone_cold_is_replaced_without_a_word() -> None:
    fresh = Peer()
    sessions = Sessions(alpha=[session(Peer({"MAIL": LOST})), fresh])
    assert kinds(run(sessions)) == [DELIVERED, DELIVERED]
    assert len(fresh.messages) == 1
    assert sessions.reports == []


def test_421_on_a_warm_session_is_its_idle_timeout() -> None:
    sessions = Sessions(alpha=[session(Peer({"MAIL": "421 4.4.2 idle too long"})), Peer()])
    assert kinds(run(sessions)) == [DELIVERED, DELIVERED]
    assert sessions.reports == []


def test_loss_in_the_middle_of_a_warm_session_counts() -> None:
    sessions = Sessions(alpha=[session(Peer({"DATA": LOST}))], beta=[])
    assert kinds(run(sessions)) == [DEFERRED, DEFERRED]
    assert len(sessions.reports) == 1


def test_timeout_of_a_warm_session_counts() -> None:
    sessions = Sessions(alpha=[session(Peer({"MAIL": SLOW}))], beta=[])
    run(sessions)
    assert len(sessions.reports) == 1


@pytest.mark.parametrize(
    ("trouble", "cold"),
    [
        (ConnectionLost("x"), True),
        (reply_error(421), True),
        (reply_error(451), False),
        (TimedOut("x"), False),
        (ProtocolError("x"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_gone_cold_is_loss_before_an_answer_to_mail(trouble: SmtpError, cold: bool) -> None:
    transaction = Transaction(b"", [b"b@y"], b"")
    assert gone_cold(Verdict(transaction, Transcript(1), trouble)) == cold
    seen = Transcript(1)
    seen.mail = Reply(250, (b"ok",))
    assert not gone_cold(Verdict(transaction, seen, trouble))


# --- nobody there


def test_away_says_why_and_is_no_attempt() -> None:
    sessions = Sessions(alpha=[Away(b"alpha is away: refused")], beta=[])
    result = attempt(envelope(), message(), [ALPHA], sessions)
    assert kinds(result) == [DEFERRED, DEFERRED]
    assert result.outcomes[0].text == b"alpha is away: refused"
    assert not result.tried
    assert sessions.reports == []


def test_away_in_the_middle_keeps_what_was_delivered() -> None:
    addresses = [b"u%d@example.org" % number for number in range(120)]

    class OneOnly(Sessions):
        def give_back(self, *_: object) -> None:
            pass

    sessions = OneOnly(alpha=[Peer()])
    sessions.most = 1
    result = attempt(envelope(*addresses), message(), [ALPHA], sessions)
    assert kinds(result) == [DELIVERED] * 100 + [DEFERRED] * 20
    assert result.tried


def test_no_smarthost_at_all_defers_and_is_no_attempt() -> None:
    result = attempt(envelope(), message(), [], Sessions())
    assert kinds(result) == [DEFERRED, DEFERRED]
    assert result.outcomes[0].text == b"no smarthost is configured"
    assert not result.tried


def test_unforeseen_error_goes_up_and_the_session_is_closed() -> None:
    broken = message()
    broken.close()

    class Bug(Exception):
        pass

    class Raising:
        size = 10

        def chunks(self) -> object:
            raise Bug

    peer = Peer()
    sessions = Sessions(alpha=[peer])
    with pytest.raises(Bug):
        attempt(envelope(), Raising(), [ALPHA], sessions)  # type: ignore[arg-type]
    assert peer.closed
    assert len(sessions.returned) == 1


@pytest.mark.trap(8)
def test_what_a_server_says_is_made_printable() -> None:
    assert told(reply_error(550, b"\x1b[2Jgo\xff")) == b"550 \\x1b[2Jgo\\xff"
    assert told(ConnectError("h", (("1.2.3.4:25", "refused"),))) == (
        b"cannot connect to h (1.2.3.4:25: refused)"
    )


# --- many deliveries over one session


def deliveries(count: int) -> list[Delivery]:
    return [
        Delivery(Envelope(b"a%d@x" % number, (Recipient(b"b%d@y" % number),)), message(), number)
        for number in range(count)
    ]


def results(*facts: Any) -> dict[int, list[Outcome]]:
    """Attempt many; return the outcomes by the delivery's number."""
    found = {}
    for delivery, result in attempts(*facts):
        assert isinstance(result, Attempt)
        assert delivery.subject not in found
        found[delivery.subject] = result.outcomes
    return found


def test_many_deliveries_go_over_one_session() -> None:
    peer = Peer()
    sessions = Sessions(alpha=[peer])
    found = results(deliveries(20), (ALPHA, BETA), sessions)
    assert [found[number][0].kind for number in range(20)] == [DELIVERED] * 20
    assert [recipients for recipients, _ in peer.messages] == [[f"b{n}@y"] for n in range(20)]
    assert sessions.carried == [20]


def test_session_carries_no_more_messages_than_it_has_room_for() -> None:
    sessions = Sessions(alpha=[Peer(), Peer(), Peer()])
    sessions.most = 8
    sessions.keeps = False
    assert len(results(deliveries(20), (ALPHA,), sessions)) == 20
    assert sessions.carried == [8, 8, 4]


def test_delivery_is_taken_only_when_a_session_can_carry_it() -> None:
    taken: list[int] = []

    def watched() -> Iterator[Delivery]:
        for delivery in deliveries(100):
            taken.append(delivery.subject)
            yield delivery

    found = attempts(watched(), (ALPHA,), Sessions(alpha=[Peer()]))
    next(found)
    assert len(taken) < 5
    found.close()


def test_loss_in_the_middle_concerns_one_message_and_the_others_go_on() -> None:
    second = Peer()
    sessions = Sessions(alpha=[Peer({"b3@y": LOST}), second])
    found = results(deliveries(6), (ALPHA,), sessions)
    kinds_of = [found[number][0].kind for number in range(6)]
    assert kinds_of == [DELIVERED] * 3 + [DEFERRED] + [DELIVERED] * 2
    assert not any(found[number][0].maybe_duplicate for number in range(6))
    assert len(sessions.reports) == 1


def test_what_the_first_smarthost_leaves_open_goes_to_the_second() -> None:
    alpha, beta = Peer({"b1@y": "450 busy", "b2@y": "550 no"}), Peer()
    found = results(deliveries(4), (ALPHA, BETA), Sessions(alpha=[alpha], beta=[beta]))
    kinds_of = [found[number][0].kind for number in range(4)]
    assert kinds_of == [DELIVERED, DELIVERED, FAILED, DELIVERED]
    assert found[1][0].remote == b"beta"
    assert [recipients for recipients, _ in beta.messages] == [["b1@y"]]


def test_all_go_to_the_second_smarthost_while_the_first_is_away() -> None:
    beta = Peer()
    sessions = Sessions(alpha=[], beta=[beta])
    found = results(deliveries(2 * LEFT_OVER + 5), (ALPHA, BETA), sessions)
    assert {outcomes[0].remote for outcomes in found.values()} == {b"beta"}
    assert len(found) == len(beta.messages) == 2 * LEFT_OVER + 5


def test_message_that_cannot_be_read_is_told_and_costs_nobody_else() -> None:
    class Unreadable:
        size = 10

        def chunks(self) -> object:
            raise OSError("gone")

    some = deliveries(4)
    some[2] = Delivery(some[2].envelope, Unreadable(), 2)  # type: ignore[arg-type]
    sessions = Sessions(alpha=[Peer(), Peer()])
    told_of = {delivery.subject: result for delivery, result in attempts(some, (ALPHA,), sessions)}
    assert isinstance(told_of[2], OSError)
    others = [told_of[number].outcomes[0].kind for number in (0, 1, 3)]
    assert others == [DELIVERED] * 3


def test_smarthosts_own_limits_are_kept() -> None:
    peer = Peer(offers=(*OFFERS, "LIMITS RCPTMAX=2"))
    addresses = [b"u%d@example.org" % number for number in range(5)]
    assert kinds(attempt(envelope(*addresses), message(), [ALPHA], Sessions(alpha=[peer]))) == [
        DELIVERED
    ] * 5
    assert [len(recipients) for recipients, _ in peer.messages] == [2, 2, 1]
