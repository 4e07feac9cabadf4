"""The clock is set by days or years while mail waits: nothing is bounced for that, and nothing
waits for that time to come.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.catcher import Catcher
from tests.helpers.installed import Installation
from tests.helpers.set_clock import SetClock
from tests.helpers.system import Site
from tests.helpers.waiting import wait_until
from tests.integration.conftest import installation as installation

DAY = 86400.0
YEARS = 55 * 365 * DAY


@pytest.fixture
def catcher() -> Iterator[Catcher]:
    """A smarthost that defers whatever it is sent."""
    smarthost = Catcher()
    smarthost.answer("450 4.2.1 mailbox busy")
    yield smarthost
    smarthost.close()


@pytest.fixture
def clock(installation: Installation, tmp_path: Path) -> SetClock:
    """The clock of the site."""
    return SetClock(installation.interpreter("pysendmaild"), tmp_path)


@pytest.fixture
def site(installation: Installation, catcher: Catcher, clock: SetClock) -> Iterator[Site]:
    """A site with mail that lives for an hour."""
    made = Site(installation, catcher, people=clock, lifetime="1h", delay_warning="30m")  # type: ignore[arg-type]
    yield made
    made.close()


def wait_for_attempts(site: Site, number: int) -> None:
    """Wait until so many attempts more were deferred, or a notice was made."""
    before = site.daemon.log().count(": deferred ")

    def enough(log: str) -> bool:
        return log.count(": deferred ") >= before + number or ": notice " in log

    site.daemon.wait_for_log(enough, f"{number} more attempts")


@pytest.mark.parametrize(
    ("began", "jump"),
    [(0.0, 30 * DAY), (-YEARS, YEARS), (0.0, -30 * DAY)],
    ids=["a month ahead", "from 1971 to today", "a month back"],
)
def test_clock_set_to_and_fro_bounces_nothing_and_keeps_nothing_waiting(
    site: Site, catcher: Catcher, clock: SetClock, began: float, jump: float
) -> None:
    clock.set(began)
    site.daemon.start()
    assert site.send("before", "user@example.net").returncode == 0
    wait_for_attempts(site, 1)
    clock.set(began + jump)
    site.daemon.wait_for_log(lambda log: log.count("clock was set") == 1, "the step to be seen")
    assert site.send("meanwhile", "user@example.net").returncode == 0
    wait_for_attempts(site, 2)
    clock.set(began)
    site.daemon.wait_for_log(lambda log: log.count("clock was set") == 2, "the step to be seen")
    wait_for_attempts(site, 2)
    assert ": notice " not in site.daemon.log()
    catcher.answer()
    received = catcher.wait_for(2)
    assert sorted(one.subject for one in received) == [b"before", b"meanwhile"]
    site.wait_idle()
    assert len(catcher.received()) == 2


def test_clock_that_was_set_while_no_daemon_ran_bounces_nothing_at_once(
    site: Site, catcher: Catcher, clock: SetClock
) -> None:
    site.configure(retry_longest="10m", delay_warning="0")
    clock.set(-YEARS)
    site.daemon.start()
    assert site.send("patient", "user@example.net").returncode == 0
    site.daemon.stop()
    clock.set(0.0)
    site.daemon.start()
    wait_for_attempts(site, 2)
    assert ": notice " not in site.daemon.log()
    catcher.answer()
    assert [one.subject for one in catcher.wait_for(1)] == [b"patient"]
    wait_until(site.is_idle)
