"""The name of the smarthost is found late, or cannot be found now: nothing is lost for that."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.helpers.catcher import Catcher
from tests.helpers.dns import NOERROR, NXDOMAIN, SERVFAIL, Names, why_not
from tests.helpers.installed import Installation
from tests.helpers.system import Site
from tests.helpers.waiting import wait_until

pytestmark = pytest.mark.root


@pytest.fixture
def names() -> Iterator[Names]:
    """The name server of the site."""
    if reason := why_not():
        pytest.skip(reason)
    try:
        made = Names()
    except OSError as error:
        pytest.skip(f"no name server can be bound: {error}")
    yield made
    made.close()


@pytest.fixture
def catcher() -> Iterator[Catcher]:
    """A smarthost that is known by its name only."""
    smarthost = Catcher(host="smarthost.example.net")
    yield smarthost
    smarthost.close()


@pytest.fixture
def site(installation: Installation, catcher: Catcher, names: Names) -> Iterator[Site]:
    """A site with its daemon running."""
    made = Site(installation, catcher, people=names, wait="2s")  # type: ignore[arg-type]
    made.daemon.start()
    yield made
    made.close()


def test_name_that_is_found_late_is_found(site: Site, catcher: Catcher, names: Names) -> None:
    names.answers.clear()
    sent = site.send("late", "user@example.net", mode="-odb")
    assert sent.returncode == 0
    wait_until(lambda: names.asked, what="the question")
    names.answers.set()
    assert [one.subject for one in catcher.wait_for(1)] == [b"late"]


@pytest.mark.parametrize("trouble", ["silent", "failing", "no such name"])
def test_name_that_cannot_be_found_bounces_nothing_and_holds_up_nobody(
    site: Site, catcher: Catcher, names: Names, trouble: str
) -> None:
    if trouble == "silent":
        names.answers.clear()
    names.code = {"failing": SERVFAIL, "no such name": NXDOMAIN}.get(trouble, names.code)
    for number in range(3):
        began = time.monotonic()
        done = site.send(f"{number}", "user@example.net")
        assert (done.returncode, done.stderr) == (0, b"")
        assert time.monotonic() - began < 20.0
    site.daemon.wait_for_log(lambda log: "smarthost away" in log, "the trouble")
    assert "away" in site.status()
    names.code = NOERROR
    names.answers.set()
    site.flush()
    assert sorted(one.subject for one in catcher.wait_for(3)) == [b"0", b"1", b"2"]
    site.wait_idle()
    assert len(catcher.received()) == 3
