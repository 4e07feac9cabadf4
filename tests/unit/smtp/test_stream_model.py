"""What a stream says of each message is what became of it, whatever the server's moods, however the
octets are cut, wherever the connection breaks.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pysendmail.smtp import Client, SmtpError, Transaction, Verdict
from pysendmail.smtp.body import BLOCK_OCTETS
from tests.helpers.model_server import Accepted, ModelServer

# What is wanted is an even spread, and hypothesis prefers small numbers: it gives shapes and seeds.
SEEDS = st.integers(0, 1 << 32).map(Random)
OFFERS = st.sampled_from([(), (b"PIPELINING",), (b"PIPELINING", b"CHUNKING"), (b"CHUNKING",)])
RECIPIENTS = st.integers(1, 4)
LENGTHS = st.sampled_from([0, 10, 2000, BLOCK_OCTETS, 3 * BLOCK_OCTETS])


def transaction_of(number: int, recipients: int, length: int) -> Transaction:
    """A message that no other can be mistaken for, with lines that tempt."""
    text = b"%d\r\n.\r\n..\r\n" % number + b"x" * length
    return Transaction(
        b"sender%d@x" % number,
        [b"r%d.%d@y" % (number, index) for index in range(recipients)],
        [text[:5], text[5:]],
    )


def delivered(verdict: Verdict) -> tuple[bytes, ...]:
    """The recipients that, as the client believes, the server has taken."""
    transaction, transcript = verdict.transaction, verdict.transcript
    return tuple(
        recipient.address
        for index, recipient in enumerate(transaction.recipients)
        if (reply := transcript.verdict(index)) is not None and reply.code < 300
    )


def content_of(transaction: Transaction) -> bytes:
    text = b"".join(transaction.chunks())
    return text if text.endswith(b"\r\n") else text + b"\r\n"


def check(verdicts: list[Verdict], accepted: list[Accepted]) -> None:
    by_sender = {message.sender: message for message in accepted}
    assert len(by_sender) == len(accepted), "a message was accepted twice"
    for verdict in verdicts:
        transaction = verdict.transaction
        message = by_sender.pop(transaction.sender, None)
        believed = delivered(verdict)
        if message is None:
            assert not believed
            continue
        assert message.content == content_of(transaction)
        assert set(message.recipients) <= {who.address for who in transaction.recipients}
        if believed:
            assert message.recipients == believed
            assert verdict.trouble is None
        else:
            assert verdict.may_be_duplicate, "the server has it, and nobody would know"
    assert not by_sender, "the server has what nobody asked about"


def converse(server: ModelServer, transactions: list[Transaction]) -> list[Verdict]:
    client = Client(server, server)
    taken = []

    def watched():
        for transaction in transactions:
            taken.append(transaction)
            yield transaction

    verdicts: list[Verdict] = []
    try:
        client.helo(b"me")
        verdicts.extend(client.stream(watched()))
    except SmtpError:
        assert not taken  # broken before the first message
    assert [verdict.transaction for verdict in verdicts] == taken
    assert client.broken or len(taken) == len(transactions)
    assert all(verdict.trouble is None for verdict in verdicts) or client.broken
    return verdicts


@given(
    SEEDS,
    OFFERS,
    st.lists(st.tuples(RECIPIENTS, LENGTHS), min_size=1, max_size=8),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_moods_of_the_server_are_told_truly(
    random: Random,
    offers: tuple[bytes, ...],
    shapes: list[tuple[int, int]],
    keeps_refused: bool,
    listening: bool,
) -> None:
    transactions = [transaction_of(number, *shape) for number, shape in enumerate(shapes)]
    server = ModelServer(random, offers, keeps_refused=keeps_refused, listening=listening)
    verdicts = converse(server, transactions)
    assert len(verdicts) == len(transactions)
    check(verdicts, server.accepted)


@given(SEEDS, OFFERS, st.lists(st.tuples(RECIPIENTS, LENGTHS), min_size=2, max_size=8))
@settings(max_examples=1000, deadline=None)
def test_break_anywhere_loses_nothing_and_invents_nothing(
    random: Random, offers: tuple[bytes, ...], shapes: list[tuple[int, int]]
) -> None:
    transactions = [transaction_of(number, *shape) for number, shape in enumerate(shapes)]
    commands = sum(recipients + 4 for recipients, _ in shapes)
    server = ModelServer(
        random,
        offers,
        moody=random.random() < 0.5,
        hears=random.choice([1 << 60, 10 + random.randrange(25 * commands)]),
        heard=random.choice([1 << 60, 60 + random.randrange(7 * commands)]),
        keeps_refused=random.random() < 0.5,
        listening=random.random() < 0.5,
    )
    check(converse(server, transactions), server.accepted)


@given(SEEDS, OFFERS, st.booleans())
@settings(max_examples=10, deadline=None)
def test_many_messages_with_many_recipients_stay_within_the_bounds(
    random: Random, offers: tuple[bytes, ...], listening: bool
) -> None:
    transactions = [transaction_of(number, 1 + number % 130, 100) for number in range(140)]
    server = ModelServer(random, offers, moody=False, listening=listening)
    verdicts = converse(server, transactions)
    assert all(verdict.trouble is None for verdict in verdicts)
    check(verdicts, server.accepted)


@pytest.mark.parametrize(
    ("offers", "most"),
    [((), 5 * 200), ((b"PIPELINING",), 1.15 * 200), ((b"PIPELINING", b"CHUNKING"), 200 / 20)],
    ids=["nothing", "pipelining", "chunking"],
)
def test_round_trips_are_as_few_as_the_extensions_allow(
    offers: tuple[bytes, ...], most: float
) -> None:
    server = ModelServer(Random(0), offers, moody=False, cuts=False)
    client = Client(server, server)
    client.helo(b"me")
    opening = server.round_trips
    transactions = [transaction_of(number, 1, 2000) for number in range(200)]
    check(list(client.stream(transactions)), server.accepted)
    assert server.round_trips - opening <= most
