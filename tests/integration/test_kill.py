"""The daemon is killed in the middle of a storm of submissions: none is lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.helpers.installed import Completed
from tests.helpers.smarthost import Smarthost, times_received
from tests.helpers.waiting import wait_until
from tests.integration.conftest import SiteMaker

SUBMISSIONS = 200
KILL_AFTER = (40, 110)  # submissions that have ended when the daemon is killed
CONNECTIONS = 10  # one message at most is under way on each when the daemon dies


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("who", ["ourselves", pytest.param("a stranger", marks=pytest.mark.root)])
def test_every_submission_is_taken_and_delivered_though_the_daemon_is_killed_twice(
    make_site: SiteMaker, smarthost: Smarthost, who: str, request: pytest.FixtureRequest
) -> None:
    uid = request.getfixturevalue("stranger") if who == "a stranger" else None
    site = make_site(smarthost, connections=str(CONNECTIONS), linger="false")
    site.daemon.start()
    ended: list[Completed] = []

    def submit(number: int) -> None:
        ended.append(site.send(f"{number}", f"user{number}@example.net", uid=uid, seconds=120.0))

    with ThreadPoolExecutor(SUBMISSIONS) as threads:
        submissions = [threads.submit(submit, number) for number in range(SUBMISSIONS)]
        for count in KILL_AFTER:
            wait_for_ends(ended, count)
            site.daemon.restart()
        for submission in submissions:
            submission.result()

    refused = [(done.returncode, done.stderr) for done in ended if done.returncode != 0]
    assert (len(ended), refused) == (SUBMISSIONS, [])

    wanted = {b"%d" % number for number in range(SUBMISSIONS)}
    wait_until(
        lambda: wanted <= {one.subject for one in smarthost.received()},
        seconds=120,
        what=f"all {SUBMISSIONS} messages",
        evidence=lambda: missing(wanted, smarthost) + site.evidence(),
    )
    site.wait_idle()
    times = times_received(smarthost.received())
    assert len(times) == SUBMISSIONS
    duplicates = sum(times.values()) - SUBMISSIONS
    assert duplicates <= CONNECTIONS * len(KILL_AFTER), f"{duplicates} duplicates: {times}"


def wait_for_ends(ended: list[Completed], count: int) -> None:
    """Wait until so many submissions have come to their end."""
    wait_until(lambda: len(ended) >= count, seconds=120, what=f"{count} submissions to end")


def missing(wanted: set[bytes], smarthost: Smarthost) -> str:
    """Return what has not arrived."""
    return f"missing: {sorted(wanted - {one.subject for one in smarthost.received()})}\n"
