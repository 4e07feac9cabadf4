"""The mail of cron and PHP at smarthosts that take it from known addresses only, for each provider.

The smarthost refuses, as the providers do, a message whose envelope sender, From or Sender is not
allowed; what it takes is looked at besides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from aiosmtpd.smtp import Envelope, Session

from pysendmail.config.providers import PRESETS
from tests.helpers.catcher import Catcher
from tests.helpers.dialogue import Dialogue
from tests.integration.conftest import PASSWORD, USER, Certificates, SiteMaker

API_USER = "AKIAEXAMPLE"
ORIGIN = "shop.example.org"

CRON = b"From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@web1> backup\n\ndone\n"
CRONIE = b'From: "(Cron Daemon)" <root>\nTo: root\nSubject: Cron\n\ndone\n'
PHP = (
    b"To: root\r\nSubject: a question\r\nFrom: Vera Visitor <vera@freemail.example>\r\n"
    b"Sender: www-data@web1\r\nX-PHP-Originating-Script: 33:form.php\r\n\r\nHello\r\n"
)
PLAIN = b"Subject: no author at all\n\ntext\n"


class StrictCatcher(Catcher):
    """A smarthost that takes mail from some addresses only."""

    def __init__(self, allowed: Callable[[str], bool], *, certificate: bytes, user: str) -> None:
        self._allowed = allowed
        super().__init__(certificate=certificate, user=user, password=PASSWORD)

    async def handle_MAIL(  # noqa: N802
        self,
        _dialogue: Dialogue,
        _session: Session,
        envelope: Envelope,
        address: str,
        mail_options: list[str],
    ) -> str:
        if address not in ("", "<>") and not self._allowed(address):
            return "553 5.7.1 Sender address rejected: not owned by user"
        envelope.mail_from = address
        envelope.mail_options.extend(mail_options)
        return "250 2.1.0 OK"

    async def handle_DATA(  # noqa: N802
        self, dialogue: Dialogue, session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.original_content, bytes)
        message = parsed(envelope.original_content)
        for name in ("From", "Sender", "Resent-From"):
            for field in message.get_all(name, []):
                if not all(self._allowed(address.addr_spec) for address in field.addresses):
                    return f"554 5.2.252 SendAsDenied; not allowed to send as {field}"
        if len(message.get_all("From", [])) != 1:
            return "550 5.7.1 Messages missing a valid From are not accepted"
        return await super().handle_DATA(dialogue, session, envelope)


def parsed(content: bytes) -> EmailMessage:
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def is_verified(address: str) -> bool:
    domain = address.rpartition("@")[2]
    return domain == ORIGIN or domain.endswith(f".{ORIGIN}")


@pytest.fixture
def mailbox(certificates: Certificates) -> Iterator[Catcher]:
    """A provider of mailboxes: the login's address and no other."""
    catcher = StrictCatcher(USER.__eq__, certificate=certificates.good, user=USER)
    yield catcher
    catcher.close()


@pytest.fixture
def verifier(certificates: Certificates) -> Iterator[Catcher]:
    """A service that knows a verified domain."""
    catcher = StrictCatcher(is_verified, certificate=certificates.good, user=API_USER)
    yield catcher
    catcher.close()


MAILBOXES = [name for name, preset in PRESETS.items() if preset.account]
VERIFIERS = [name for name, preset in PRESETS.items() if not preset.account]


@pytest.mark.parametrize("provider", MAILBOXES)
def test_mailbox_provider_takes_the_mail_of_cron_and_php(
    make_site: SiteMaker, mailbox: Catcher, provider: str
) -> None:
    site = make_site(
        mailbox, provider=provider, origin=ORIGIN, root="admin@example.net", user=USER
    )
    for argv, text in (
        (["-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root"], CRON),
        (["-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", "root"], CRONIE),
        (["-t", "-i", "-fwww-data@web1"], PHP),
        (["-F", "Zoë", "root"], PLAIN),
    ):
        done = site.sendmail(*argv, stdin=text)
        assert (done.returncode, done.stderr) == (0, b""), argv
    cron, cronie, php, plain = (parsed(one.content) for one in mailbox.caught())
    assert {one.sender for one in mailbox.caught()} == {USER.encode()}
    assert {tuple(one.recipients) for one in mailbox.caught()} == {(b"admin@example.net",)}
    assert str(cron["From"]) == f"Cron Daemon <{USER}>"
    assert str(cron["Reply-To"]) == f"root@{ORIGIN}"
    assert str(cronie["From"]) == f'"(Cron Daemon)" <{USER}>'
    assert str(php["From"]) == f"Vera Visitor <{USER}>"
    assert str(php["Reply-To"]) == "vera@freemail.example"
    assert php["Sender"] is None
    assert php["X-PHP-Originating-Script"] == "33:form.php"
    assert str(plain["From"]) == f"Zoë <{USER}>"
    assert plain["Reply-To"] is None


@pytest.mark.parametrize("provider", VERIFIERS)
def test_provider_of_verified_domains_takes_the_mail_of_cron_and_php(
    make_site: SiteMaker, verifier: Catcher, provider: str
) -> None:
    site = make_site(
        verifier, provider=provider, origin=ORIGIN, root="admin@example.net", user=API_USER,
        identities="{www-data: web}", from_=f"hello@{ORIGIN}",
    )  # fmt: skip
    for argv, text in (
        (["-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root"], CRON),
        (["-t", "-i", "-fbounces@example.com"], PHP),
        (["-f", "www-data", "root"], PLAIN),
    ):
        done = site.sendmail(*argv, stdin=text)
        assert (done.returncode, done.stderr) == (0, b""), argv
    cron, php, plain = verifier.caught()
    assert cron.sender == f"root@{ORIGIN}".encode()
    assert f"From: root@{ORIGIN} (Cron Daemon)\r\n".encode() in cron.content
    assert php.sender == f"root@{ORIGIN}".encode()
    assert str(parsed(php.content)["From"]) == f"Vera Visitor <hello@{ORIGIN}>"
    assert str(parsed(php.content)["Reply-To"]) == "vera@freemail.example"
    assert plain.sender == f"web@{ORIGIN}".encode()
    assert parsed(plain.content)["From"].addresses[0].addr_spec == f"web@{ORIGIN}"


def test_bounce_and_resent_mail_are_taken_too(make_site: SiteMaker, mailbox: Catcher) -> None:
    site = make_site(mailbox, provider="gmail", origin=ORIGIN, user=USER)
    resent = b"Resent-From: joe\nResent-To: bob@example.net\nResent-Sender: x@y.example\n" + PHP
    assert site.sendmail("-t", "-i", stdin=resent).returncode == 0
    assert site.sendmail("-f", "", "bob@example.net", stdin=PLAIN).returncode == 0
    again, bounce = mailbox.caught()
    assert parsed(again.content)["Resent-From"].addresses[0].addr_spec == USER
    assert (again.recipients, again.sender) == ((b"bob@example.net",), USER.encode())
    assert bounce.sender == b""
    assert parsed(bounce.content)["From"].addresses[0].addr_spec == USER


def test_user_has_an_identity_of_his_own(
    make_site: SiteMaker, verifier: Catcher, stranger: int
) -> None:
    site = make_site(
        verifier, provider="ses", origin=ORIGIN, user=API_USER, identities=f"{{{stranger}: shop}}"
    )
    site.daemon.start()
    assert site.sendmail("-t", "-i", stdin=PHP, uid=stranger).returncode == 0
    [received] = verifier.wait_for(1)
    assert received.sender != b"vera@freemail.example"
    assert str(parsed(received.content)["From"]) == f"Vera Visitor <shop@{ORIGIN}>"
