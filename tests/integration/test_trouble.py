"""Trouble that somebody has to repair: nothing is bounced, the cause is named, then everything goes
out.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.helpers.smarthost import CONNECT, Smarthost, times_received
from tests.helpers.system import Site
from tests.helpers.waiting import wait_until
from tests.integration.conftest import PASSWORD, USER, Certificates, SiteMaker

Step = Callable[[Smarthost, Certificates], None]

# how it begins, how it is repaired, and a word that tells an administrator what it is
TROUBLES: dict[str, tuple[Step, Step, str]] = {
    "wrong password": (
        lambda it, _: it.login(USER, "another"),
        lambda it, _: it.login(USER, PASSWORD),
        "535",
    ),
    "expired certificate": (
        lambda it, certificates: it.certify(certificates.expired),
        lambda it, certificates: it.certify(certificates.good),
        "expired",
    ),
    "certificate of another host": (
        lambda it, certificates: it.certify(certificates.wrong_name),
        lambda it, certificates: it.certify(certificates.good),
        "certificate",
    ),
    "certificate of a stranger": (
        lambda it, certificates: it.certify(certificates.stranger),
        lambda it, certificates: it.certify(certificates.good),
        "certificate",
    ),
    "missing STARTTLS": (
        lambda it, _: it.certify(None),
        lambda it, certificates: it.certify(certificates.good),
        "starttls",
    ),
    "refused at the greeting": (
        lambda it, _: it.answer("554 5.3.2 blocked for spam", at=CONNECT),
        lambda it, _: it.answer(),
        "blocked for spam",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("begin", "repair", "word"), TROUBLES.values(), ids=TROUBLES.keys())
def test_trouble_bounces_nothing_is_named_and_everything_goes_out_after_the_repair(
    site: Site,
    smarthost: Smarthost,
    certificates: Certificates,
    begin: Step,
    repair: Step,
    word: str,
) -> None:
    begin(smarthost, certificates)
    for number in range(3):
        done = site.send(f"{number}", "user@example.net")
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    wait_until_named(site.mailq, word, site)
    wait_until_named(site.status, word, site)
    wait_until_named(site.daemon.log, word, site)
    assert smarthost.received() == []

    repair(smarthost, certificates)
    site.flush()
    received = smarthost.wait_for(3, seconds=60)
    site.wait_idle()
    assert set(times_received(received).values()) == {1}
    assert {one.sender for one in smarthost.received()} == {b"sender@example.com"}
    assert len(smarthost.received()) == 3


@pytest.mark.slow
def test_password_corrected_in_its_file_is_in_force_after_a_reload(
    make_site: SiteMaker, smarthost: Smarthost
) -> None:
    site = make_site(smarthost, password="another")
    site.daemon.start()
    assert site.send("hello", "user@example.net").returncode == 0
    wait_until_named(site.mailq, "535", site)
    site.set_password(PASSWORD)
    site.daemon.reload()
    site.flush()
    assert smarthost.wait_for(1, seconds=60)[0].subject == b"hello"
    site.wait_idle()


def test_password_is_told_to_nobody(make_site: SiteMaker, smarthost: Smarthost) -> None:
    site = make_site(smarthost, password="hidden-from-all")
    site.daemon.start()
    done = site.send("hello", "user@example.net")
    wait_until_named(site.mailq, "535", site)
    told = done.stderr.decode() + site.mailq() + site.status() + site.daemon.log()
    told += site.run("pysendmail", "check").stdout.decode()
    assert "hidden-from-all" not in told


def wait_until_named(source: Callable[[], str], word: str, site: Site) -> None:
    """Wait until `source` has the word, in whatever case."""
    wait_until(
        lambda: word in source().lower(),
        what=f"{word!r} in what {source.__name__} says",
        evidence=lambda: f"{source()}\n{site.evidence()}",
    )
