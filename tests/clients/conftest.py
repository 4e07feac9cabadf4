"""The machine on which the callers run, one for all of them, and the smarthost behind it."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from tests.clients.caller import Caller
from tests.clients.host import Host
from tests.helpers import overlay
from tests.helpers.catcher import Catcher
from tests.helpers.installed import REPOSITORY

PACKAGES = REPOSITORY / ".clients/root"


@pytest.fixture(scope="session")
def smarthost() -> Iterator[Catcher]:
    """The smarthost, which keeps what it is sent."""
    catcher = Catcher()
    yield catcher
    catcher.close()


@pytest.fixture(scope="session")
def host(smarthost: Catcher) -> Iterator[Host]:
    """The machine; skip where there can be none, or nothing was fetched for it."""
    if not PACKAGES.exists():
        pytest.skip("the programs are not here: tests/clients/fetch gets them")
    with tempfile.TemporaryDirectory(prefix="pysendmail-host-") as name:
        directory = Path(name)
        if reason := overlay.why_not(directory):
            pytest.skip(f"no overlay can be mounted here: {reason}")
        machine = Host(directory, smarthost, PACKAGES)
        yield machine
        machine.close()


class Post:
    """Runs callers, and compares what arrives."""

    def __init__(self, host: Host, smarthost: Catcher) -> None:
        self._host = host
        self._smarthost = smarthost

    def check(self, caller: Caller) -> None:
        """Run it; AssertionError unless just its messages arrive, in any order."""
        if self._host.run(f"test -e {caller.needs}").returncode != 0:
            pytest.skip(f"{caller.needs} is not here: tests/clients/fetch gets it")
        before = len(self._smarthost.received())
        self._run(caller.prepare, "root")
        try:
            self._run(caller.script, caller.user)
            self._smarthost.wait_for(before + len(caller.mails))
            self._host.wait_idle()
        finally:
            self._run(caller.stop, "root")
        received = self._smarthost.received()[before:]
        assert len(received) == len(caller.mails)
        for mail in caller.mails:
            differences = min((mail.differences(one) for one in received), key=len)
            assert not differences, "\n".join(differences)

    def _run(self, script: str, user: str) -> None:
        done = self._host.run(dedent(script), user)
        assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")


@pytest.fixture
def post(host: Host, smarthost: Catcher) -> Post:
    """The way from a caller to what arrived."""
    return Post(host, smarthost)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the daemon's log with a test that failed."""
    report = yield
    if report.failed and isinstance(host := item.funcargs.get("host"), Host):
        report.sections.append(("daemon's log", host.log()[-5000:]))
    return report
