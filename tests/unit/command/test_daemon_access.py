"""pysendmail check, run by root: what the daemon's user could not read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pysendmail.command.check import check
from pysendmail.command.daemon_access import find_closed_files, group_name, user_name
from pysendmail.config.load import load

DAEMON = 54321  # of no user that there is

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs to be run as root")


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory for everybody, with a configuration and the spool of a daemon's user in it."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        (place / "spool").mkdir()
        os.chown(place / "spool", DAEMON, DAEMON)
        configuration = {
            "smarthost": "smtp://127.0.0.1:1",
            "origin": "example.org",
            "user": "me",
            "password_file": f"{place}/password",
            "ca_file": f"{place}/ca.pem",
            "aliases": f"{place}/aliases",
            "spool": f"{place}/spool",
        }
        for file, text in {
            "p.yaml": "".join(f"{key}: {value}\n" for key, value in configuration.items()),
            "password": "secret\n",
            "ca.pem": "",
            "aliases": "",
        }.items():
            (place / file).write_text(text)
            (place / file).chmod(0o640)
            os.chown(place / file, 0, DAEMON)
        monkeypatch.setenv("PYSENDMAIL_CONFIG", str(place / "p.yaml"))
        yield place


@pytest.mark.root
@as_root
def test_files_of_the_daemons_group_are_open_to_it(place: Path) -> None:
    ours = os.geteuid(), os.getegid(), os.getgroups()
    assert find_closed_files(load(os.environ)) == ([], [])
    assert (os.geteuid(), os.getegid(), os.getgroups()) == ours


@pytest.mark.root
@as_root
@pytest.mark.parametrize("name", ["p.yaml", "password"])
def test_what_root_reads_at_the_start_is_a_warning(
    place: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    os.chown(place / name, 0, 0)
    assert check(connect=False, send_to="") == 0
    said = f"warning: the daemon's user uid {DAEMON} cannot read {place}/{name}: so only root can "
    assert said in capfd.readouterr().out


@pytest.mark.root
@as_root
@pytest.mark.parametrize("name", ["ca.pem", "aliases"])
def test_what_the_daemon_reads_at_its_work_is_wrong(
    place: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    (place / name).chmod(0o600)
    assert check(connect=False, send_to="") == 78
    said = f"the daemon's user uid {DAEMON} cannot read {place}/{name}\n"
    assert said in capfd.readouterr().out


@pytest.mark.root
@as_root
def test_directory_that_is_closed_closes_what_is_in_it(place: Path) -> None:
    place.chmod(0o700)
    at_start, later = find_closed_files(load(os.environ))
    assert (len(at_start), len(later)) == (2, 2)


@pytest.mark.root
@as_root
def test_spool_of_root_has_a_daemon_that_reads_everything(place: Path) -> None:
    place.chmod(0o700)
    os.chown(place / "spool", 0, 0)
    assert find_closed_files(load(os.environ)) == ([], [])


def test_user_and_group_without_a_name_are_numbers() -> None:
    assert (user_name(0), user_name(DAEMON)) == ("root", f"uid {DAEMON}")
    assert (group_name(0), group_name(DAEMON)) == ("group root", f"group {DAEMON}")
