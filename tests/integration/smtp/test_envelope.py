"""Sender, recipients and what was asked for them, with real servers; LMTP's verdict for each."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pysendmail.smtp import Client, MissingExtension, Recipient, SizeExceeded
from tests.helpers.dovecot import DovecotLmtp, DovecotSubmission
from tests.integration.smtp.conftest import Server, arrived

MESSAGE = (
    b"Date: Wed, 25 Nov 2026 03:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n"
    b"Subject: x\r\n\r\nx\r\n"
)

Enter = Callable[..., Client]


@pytest.mark.parametrize("name", ["postfix_open", "exim_open", "opensmtpd_open"])
def test_good_and_bad_recipients_each_have_their_verdict(
    request: pytest.FixtureRequest, enter: Enter, sender: bytes, name: str
) -> None:
    server: Server = request.getfixturevalue(name)
    everybody = [b"a@example.com", b"bad@example.com", b"b@example.com"]
    transcript = enter(server).transaction(sender, everybody, MESSAGE)
    codes = [reply.code for reply in transcript.recipients if reply is not None]
    assert codes == [250, 550, 250]
    assert transcript.taken
    received = arrived(server, sender)
    reached = [address for one in received for address in one.recipients]
    assert sorted(reached) == [b"a@example.com", b"b@example.com"]


@pytest.mark.parametrize("name", ["postfix_open", "exim_open", "opensmtpd_open"])
def test_nobody_accepted_means_no_message_and_the_session_goes_on(
    request: pytest.FixtureRequest, enter: Enter, sender: bytes, name: str
) -> None:
    server: Server = request.getfixturevalue(name)
    client = enter(server)
    refused = client.transaction(sender, [b"bad@example.com"], MESSAGE)
    assert not refused.any_accepted
    assert not refused.taken
    assert client.transaction(b"next." + sender, [b"a@example.com"], MESSAGE).taken
    (received,) = arrived(server, b"next." + sender)
    assert received.recipients == (b"a@example.com",)
    assert sender not in [one.sender for one in server.received()]


@pytest.mark.parametrize("name", ["postfix_open", "exim_open"])
def test_temporary_refusal_is_told_from_a_final_one(
    request: pytest.FixtureRequest, enter: Enter, sender: bytes, name: str
) -> None:
    server: Server = request.getfixturevalue(name)
    everybody = [b"busy@example.com", b"bad@example.com", b"a@example.com"]
    transcript = enter(server).transaction(sender, everybody, MESSAGE)
    replies = [(reply.code, reply.enhanced) for reply in transcript.recipients if reply is not None]
    assert replies[0][0] in (450, 451)
    assert replies[1:] == [(550, b"5.1.1"), (250, b"2.1.5" if name == "postfix_open" else b"")]
    (received,) = arrived(server, sender)
    assert received.recipients == (b"a@example.com",)


def test_thousand_recipients_travel_in_one_transaction(
    postfix_open: Server, enter: Enter, sender: bytes
) -> None:
    everybody = [b"r%d@example.com" % number for number in range(1000)]
    transcript = enter(postfix_open).transaction(sender, everybody, MESSAGE)
    assert len(transcript.accepted()) == 1000
    (received,) = arrived(postfix_open, sender)
    assert sorted(received.recipients) == sorted(everybody)


def test_null_sender_and_quoted_local_part_are_taken(postfix_open: Server, enter: Enter) -> None:
    recipient = b'"odd @ one"@example.com'
    assert enter(postfix_open).transaction(b"", [recipient], MESSAGE).taken
    (received,) = arrived(postfix_open, b"")
    assert received.recipients == (b"odd @ one@example.com",)  # as pipe(8) writes it


def test_declared_size_over_the_limit_is_told_before_a_word_is_sent(
    server: Server, enter: Enter, sender: bytes
) -> None:
    client = enter(server)
    with pytest.raises(SizeExceeded):
        client.transaction(sender, [b"a@example.com"], MESSAGE, size=10**9)
    assert client.transaction(sender, [b"a@example.com"], MESSAGE, size=len(MESSAGE)).taken


def test_undeclared_message_over_the_limit_is_refused_and_the_session_goes_on(
    postfix_open: Server, enter: Enter, sender: bytes
) -> None:
    client = enter(postfix_open)
    big = (b"Subject: big\r\n\r\n", *([b"x" * 998 + b"\r\n"] * 21_000))
    transcript = client.transaction(sender, [b"a@example.com"], big)
    assert not transcript.taken
    decisive = transcript.verdict(0)
    assert decisive is not None
    assert decisive.code == 552
    assert client.transaction(sender, [b"a@example.com"], MESSAGE).taken


@pytest.mark.parametrize("name", ["postfix_open", "exim_open", "opensmtpd_open"])
def test_dsn_parameters_are_taken(
    request: pytest.FixtureRequest, enter: Enter, sender: bytes, name: str
) -> None:
    server: Server = request.getfixturevalue(name)
    recipient = Recipient(b"a@example.com", (b"FAILURE", b"DELAY"), b"rfc822;A+b c@example.com")
    client = enter(server)
    transcript = client.transaction(sender, [recipient], MESSAGE, ret=b"HDRS", envid=b"Ab+2=x")
    assert transcript.taken
    arrived(server, sender)


def test_dsn_parameters_pass_a_relay_unchanged(
    dovecot_login: DovecotSubmission, enter: Enter, sender: bytes
) -> None:
    recipient = Recipient(b"a@example.com", (b"FAILURE", b"DELAY"), b"rfc822;A+b@example.com")
    client = enter(dovecot_login)
    assert client.transaction(sender, [recipient], MESSAGE, ret=b"HDRS", envid=b"Ab+2=x").taken
    arrived(dovecot_login, sender)
    (caught,) = [one for one in dovecot_login.sink.caught() if one.sender == sender]
    assert {"RET=HDRS", "ENVID=Ab+2B2+3Dx"} <= set(caught.mail_options)
    (options,) = caught.rcpt_options
    assert "ORCPT=rfc822;A+2Bb@example.com" in options
    (notify,) = [option for option in options if option.startswith("NOTIFY=")]
    assert set(notify.removeprefix("NOTIFY=").split(",")) == {"FAILURE", "DELAY"}


@pytest.mark.parametrize("name", ["postfix_open", "exim_open"])
def test_smtputf8_addresses_arrive_where_they_are_offered(
    request: pytest.FixtureRequest, enter: Enter, sender: bytes, name: str
) -> None:
    server: Server = request.getfixturevalue(name)
    author = "grüße.".encode() + sender
    transcript = enter(server).transaction(
        author, ["zoë@example.com".encode()], MESSAGE, smtputf8=True, body=b"8BITMIME"
    )
    assert transcript.taken
    (received,) = arrived(server, author)
    assert received.recipients == ("zoë@example.com".encode(),)


def test_smtputf8_address_is_not_sent_where_it_is_not_offered(
    opensmtpd_open: Server, enter: Enter, sender: bytes
) -> None:
    client = enter(opensmtpd_open)
    with pytest.raises(MissingExtension):
        client.transaction(sender, ["zoë@example.com".encode()], MESSAGE, smtputf8=True)
    assert client.transaction(sender, [b"a@example.com"], MESSAGE).taken


def test_parameter_that_the_server_does_not_know_is_its_to_refuse(
    postfix_open: Server, enter: Enter, sender: bytes
) -> None:
    client = enter(postfix_open)
    unknown = [(b"XNONSENSE", b"1")]
    transcript = client.transaction(sender, [b"a@example.com"], MESSAGE, parameters=unknown)
    assert transcript.refused
    assert transcript.mail is not None
    assert transcript.mail.code == 555
    assert client.transaction(sender, [b"a@example.com"], MESSAGE).taken


# --- LMTP


@pytest.mark.parametrize("ignored", [(), (b"CHUNKING",)], ids=["BDAT", "DATA"])
def test_lmtp_has_a_verdict_for_each_recipient_after_the_end(
    lmtp_server: DovecotLmtp, enter: Enter, sender: bytes, ignored: tuple[bytes, ...]
) -> None:
    lmtp_server.spoil("spoilt@example.com")
    client = enter(lmtp_server, ignored=ignored)
    everybody = [b"first." + sender, b"spoilt@example.com", b"last." + sender]
    transcript = client.transaction(sender, everybody, MESSAGE)
    assert transcript.accepted() == [0, 1, 2]
    codes = [reply.code for reply in transcript.finals if reply is not None]
    assert codes == [250, 451, 250]
    assert [transcript.verdict(index) for index in range(3)] == transcript.finals
    received = arrived(lmtp_server, sender, count=2)
    assert {one.recipients for one in received} == {(b"first." + sender,), (b"last." + sender,)}
    assert all(one.content.endswith(MESSAGE) for one in received)
    assert client.transaction(b"", [b"first." + sender], MESSAGE).taken
