"""Nobody but root and the daemon has the password: not by a file, /proc, a core or an option."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.helpers.catcher import Catcher
from tests.helpers.system import Site
from tests.helpers.users import acting_as, as_root
from tests.helpers.waiting import wait_until
from tests.integration.conftest import PASSWORD, SiteMaker

SERVICE, ALICE = 12000, 12001
PRIVATE = ("environ", "mem", "maps", "auxv", "fd", "root", "stack", "syscall")

pytestmark = [pytest.mark.root, as_root]


def give_to_service(site: Site) -> None:
    """Make spool and socket directory the service's own, as an installation does."""
    for name, mode in (("spool", 0o711), ("run", 0o755)):
        directory = site.directory / name
        directory.mkdir()
        directory.chmod(mode)
        os.chown(directory, SERVICE, SERVICE)


@pytest.fixture(params=["started by root", "started as its own user"])
def guarded(request: pytest.FixtureRequest, make_site: SiteMaker, catcher: Catcher) -> Site:
    """A site whose daemon runs as its own user and has the password from its environment, too."""
    own = request.param == "started as its own user"
    site = make_site(catcher, **({"password_file": None} if own else {}))
    give_to_service(site)
    site.daemon.start(
        env={"PYSENDMAIL_PASSWORD": PASSWORD} if own else {}, uid=SERVICE if own else None
    )
    return site


@pytest.mark.parametrize("uid", [ALICE, SERVICE], ids=["a user", "another process of its own user"])
def test_memory_and_environment_of_the_daemon_are_closed(guarded: Site, uid: int) -> None:
    process = Path(f"/proc/{guarded.daemon.pid}")
    assert f"Uid:\t{SERVICE}\t{SERVICE}" in (process / "status").read_text()
    with acting_as(uid):
        for name in PRIVATE:
            with pytest.raises(OSError):
                list((process / name).iterdir()) if name == "fd" else (process / name).read_bytes()
            with pytest.raises(OSError):
                os.close(os.open(process / "mem", os.O_RDWR))
    assert guarded.send("still works", "user@example.net").returncode == 0


def test_daemon_leaves_no_core(guarded: Site) -> None:
    process = Path(f"/proc/{guarded.daemon.pid}")
    [limit] = [line for line in (process / "limits").read_text().splitlines() if "core" in line]
    assert limit.split()[4:6] == ["0", "0"]
    # Where cores go to a program that limit does not hold; that nobody may dump it, does.
    assert (process / "environ").stat().st_uid == 0
    os.kill(guarded.daemon.pid, signal.SIGABRT)
    wait_until(lambda: "(zombie)" in (process / "status").read_text(), what="its end")
    assert not list(guarded.directory.rglob("core*"))


@pytest.mark.parametrize(
    "words",
    [
        ["-C", "{password}", "root"],
        ["-bv", "-C", "{password}", "root"],
        ["-bC", "-C", "{password}"],
        ["-bi", "-oA{password}"],
        ["-bi", "-O", "AliasFile={password}"],
        ["-X", "{password}", "-bv", "root"],
        ["-O", "ConfigFile={password}", "-bv", "root"],
    ],
    ids=" ".join,
)
def test_no_option_shows_a_user_the_password(
    guarded: Site, words: list[str], request: pytest.FixtureRequest
) -> None:
    uid = request.getfixturevalue("stranger")
    secret = guarded.directory / "secret"
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o640)
    argv = [word.replace("{password}", str(secret)) for word in words]
    done = guarded.sendmail(*argv, stdin=b"", uid=uid)
    assert PASSWORD.encode() not in done.stdout + done.stderr
    assert secret.read_text() == PASSWORD + "\n"


@pytest.mark.parametrize("variable", ["PASSWORD_FILE", "ALIASES", "CONFIG", "CA_FILE"])
def test_no_variable_lends_a_user_the_daemons_rights(
    guarded: Site, variable: str, request: pytest.FixtureRequest
) -> None:
    uid = request.getfixturevalue("stranger")
    secret = guarded.directory / "secret"
    secret.write_text(f"# {PASSWORD}\n{PASSWORD}\n")
    secret.chmod(0o600)
    os.chown(secret, SERVICE, SERVICE)
    env = {f"PYSENDMAIL_{variable}": str(secret)}
    for words in (["-bv", "root"], ["-bC"], ["-bi"], ["-v", "user@example.net"]):
        done = guarded.sendmail(*words, stdin=b"Subject: t\n\n", uid=uid, env=env)
        assert PASSWORD.encode() not in done.stdout + done.stderr


def test_trace_file_of_an_option_is_never_opened(
    guarded: Site, request: pytest.FixtureRequest
) -> None:
    uid = request.getfixturevalue("stranger")
    trace = guarded.directory / "trace"
    for option in (f"-X{trace}", f"-OQueueDirectory={trace}", f"-oQ{trace}"):
        done = guarded.sendmail(option, "user@example.net", stdin=b"Subject: t\n\n", uid=uid)
        assert done.returncode == 0
        assert guarded.sendmail(option, "a@example.net", stdin=b"Subject: t\n\n").returncode == 0
    assert not trace.exists()
