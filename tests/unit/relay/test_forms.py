"""What a server without 8BITMIME is given, and what the others are."""

from __future__ import annotations

import pytest

from pysendmail.message.content import Content
from pysendmail.message.envelope import Envelope, Recipient
from pysendmail.message.intake import read_message
from pysendmail.message.message import Message
from pysendmail.message.outcome import DELIVERED
from pysendmail.message.repair import to_seven_bit
from pysendmail.relay.attempt import attempt
from pysendmail.relay.forms import Forms
from pysendmail.smtp.extensions import parse_extensions
from tests.unit.relay.peers import Peer, Sessions, smarthost

OLD, NEW = ("mx", "PIPELINING", "SIZE 100000"), ("mx", "8BITMIME", "SIZE 100000")
TEXT = "Subject: t\n\nviele liebe Grüße aus der Ferne\n".encode()
ENCODED = b"viele liebe Gr=C3=BC=C3=9Fe aus der Ferne"


def message(text: bytes = TEXT) -> Message:
    return read_message([text], limit=100_000, content=Content)


def envelope(count: int = 1, *, eight_bit: bool = True) -> Envelope:
    recipients = [Recipient(b"r%d@example.net" % number) for number in range(count)]
    return Envelope(b"root@example.org", recipients, eight_bit=eight_bit)


def test_server_with_8bitmime_is_given_the_message_as_it_is() -> None:
    peer, sent = Peer(offers=NEW), message()
    result = attempt(envelope(), sent, [smarthost("new")], Sessions(new=[peer]))
    assert [outcome.kind for outcome in result.outcomes] == [DELIVERED]
    assert f"MAIL FROM:<root@example.org> SIZE={sent.size} BODY=8BITMIME" in peer.commands
    assert peer.messages[0][1] + b"\r\n" == b"".join(sent.chunks())


def test_server_without_8bitmime_is_given_seven_bits_and_their_size() -> None:
    peer, sent = Peer(offers=OLD), message()
    attempt(envelope(), sent, [smarthost("old")], Sessions(old=[peer]))
    [(_, octets)] = peer.messages
    assert octets.isascii()
    assert octets.endswith(b"\r\n\r\n" + ENCODED)
    assert f"MAIL FROM:<root@example.org> SIZE={len(octets) + 2}" in peer.commands
    assert b"".join(sent.chunks()).endswith("Grüße aus der Ferne\r\n".encode())


def test_next_server_is_given_the_message_as_it_is_again() -> None:
    old, new = Peer({".": "451 later"}, offers=OLD), Peer(offers=NEW)
    attempt(
        envelope(), message(), [smarthost("old"), smarthost("new")], Sessions(old=[old], new=[new])
    )
    assert new.messages[0][1].endswith("Grüße aus der Ferne".encode())


def test_many_recipients_cost_one_conversion(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Message] = []

    def conversion(message: Message) -> Message:
        made.append(message)
        return to_seven_bit(message)

    monkeypatch.setattr("pysendmail.relay.forms.to_seven_bit", conversion)
    peer = Peer(offers=OLD)
    attempt(envelope(250), message(), [smarthost("old")], Sessions(old=[peer]))
    assert len(peer.messages) == 3
    assert len({octets for _, octets in peer.messages}) == 1
    assert len(made) == 1


def test_signed_message_goes_as_it_is() -> None:
    peer = Peer(offers=OLD)
    signed = message(b"DKIM-Signature: v=1\n" + TEXT)
    attempt(envelope(), signed, [smarthost("old")], Sessions(old=[peer]))
    assert "Grüße".encode() in peer.messages[0][1]


@pytest.mark.parametrize(("offers", "eight_bit"), [(OLD, False), (NEW, True)])
def test_form_that_nobody_needs_is_not_made(offers: tuple[str, ...], eight_bit: bool) -> None:
    sent = message()
    forms = Forms(sent, eight_bit=eight_bit)
    extensions = parse_extensions(tuple(offer.encode() for offer in offers))
    assert forms.for_server(extensions) is sent
