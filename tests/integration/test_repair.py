"""Messages repaired on their way to real servers: one of today, and one without 8BITMIME."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from aiosmtpd.smtp import Envelope, Session

from tests.helpers.catcher import Catcher
from tests.helpers.dialogue import Dialogue
from tests.integration.conftest import SiteMaker

WITHOUT = ("8BITMIME", "SMTPUTF8")


class OldCatcher(Catcher):
    """A catcher that does not know of more than seven bits."""

    async def handle_EHLO(  # noqa: N802
        self,
        dialogue: Dialogue,
        session: Session,
        envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        offered = await super().handle_EHLO(dialogue, session, envelope, hostname, responses)
        return [line for line in offered if line[4:] not in WITHOUT]


@pytest.fixture
def new_catcher() -> Iterator[Catcher]:
    catcher = Catcher()
    yield catcher
    catcher.close()


@pytest.fixture
def old_catcher() -> Iterator[Catcher]:
    catcher = OldCatcher()
    yield catcher
    catcher.close()


def report() -> bytes:
    """Return what a careless program writes: a text of one long line, html in eight bits."""
    message = EmailMessage()
    message["Subject"] = "Übersicht"
    message["From"] = "Jörg <joerg@example.com>"
    message["To"] = "bob@example.net"
    message.set_content("Grüße aus dem Keller.\n" * 3, cte="8bit")
    message.add_alternative("<p>" + "long " * 400 + "</p>\n", subtype="html", cte="7bit")
    message.add_attachment(b"\0\xff" * 300, maintype="image", subtype="png")
    return message.as_bytes(policy=policy.SMTPUTF8.clone(linesep="\n"))


def payloads(content: bytes) -> list[bytes]:
    parsed = message_from_bytes(content, policy=policy.compat32)
    return [
        bytes(part.get_payload(decode=True) or b"").replace(b"\r\n", b"\n")
        for part in parsed.walk()
        if not part.is_multipart()
    ]


@pytest.mark.parametrize("mode", ["-odi", "-odb"])
@pytest.mark.parametrize("daemon", [True, False], ids=["daemon", "direct"])
def test_server_without_8bitmime_gets_seven_bits_with_the_same_meaning(
    make_site: SiteMaker, old_catcher: Catcher, mode: str, daemon: bool
) -> None:
    site = make_site(old_catcher, user="", ca_file="")
    if daemon:
        site.daemon.start()
    written = report()
    assert not written.isascii()
    done = site.sendmail(mode, "-i", "-t", stdin=written)
    assert (done.returncode, done.stderr) == (0, b"")
    [received] = old_catcher.wait_for(1)
    assert received.content.isascii()
    assert max(map(len, received.content.split(b"\r\n"))) <= 998
    assert payloads(received.content) == payloads(written)
    parsed = message_from_bytes(received.content, policy=policy.default)
    assert parsed["Subject"] == "Übersicht"
    assert parsed["From"].addresses[0].display_name == "Jörg"
    assert not any("BODY=" in option for option in old_catcher.caught()[0].mail_options)


def test_server_of_today_gets_eight_bits_and_only_the_long_line_is_repaired(
    make_site: SiteMaker, new_catcher: Catcher
) -> None:
    site = make_site(new_catcher, user="", ca_file="")
    written = report()
    assert site.sendmail("-odi", "-i", "-t", stdin=written).returncode == 0
    [received] = new_catcher.caught()
    assert "BODY=8BITMIME" in received.mail_options
    assert "Subject: Übersicht\r\n".encode() in received.content
    assert "Grüße aus dem Keller.\r\n".encode() in received.content
    assert max(map(len, received.content.split(b"\r\n"))) <= 998
    assert payloads(received.content) == payloads(written)


def test_message_in_a_loop_is_refused_and_nothing_is_queued(
    make_site: SiteMaker, new_catcher: Catcher
) -> None:
    site = make_site(new_catcher, user="", ca_file="")
    message, rounds = b"Subject: round and round\n\n", 0
    while (done := site.sendmail("-odi", "bob@example.net", stdin=message)).returncode == 0:
        rounds += 1
        message = new_catcher.wait_for(rounds)[-1].content
        assert rounds < 20
    assert done.returncode == 69
    assert b"5.4.6" in done.stderr
    assert len(new_catcher.received()) == rounds
    assert site.sendmail("-bp").stdout == b"Mail queue is empty\n"
