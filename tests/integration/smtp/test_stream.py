"""Messages back to back through real servers: every verdict is true, whatever is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from pysendmail.smtp import Client, Transaction
from pysendmail.smtp.transaction import Verdict
from tests.helpers.catcher import Catcher
from tests.helpers.smarthost import END_OF_MESSAGE
from tests.integration.smtp.conftest import Server, arrived

Enter = Callable[..., Client]

WAYS = [
    pytest.param(name, ignored, id=f"{name.partition('_')[0]} {way}")
    for name in ("postfix_open", "exim_open", "dovecot_login", "lmtp_server")
    for way, ignored in (("BDAT", ()), ("DATA", (b"CHUNKING",)))
]
over_each = pytest.mark.parametrize(("name", "ignored"), WAYS)


def message(number: int, subject: str = "") -> bytes:
    """Return a message that is like no other."""
    text = f"Date: Wed, 25 Nov 2026 03:00:00 +0000\r\nMessage-ID: <{number}@example.com>\r\n"
    return f"{text}Subject: {subject}{number}\r\n\r\n.{number}\r\n".encode()


def in_order(transactions: list[Transaction], client: Client) -> list[Verdict]:
    """Stream them; each has one verdict, in their order, but those that were not begun any more."""
    verdicts = list(client.stream(iter(transactions)))
    assert [verdict.transaction for verdict in verdicts] == transactions[: len(verdicts)]
    return verdicts


@over_each
def test_three_hundred_messages_all_arrive_once(
    request: pytest.FixtureRequest,
    enter: Enter,
    sender: bytes,
    name: str,
    ignored: tuple[bytes, ...],
) -> None:
    server: Server = request.getfixturevalue(name)
    transactions = [
        Transaction(sender, [b"r%d@example.com" % (number % 7)], message(number))
        for number in range(300)
    ]
    verdicts = in_order(transactions, enter(server, ignored=ignored))
    assert [verdict.transcript.taken for verdict in verdicts] == [True] * 300
    assert all(verdict.trouble is None for verdict in verdicts)
    received = arrived(server, sender, count=300)
    assert Counter(one.subject for one in received) == Counter(b"%d" % n for n in range(300))


def by_postfix(number: int, sender: bytes) -> Transaction:
    """Return a message; Postfix refuses every fifth after its end, every seventh at RCPT."""
    author = b"refused@example.com" if number % 5 == 4 else sender
    recipient = b"bad@example.com" if number % 7 == 6 else b"a@example.com"
    return Transaction(author, [recipient], message(number))


def by_exim(number: int, sender: bytes) -> Transaction:
    """Return a message of which Exim refuses as many."""
    recipient = b"bad@example.com" if number % 7 == 6 else b"a@example.com"
    return Transaction(sender, [recipient], message(number, "refuse" if number % 5 == 4 else ""))


@pytest.mark.parametrize("ignored", [(), (b"CHUNKING",)], ids=["BDAT", "DATA"])
@pytest.mark.parametrize(
    ("name", "make"),
    [("postfix_open", by_postfix), ("exim_open", by_exim)],
    ids=["postfix", "exim"],
)
def test_refusals_in_mid_stream_do_no_harm_to_the_others(
    request: pytest.FixtureRequest,
    enter: Enter,
    sender: bytes,
    name: str,
    make: Callable[[int, bytes], Transaction],
    ignored: tuple[bytes, ...],
) -> None:
    server: Server = request.getfixturevalue(name)
    before = len(server.received())
    transactions = [make(number, sender) for number in range(20)]
    verdicts = in_order(transactions, enter(server, ignored=ignored))
    good = [number for number in range(20) if number % 5 != 4 and number % 7 != 6]
    assert [verdict.trouble for verdict in verdicts] == [None] * 20
    assert [n for n, verdict in enumerate(verdicts) if verdict.transcript.taken] == good
    received = arrived(server, sender, count=len(good))
    assert sorted(int(one.subject) for one in received) == good
    assert all(one.recipients == (b"a@example.com",) for one in received)
    assert len(server.received()) == before + len(good)


@pytest.fixture
def refusing_relay(dovecot_login: Server) -> Iterator[Catcher]:
    """What is behind Dovecot refuses every message to bad@ after the end of data."""
    sink: Catcher = dovecot_login.sink  # type: ignore[union-attr]
    sink.answer("550 5.7.1 refused content", at=END_OF_MESSAGE, recipient="bad@example.com")
    yield sink
    sink.answer()


@pytest.mark.parametrize("ignored", [(), (b"CHUNKING",)], ids=["BDAT", "DATA"])
def test_refusals_by_a_relay_do_no_harm_to_the_others(
    dovecot_login: Server,
    refusing_relay: Catcher,
    enter: Enter,
    sender: bytes,
    ignored: tuple[bytes, ...],
) -> None:
    transactions = [
        Transaction(sender, [b"bad@example.com" if n % 3 else b"a@example.com"], message(n))
        for n in range(60)
    ]
    verdicts = in_order(transactions, enter(dovecot_login, ignored=ignored))
    taken = [n for n, verdict in enumerate(verdicts) if verdict.transcript.taken]
    assert taken == list(range(0, 60, 3))
    assert [int(one.subject) for one in arrived(dovecot_login, sender, count=20)] == taken


@pytest.mark.parametrize("ignored", [(), (b"CHUNKING",)], ids=["BDAT", "DATA"])
@pytest.mark.parametrize("name", ["postfix_open", "exim_open"])
def test_server_that_loses_patience_leaves_no_verdict_in_doubt(
    request: pytest.FixtureRequest,
    enter: Enter,
    sender: bytes,
    name: str,
    ignored: tuple[bytes, ...],
) -> None:
    # Postfix hangs up after 20 errors without a message (smtpd_hard_error_limit), Exim after 10
    # RSETs that followed no message (smtp_accept_max_nonmail): here within the stream.
    server: Server = request.getfixturevalue(name)
    transactions = [
        Transaction(sender, [b"bad@example.com" if 5 <= n < 35 else b"a@example.com"], message(n))
        for n in range(60)
    ]
    verdicts = in_order(transactions, enter(server, ignored=ignored))
    taken = {n for n, verdict in enumerate(verdicts) if verdict.transcript.taken}
    doubtful = {n for n, verdict in enumerate(verdicts) if verdict.may_be_duplicate}
    troubled = {n for n, verdict in enumerate(verdicts) if verdict.trouble is not None}
    assert taken == set(range(5))
    assert troubled
    assert doubtful <= troubled
    assert len(set(range(len(verdicts))) - taken - troubled) >= 9  # refused, and we know it
    client = enter(server)
    assert client.transaction(b"after." + sender, [b"a@example.com"], message(60)).taken
    arrived(server, b"after." + sender)
    arrivals = [int(one.subject) for one in arrived(server, sender, count=len(taken))]
    assert len(arrivals) == len(set(arrivals))
    assert taken <= set(arrivals) <= taken | doubtful
