"""The smarthost or the daemon is away for a while: nothing is lost, nothing is doubled."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest

from tests.helpers.catcher import Catcher
from tests.helpers.smarthost import END_OF_MESSAGE, Smarthost, times_received
from tests.helpers.system import Site
from tests.helpers.waiting import wait_until
from tests.integration.conftest import SiteMaker

Outage = tuple[Callable[[Smarthost], None], str]

WAIT_S = 2.0  # the configured `wait`
LATE_S = 4.0  # what a busy machine may add to it

# how it begins, and what mailq must say of it
OUTAGES = {
    "4xx at RCPT": (lambda it: it.answer("450 4.2.1 mailbox busy"), "mailbox busy"),
    "4xx after the message": (
        lambda it: it.answer("451 4.3.0 disk is full", at=END_OF_MESSAGE),
        "disk is full",
    ),
    "421 at MAIL": (lambda it: it.answer("421 4.3.2 closing down", at="MAIL"), "closing down"),
    "stopped": (lambda it: it.stop(), "refused"),
    "hangs after accept": (lambda it: it.hang(), ""),
}


@pytest.mark.slow
@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES.keys())
def test_message_of_an_outage_is_taken_in_time_listed_with_the_reason_and_arrives_once(
    make_site: SiteMaker, smarthost: Smarthost, outage: Outage
) -> None:
    begin, reason = outage
    site = make_site(smarthost, wait=f"{WAIT_S:g}s")
    site.daemon.start()
    begin(smarthost)
    for number in range(3):
        started = time.monotonic()
        done = site.send(f"{number}", f"user{number}@example.net")
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert time.monotonic() - started < WAIT_S + LATE_S
    for number in range(3):
        wait_until_listed(site, f"user{number}@example.net", reason)

    smarthost.answer()
    smarthost.start()
    site.flush()
    received = smarthost.wait_for(3, seconds=60)
    site.wait_idle()
    assert set(times_received(received).values()) == {1}
    assert len(smarthost.received()) == 3


@pytest.mark.slow
def test_mail_that_merely_waits_is_late_and_returned_at_its_time(
    make_site: SiteMaker, catcher: Catcher
) -> None:
    site = make_site(catcher, delay_warning="3s", lifetime="8s")
    site.daemon.start()
    catcher.stop()
    for number in range(5):
        assert site.send(f"{number}", "user@example.net").returncode == 0
    site.daemon.wait_for_log(
        lambda log: log.count(": notice ") == 10, "five warnings, five bounces"
    )
    assert site.daemon.log().count("smarthost away") < 5  # 5, 10, 20 seconds apart
    catcher.start()
    site.flush()
    subjects = [one.subject for one in catcher.wait_for(10)]
    assert sum(b"Delayed mail" in subject for subject in subjects) == 5
    assert sum(b"Undelivered mail" in subject for subject in subjects) == 5
    site.wait_idle()


@pytest.mark.slow
def test_message_goes_out_by_itself_when_the_smarthost_is_back(
    site: Site, smarthost: Smarthost
) -> None:
    smarthost.stop()
    assert site.send("later", "user@example.net").returncode == 0
    smarthost.start()
    assert smarthost.wait_for(1, seconds=60)[0].subject == b"later"
    site.wait_idle()


def test_messages_past_the_rate_go_out_by_themselves_one_after_the_other(
    make_site: SiteMaker, smarthost: Smarthost
) -> None:
    site = make_site(smarthost, messages_per_minute="60")
    site.daemon.start()
    began = time.monotonic()
    for number in range(3):
        assert site.send(f"{number}", "user@example.net").returncode == 0
    smarthost.wait_for(1)
    assert "its rate is reached" in site.status()
    received = smarthost.wait_for(3)
    assert time.monotonic() - began > 2.0
    assert set(times_received(received).values()) == {1}
    site.wait_idle()


def test_warm_connection_cut_by_a_restart_of_the_smarthost_is_no_trouble(
    site: Site, smarthost: Smarthost
) -> None:
    assert site.send("before", "user@example.net").returncode == 0
    smarthost.wait_for(1)
    smarthost.stop()
    smarthost.start()
    assert site.send("after", "user@example.net").returncode == 0
    received = smarthost.wait_for(2)
    assert set(times_received(received).values()) == {1}


def test_recipients_that_were_accepted_do_not_get_the_message_again(
    site: Site, smarthost: Smarthost
) -> None:
    smarthost.answer("450 4.2.1 busy", recipient="slow@example.net")
    assert site.send("shared", "slow@example.net", "fast@example.net").returncode == 0
    wait_until_listed(site, "slow@example.net", "busy")
    assert "fast@example.net" not in site.mailq()
    smarthost.answer()
    site.flush()
    received = smarthost.wait_for(2, seconds=60)
    assert [one.recipients for one in received] == [(b"fast@example.net",), (b"slow@example.net",)]


def test_without_a_daemon_a_message_is_sent_directly(
    make_site: SiteMaker, smarthost: Smarthost
) -> None:
    site = make_site(smarthost, linger="false")
    site.make_spool()
    assert site.send("direct", "user@example.net").returncode == 0
    assert [one.subject for one in smarthost.wait_for(1)] == [b"direct"]


def test_without_daemon_and_smarthost_a_message_waits_for_both(
    make_site: SiteMaker, smarthost: Smarthost
) -> None:
    site = make_site(smarthost, linger="false")
    site.make_spool()
    smarthost.stop()
    assert site.send("patient", "user@example.net").returncode == 0
    wait_until_listed(site, "user@example.net", "refused")
    smarthost.start()
    site.daemon.start()
    assert [one.subject for one in smarthost.wait_for(1, seconds=60)] == [b"patient"]
    site.wait_idle()


@pytest.mark.slow
def test_without_a_daemon_a_deferred_message_is_retried_by_a_lingering_one(
    make_site: SiteMaker, smarthost: Smarthost
) -> None:
    site = make_site(smarthost)
    site.make_spool()
    smarthost.answer("450 4.2.1 busy")
    assert site.send("lingering", "user@example.net").returncode == 0
    smarthost.answer()
    assert [one.subject for one in smarthost.wait_for(1, seconds=60)] == [b"lingering"]


def test_lingering_daemon_goes_by_the_configuration_as_corrected(
    make_site: SiteMaker, smarthost: Smarthost
) -> None:
    site = make_site(smarthost, retry_first="1h", retry_longest="1h")
    site.configure(smarthost="smtp://127.0.0.1:1")
    site.make_spool()
    lock = site.directory / "spool/daemon.lock"
    assert site.send("corrected", "user@example.net").returncode == 0
    wait_until(lambda: lock.exists() and "lingers" in lock.read_text(), what="a lingering daemon")
    wait_until_listed(site, "user@example.net", "refused")
    site.configure(smarthost=smarthost.url)
    site.flush()
    assert [one.subject for one in smarthost.wait_for(1)] == [b"corrected"]


@pytest.mark.root
def test_message_dropped_by_a_stranger_goes_out_when_the_daemon_runs(
    make_site: SiteMaker, smarthost: Smarthost, stranger: int
) -> None:
    site = make_site(smarthost)
    site.make_spool()
    done = site.send("dropped", "user@example.net", uid=stranger)
    assert (done.returncode, done.stderr) == (0, b"")
    assert smarthost.received() == []
    site.daemon.start()
    assert [one.subject for one in smarthost.wait_for(1, seconds=60)] == [b"dropped"]


def wait_until_listed(site: Site, recipient: str, reason: str) -> None:
    """Wait until mailq shows the recipient, and in parentheses the reason: one with these words."""

    def is_listed() -> bool:
        listing = site.mailq()
        return recipient in listing and any(reason in words for words in reasons(listing))

    wait_until(is_listed, what=f"{recipient} to be listed as {reason!r}", evidence=site.evidence)


def reasons(listing: str) -> list[str]:
    """Return what mailq says in parentheses, its line ends taken away; without the summary."""
    return [
        " ".join(text.split()) for text in re.findall(r"\(([^()]*(?:\([^()]*\)[^()]*)*)\)", listing)
    ]
