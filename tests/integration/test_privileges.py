"""The daemon needs no privilege: any user, no capabilities, and a read-only root will do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.helpers.catcher import Catcher
from tests.helpers.installed import REPOSITORY, SEARCH_PATH, Installation, run_program
from tests.helpers.system import message
from tests.helpers.users import as_root
from tests.helpers.volume import Volume, why_not
from tests.helpers.waiting import wait_until
from tests.integration.conftest import PASSWORD, USER, SiteMaker

ANY_UID = 54321
WITHOUT_PRIVILEGES = ("setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all")


@pytest.mark.parametrize("unit", ["pysendmail.service"])
def test_unit_is_exposed_by_no_more_than_it_needs(unit: str) -> None:
    if not (analyze := shutil.which("systemd-analyze")):
        pytest.skip("systemd is not installed")
    told = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", str(REPOSITORY / "systemd" / unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level for .*: ([0-9.]+)", told.stdout)
    if not found:
        pytest.skip(f"this systemd-analyze cannot look at files: {told.stderr.strip()}")
    assert float(found[1]) <= 1.5, told.stdout


@pytest.fixture
def volume() -> Iterator[Volume]:
    """A volume, all that can be written in there."""
    if reason := why_not():
        pytest.skip(reason)
    made = Volume("size=16m", read_only_root=True)
    yield made
    made.close()


def environment(catcher: Catcher, volume: Volume, ca_file: Path) -> dict[str, str]:
    """All that a container would be told, in its environment."""
    public = volume.seen / "ca.pem"
    public.write_bytes(ca_file.read_bytes())
    return {
        "PATH": SEARCH_PATH,
        "PYSENDMAIL_SMARTHOST": catcher.url,
        "PYSENDMAIL_USER": USER,
        "PYSENDMAIL_PASSWORD_FILE": str(volume.path / "password"),
        "PYSENDMAIL_CA_FILE": str(volume.path / "ca.pem"),
        "PYSENDMAIL_ORIGIN": "example.com",
        "PYSENDMAIL_SPOOL": str(volume.path / "data/spool"),
        "PYSENDMAIL_SOCKET": str(volume.path / "data/s"),
        "PYSENDMAIL_RESERVE": "1MiB",
    }


@pytest.mark.root
@as_root
@pytest.mark.parametrize("door", ["daemon", "direct"])
def test_any_uid_without_capabilities_on_a_read_only_root_sends(
    installation: Installation, catcher: Catcher, volume: Volume, ca_file: Path, door: str
) -> None:
    for name in ("data", "password"):
        place = volume.seen / name
        place.mkdir(mode=0o755) if name == "data" else place.write_text(PASSWORD)
        os.chown(place, ANY_UID, ANY_UID)
    env = environment(catcher, volume, ca_file)
    own: Sequence[str] = [
        *volume.within(),
        *WITHOUT_PRIVILEGES,
        *(f"--reuid={ANY_UID}", f"--regid={ANY_UID}", "--clear-groups"),
    ]
    daemon = None
    if door == "daemon":
        pysendmaild = installation.program("pysendmaild")
        daemon = subprocess.Popen([*own, pysendmaild, "--foreground"], env=env, cwd="/")
        wait_until(lambda: (volume.seen / "data/s").exists(), what="the socket")
    try:
        sendmail = [*own, installation.program("sendmail"), "-i", "user@example.net"]
        done = run_program(sendmail, message("small"), env=env)
        assert (done.returncode, done.stderr) == (0, b"")
        assert catcher.wait_for(1)[0].subject == b"small"
        # larger than what is kept in memory: only the volume has a place for it
        done = run_program(sendmail, message("large", 40_000 * "line of text\n" * 4), env=env)
        assert (done.returncode, done.stderr) == (0, b"")
        assert catcher.wait_for(2)[1].subject == b"large"
    finally:
        if daemon:
            daemon.terminate()
            daemon.wait(30)


@pytest.mark.root
@as_root
def test_root_without_capabilities_is_told_whom_to_start_the_daemon_as(
    make_site: SiteMaker, catcher: Catcher
) -> None:
    site = make_site(catcher)
    spool = site.directory / "spool"
    spool.mkdir()
    os.chown(spool, ANY_UID, ANY_UID)
    program = [site.installation.program("pysendmaild"), "--foreground", "--config", str(site.path)]
    done = run_program([*WITHOUT_PRIVILEGES, *program])
    assert done.returncode == 75
    assert f"may not become uid {ANY_UID}, who owns {spool}".encode() in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_password_comes_as_a_credential_of_systemd(make_site: SiteMaker, catcher: Catcher) -> None:
    site = make_site(catcher, password_file="smtp")
    credentials = site.directory / "credentials"
    credentials.mkdir()
    (credentials / "smtp").write_text(PASSWORD)
    (credentials / "smtp").chmod(0o400)
    site.daemon.start(env={"CREDENTIALS_DIRECTORY": str(credentials)})
    assert site.send("hello", "user@example.net").returncode == 0
    assert catcher.wait_for(1)[0].subject == b"hello"


def test_password_file_open_to_everybody_keeps_the_daemon_from_starting(
    make_site: SiteMaker, catcher: Catcher
) -> None:
    site = make_site(catcher)
    (site.directory / "password").chmod(0o644)
    done = site.run("pysendmaild", "--foreground")
    assert done.returncode == 78
    assert b"is open to everyone (mode 0644)" in done.stderr
    assert PASSWORD.encode() not in done.stderr
