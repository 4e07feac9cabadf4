"""Fixtures of the integration tests: smarthosts, installed programs, evidence of a failure."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from tests.helpers import postfix
from tests.helpers.catcher import Catcher
from tests.helpers.installed import Installation, install, run_program
from tests.helpers.postfix import PostfixSmarthost
from tests.helpers.smarthost import Smarthost
from tests.helpers.system import Site

USER, PASSWORD = "mailer@example.com", "correct horse"
NOBODY = 65534


@pytest.fixture(scope="session")
def postfix_installed() -> None:
    """Skip, with the reason, where no Postfix can be started."""
    if reason := postfix.why_not():
        pytest.skip(reason)


class Certificates:
    """What a smarthost named localhost may show: good, or not; PEM of key and chain."""

    def __init__(self, ca: trustme.CA) -> None:
        self._ca = ca
        self.good = self._issue("localhost", "127.0.0.1")
        self.wrong_name = self._issue("other.example.com")
        yesterday = datetime.now(UTC) - timedelta(days=1)
        self.expired = self._issue("localhost", "127.0.0.1", not_after=yesterday)
        self.stranger = pem_of(trustme.CA().issue_cert("localhost", "127.0.0.1"))

    def _issue(self, *names: str, not_after: datetime | None = None) -> bytes:
        return pem_of(self._ca.issue_cert(*names, not_after=not_after))


def pem_of(leaf: trustme.LeafCert) -> bytes:
    """Return key and certificate chain in one PEM."""
    return leaf.private_key_and_cert_chain_pem.bytes()


@pytest.fixture(scope="session")
def certificates(ca: trustme.CA) -> Certificates:
    """Certificates of the test authority, and one of another."""
    return Certificates(ca)


@pytest.fixture
def postfix_smarthost(
    postfix_installed: None, certificates: Certificates
) -> Iterator[PostfixSmarthost]:
    """A Postfix that wants STARTTLS and AUTH."""
    smarthost = PostfixSmarthost(certificate=certificates.good, user=USER, password=PASSWORD)
    yield smarthost
    smarthost.close()


@pytest.fixture
def catcher(certificates: Certificates) -> Iterator[Catcher]:
    """A catcher that wants STARTTLS and AUTH."""
    smarthost = Catcher(certificate=certificates.good, user=USER, password=PASSWORD)
    yield smarthost
    smarthost.close()


@pytest.fixture(params=["postfix", "catcher"])
def smarthost(request: pytest.FixtureRequest) -> Smarthost:
    """Each of the two in turn: the same must hold with both."""
    name = "postfix_smarthost" if request.param == "postfix" else "catcher"
    found: Smarthost = request.getfixturevalue(name)
    return found


@pytest.fixture(scope="session")
def installation() -> Iterator[Installation]:
    """The programs, installed once for all tests; those below TEST_PREFIX where that is set."""
    if prefix := os.environ.get("TEST_PREFIX"):
        yield Installation(Path(prefix))
        return
    with tempfile.TemporaryDirectory(prefix="pysendmail-prefix-") as prefix:
        os.chmod(prefix, 0o755)  # for submissions of other users
        yield install(Path(prefix))


@pytest.fixture
def stranger(installation: Installation) -> int:
    """The uid of an unprivileged user who can run the programs."""
    if os.geteuid() != 0:
        pytest.skip("only root can run a program as another user")
    interpreter = installation.interpreter("sendmail")
    if run_program(["test", "-x", interpreter], uid=NOBODY).returncode != 0:
        pytest.skip(f"{interpreter}, which the programs were installed with, is root's only")
    return NOBODY


class SiteMaker:
    """Makes sites that trust the test authority and know the smarthost's password."""

    def __init__(self, installation: Installation, ca_file: Path) -> None:
        self._installation = installation
        self._ca_file = str(ca_file)
        self.made: list[Site] = []

    def __call__(self, smarthost: Smarthost, **configuration: str | None) -> Site:
        wanted = {"ca_file": self._ca_file, "user": USER, "password": PASSWORD, **configuration}
        site = Site(self._installation, smarthost, **wanted)  # type: ignore[arg-type]
        self.made.append(site)
        return site


@pytest.fixture
def make_site(installation: Installation, ca_file: Path) -> Iterator[SiteMaker]:
    """A maker of sites; their daemons are started by the test."""
    maker = SiteMaker(installation, ca_file)
    yield maker
    for site in maker.made:
        site.close()


@pytest.fixture
def site(make_site: SiteMaker, smarthost: Smarthost) -> Site:
    """A site with its daemon running, and `smarthost` behind it."""
    made = make_site(smarthost)
    made.daemon.start()
    return made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the logs of daemon and smarthost with a test that failed."""
    report = yield
    if report.when == "call" and report.failed:
        for name, value in item.funcargs.items():
            if isinstance(value, SiteMaker):
                report.sections += [("queue and log", site.evidence()) for site in value.made]
            elif isinstance(value, PostfixSmarthost | Catcher):
                report.sections.append((f"{name}: log", value.log()))
    return report
