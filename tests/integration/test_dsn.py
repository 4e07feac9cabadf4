"""DSN through the installed program: what goes on the wire, and the reports that we make."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage, Message

import pytest

from tests.helpers.catcher import Catcher
from tests.helpers.dialogue import Caught
from tests.helpers.system import Site, message
from tests.helpers.waiting import wait_until
from tests.integration.conftest import PASSWORD, USER, Certificates, SiteMaker

NO_SUCH_USER = "550 5.1.1 no such user"
GOOD, BAD = "good@example.net", "bad@example.net"
SENDER = (b"sender@example.com",)


@pytest.fixture
def plain_catcher(certificates: Certificates) -> Iterator[Catcher]:
    """A catcher that knows nothing of DSN."""
    smarthost = Catcher(certificate=certificates.good, user=USER, password=PASSWORD, dsn=False)
    yield smarthost
    smarthost.close()


def send(site: Site, *options: str, to: str = GOOD, mode: str = "-odi") -> None:
    done = site.sendmail(
        mode, "-f", "sender@example.com", *options, "--", to, stdin=message("report")
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def started(make_site: SiteMaker, catcher: Catcher, **configuration: str) -> Site:
    site = make_site(catcher, **configuration)
    site.daemon.start()
    return site


def report_of(caught: Caught) -> tuple[str, dict[str, str], list[dict[str, str]], EmailMessage]:
    """Return text, fields of the message, those of each recipient, and what came back."""
    assert (caught.sender, caught.recipients) == (b"", SENDER)
    whole = email.message_from_bytes(caught.content, policy=email.policy.default)
    assert whole.get_content_type() == "multipart/report"
    assert whole.get_param("report-type") == "delivery-status"
    assert whole["Auto-Submitted"] == "auto-replied"
    text, status, original = whole.iter_parts()
    assert isinstance(text, EmailMessage)
    assert isinstance(original, EmailMessage)
    assert status.get_content_type() == "message/delivery-status"
    blocks = status.get_payload()
    assert isinstance(blocks, list)
    first, *others = (
        {key: str(value) for key, value in block.items()}
        for block in blocks
        if isinstance(block, Message) and block.items()
    )
    return text.get_content(), first, others, original


@pytest.mark.parametrize(
    ("options", "mail", "rcpt"),
    [
        (("-N", "never"), [], ["NOTIFY=NEVER"]),
        (("-N", "failure,delay"), [], ["NOTIFY=FAILURE,DELAY"]),
        (("-N", "success"), [], ["NOTIFY=SUCCESS"]),
        (("-R", "hdrs"), ["RET=HDRS"], []),
        (("-R", "full"), ["RET=FULL"], []),
        (("-V", "id+1=2"), ["ENVID=id+2B1+3D2"], []),
        ((), [], []),
    ],
)
def test_dsn_options_go_to_a_smarthost_that_offers_dsn_and_to_no_other(
    make_site: SiteMaker,
    catcher: Catcher,
    plain_catcher: Catcher,
    options: tuple[str, ...],
    mail: list[str],
    rcpt: list[str],
) -> None:
    for smarthost, offered in (catcher, True), (plain_catcher, False):
        send(started(make_site, smarthost), *options)
        smarthost.wait_for(1)
        caught = smarthost.caught()[0]
        words = ("RET=", "ENVID=", "NOTIFY=", "ORCPT=")
        assert [word for word in caught.mail_options if word.startswith(words)] == (
            mail if offered else []
        )
        expected = [*rcpt, f"ORCPT=rfc822;{GOOD}"]
        assert [word for word in caught.rcpt_options[0] if word.startswith(words)] == (
            expected if offered else []
        )


def test_success_is_reported_by_us_only_where_the_smarthost_does_not(
    make_site: SiteMaker, catcher: Catcher, plain_catcher: Catcher
) -> None:
    with_dsn, without = started(make_site, catcher), started(make_site, plain_catcher)
    for site in (with_dsn, without):
        for mode in ("-odi", "-odb"):
            send(site, "-N", "success", "-V", "QQ1", mode=mode)
        site.wait_idle()
    plain_catcher.wait_for(4)
    assert [caught.sender for caught in catcher.caught()] == [b"sender@example.com"] * 2
    reports = [caught for caught in plain_catcher.caught() if not caught.sender]
    assert len(reports) == 2
    for report in reports:
        text, whole, (recipient,), original = report_of(report)
        assert "gives no such reports" in text
        assert whole["Original-Envelope-Id"] == "QQ1"
        assert recipient["Action"] == "relayed"
        assert recipient["Status"] == "2.0.0"
        assert recipient["Final-Recipient"] == f"rfc822; {GOOD}"
        assert original.get_content_type() == "text/rfc822-headers"


@pytest.mark.parametrize("options", [(), ("-N", "failure"), ("-N", "failure,delay,success")])
@pytest.mark.parametrize(("ret", "whole"), [("hdrs", False), ("full", True)])
def test_failure_comes_back_to_the_sender_with_what_was_asked_for(
    make_site: SiteMaker, plain_catcher: Catcher, options: tuple[str, ...], ret: str, whole: bool
) -> None:
    site = started(make_site, plain_catcher)
    plain_catcher.answer(NO_SUCH_USER, recipient=BAD)
    send(site, *options, "-R", ret, "-V", "QQ1", to=BAD, mode="-odb")
    plain_catcher.wait_for(1, seconds=60)
    text, first, (recipient,), original = report_of(plain_catcher.caught()[0])
    assert "localhost said: 550 5.1.1 no such user" in text
    assert "Check the address" in text
    assert first["Reporting-MTA"] == "dns; client.example.com"
    assert first["Original-Envelope-Id"] == "QQ1"
    assert recipient["Original-Recipient"] == recipient["Final-Recipient"] == f"rfc822; {BAD}"
    assert (recipient["Action"], recipient["Status"]) == ("failed", "5.1.1")
    assert recipient["Remote-MTA"] == "dns; localhost"
    assert recipient["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user"
    assert recipient["Last-Attempt-Date"]
    content = original.as_string()
    assert "Subject: report" in content
    assert ("Hello." in content) is whole
    site.wait_idle()
    assert len(plain_catcher.received()) == 1


@pytest.mark.parametrize("notify", ["never", "delay", "success"])
def test_failure_that_nobody_wants_to_hear_of_is_only_logged(
    make_site: SiteMaker, catcher: Catcher, notify: str
) -> None:
    site = started(make_site, catcher)
    catcher.answer(NO_SUCH_USER, recipient=BAD)
    send(site, "-N", notify, to=BAD, mode="-odb")
    site.daemon.wait_for_log(lambda log: f"no bounce to={BAD}" in log, "that nobody hears of it")
    site.wait_idle()
    assert catcher.received() == []


@pytest.mark.parametrize(("options", "warned"), [((), True), (("-N", "failure"), False)])
def test_delay_is_told_where_that_is_wanted_with_the_end_of_the_attempts(
    make_site: SiteMaker, catcher: Catcher, options: tuple[str, ...], warned: bool
) -> None:
    site = started(make_site, catcher, delay_warning="1s", lifetime="1d")
    catcher.answer("450 4.2.1 mailbox busy", recipient=BAD)
    send(site, *options, to=BAD)
    if not warned:

        def attempts() -> int:
            return site.daemon.log().count("deferred")

        wait_until(lambda: attempts() > 2, what="attempts after the warning is due", seconds=60)
        assert catcher.received() == []
        return
    catcher.wait_for(1, seconds=60)
    text, _, (recipient,), _ = report_of(catcher.caught()[0])
    assert "you do not need to send your message again" in text
    assert (recipient["Action"], recipient["Status"]) == ("delayed", "4.2.1")
    assert recipient["Will-Retry-Until"]


def test_several_failures_of_one_attempt_come_back_in_one_report(
    make_site: SiteMaker, catcher: Catcher
) -> None:
    site = started(make_site, catcher)
    for name in ("a", "b"):
        catcher.answer(NO_SUCH_USER, recipient=f"{name}@example.net")
    done = site.send("many", "a@example.net", "b@example.net", GOOD, mode="-odb")
    assert done.returncode == 0
    catcher.wait_for(2, seconds=60)
    (report,) = (caught for caught in catcher.caught() if not caught.sender)
    _, _, recipients, _ = report_of(report)
    assert [one["Final-Recipient"] for one in recipients] == [
        "rfc822; a@example.net",
        "rfc822; b@example.net",
    ]


def test_alias_is_the_original_recipient_on_the_wire_and_in_the_report(
    make_site: SiteMaker, catcher: Catcher
) -> None:
    site = started(make_site, catcher)
    (site.directory / "aliases").write_text(f"staff: {GOOD}, {BAD}\n")
    catcher.answer(NO_SUCH_USER, recipient=BAD)
    send(site, "-N", "failure", to="staff", mode="-odb")
    catcher.wait_for(2, seconds=60)
    report, delivered = sorted(catcher.caught(), key=lambda caught: caught.sender)
    assert set(delivered.rcpt_options[0]) >= {"NOTIFY=FAILURE", "ORCPT=rfc822;staff@example.com"}
    text, _, (recipient,), _ = report_of(report)
    assert f"<{BAD}> (you wrote to <staff@example.com>)" in text
    assert recipient["Original-Recipient"] == "rfc822; staff@example.com"
    assert recipient["Final-Recipient"] == f"rfc822; {BAD}"


def test_address_beyond_ascii_is_reported_in_the_forms_made_for_it(
    make_site: SiteMaker, catcher: Catcher
) -> None:
    site = started(make_site, catcher)
    address = "bäd@example.net"
    catcher.answer(NO_SUCH_USER, recipient=address)
    send(site, to=address, mode="-odb")
    catcher.wait_for(1, seconds=60)
    caught = catcher.caught()[0]
    assert (caught.sender, caught.recipients) == (b"", SENDER)
    assert "BODY=8BITMIME" in caught.mail_options
    assert "SMTPUTF8" not in caught.mail_options  # the report's own header is ASCII
    assert b"\r\nContent-Type: message/global-delivery-status\r\n" in caught.content
    assert f"\r\nOriginal-Recipient: utf-8; {address}\r\n".encode() in caught.content
    assert f"\r\nFinal-Recipient: utf-8; {address}\r\n".encode() in caught.content
