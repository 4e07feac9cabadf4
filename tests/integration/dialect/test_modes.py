"""What sendmail does besides taking a message: -bv, -bC, -bd, -bD, -q and its kinds, -C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.installed import SEARCH_PATH, Installation
from tests.helpers.people import ALICE
from tests.helpers.sink import DOWN, FULL, Sink
from tests.helpers.system import Site
from tests.helpers.waiting import wait_until
from tests.integration.dialect.cases import through
from tests.integration.dialect.test_queue import send_two_while_down
from tests.integration.dialect.world import DIRECT, PROMPT_S, ROOT, SOCKET, V01, World

# --- -bv


@through("bv", [SOCKET])
def test_verification_tells_where_mail_would_go(world: World) -> None:
    smarthost = f"localhost:{world.sink.port}"
    aliases = world.site.directory / "aliases"
    aliases.write_text("team: carol@example.org, dave\n")
    try:
        done = world.run("sendmail", "-bv", "team, Bob <bob@example.org>", "carol@example.org")
        literal = world.run("sendmail", "-bv", "-n", "team")
    finally:
        aliases.unlink()
    expected = ["carol@example.org", "dave@example.test", "bob@example.org"]
    assert done.stdout.decode().splitlines() == [
        f"{address}... deliverable: smarthost {smarthost}" for address in expected
    ]
    assert (done.returncode, done.stderr) == (0, b"")
    assert literal.stdout.startswith(b"team@example.test... deliverable")
    assert world.sink.received() == []


@through("bv", [SOCKET])
def test_verification_of_what_is_no_address(world: World) -> None:
    done = world.run("sendmail", "-bv", "bob@example.org", "a@b@c")
    assert done.returncode == 67
    assert done.stdout.splitlines()[1] == b"a@b@c... the address cannot be read"


# --- -bC, -bt


@through("bC", [SOCKET])
def test_configuration_check(world: World) -> None:
    done = world.run("sendmail", "-bC", uid=ROOT)
    assert (done.returncode, done.stderr) == (0, b"")
    assert f"configuration: {world.site.path}".encode() in done.stdout


@through("bC", [SOCKET])
def test_configuration_check_of_a_broken_file(world: World, public: Path) -> None:
    (public / "p.yaml").write_text("smarthots: x\n")
    done = world.run("sendmail", "-bC", env={"PYSENDMAIL_CONFIG": str(public / "p.yaml")})
    assert (done.returncode, done.stdout) == (78, b"")
    assert b"p.yaml:1" in done.stderr


# --- -q


@through("qf", (SOCKET, DIRECT))
@pytest.mark.parametrize("words", [["-qf"], ["-q", "-v"]], ids=" ".join)
def test_run_in_the_foreground_is_over_when_the_command_is(world: World, words: list[str]) -> None:
    send_two_while_down(world)
    world.sink.play(FULL)
    world.sendmail(*words, stdin=b"", uid=world.owner, seconds=10.0)
    assert len(world.sink.received()) == 2
    assert world.is_quiet()


@through("qf", [SOCKET])
def test_run_in_the_foreground_ends_while_the_smarthost_is_away(world: World) -> None:
    send_two_while_down(world)
    world.sendmail("-qf", stdin=b"", uid=ROOT, seconds=10.0)
    assert len(world.entries()) == 2


@through("qf", [SOCKET])
def test_run_in_the_foreground_waits_for_no_daemon_that_a_stranger_cannot_start(
    world: World,
) -> None:
    elsewhere = {"PYSENDMAIL_SOCKET": "/nonexistent/socket"}
    began = time.monotonic()
    done = world.run("sendmail", "-qf", env=elsewhere)
    assert (done.returncode, done.stdout) == (69, b"")
    assert b"no daemon is running" in done.stderr
    assert time.monotonic() - began < PROMPT_S


@through("qR", (SOCKET, DIRECT))
@pytest.mark.parametrize("words", [["-qRcarol@"], ["-q!RBOB"], ["-qSme2"]], ids=" ".join)
def test_run_of_a_part_of_the_queue(world: World, words: list[str]) -> None:
    world.sendmail("-odq", "-f", "me1@x.test", "bob@example.org")
    world.sendmail("-odq", "-f", "me2@x.test", "carol@example.org")
    narrowed = world.run("mailq", *words, uid=world.owner).stdout
    assert (b"carol@" in narrowed, b"bob@" in narrowed) == (True, False)
    world.sendmail(*words, "-qf", stdin=b"", uid=world.owner, seconds=10.0)
    assert [one.recipients for one in world.sink.received()] == [(b"carol@example.org",)]
    assert len(world.entries()) == 1


@through("qI", [SOCKET])
def test_run_of_one_entry(world: World) -> None:
    for _ in range(2):
        world.sendmail("-odq", "bob@example.org")
    queue_id = world.entries()[1].split()[0]
    world.sendmail(f"-qI{queue_id}", "-v", stdin=b"", uid=ROOT, seconds=10.0)
    assert len(world.sink.received()) == 1
    assert queue_id not in world.listing()


# --- -bd, -bD, -q15m: the daemon


@pytest.fixture
def site(installation: Installation) -> Iterator[Site]:
    """A site of root's whose daemon is not started by us."""
    sink = Sink()
    made = Site(installation, sink, retry_first="1h", retry_longest="1h")
    yield made
    made.close()
    sink.close()


def pid_of_daemon(site: Site) -> int:
    """Return the pid of the daemon that answers, 0 when none does."""
    done = site.run("pysendmail", "status", "--json")
    return int(json.loads(done.stdout)["pid"]) if done.returncode == 0 else 0


@pytest.mark.root
@pytest.mark.parametrize(
    "words", [["-bd"], ["-bl"], ["-bd", "-q15m"], ["-q15m"], ["-qp"]], ids=" ".join
)
def test_daemon_is_started_in_the_background(site: Site, words: list[str]) -> None:
    done = site.sendmail(*words)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    pid = wait_until(lambda: pid_of_daemon(site), what="a daemon")
    assert os.getsid(pid) != os.getsid(0)
    assert site.sendmail("bob@example.org", stdin=V01).returncode == 0


@pytest.mark.root
def test_second_daemon_is_refused_and_a_runner_is_content(site: Site) -> None:
    site.daemon.start()
    runner = site.sendmail("-q15m")
    assert (runner.returncode, runner.stdout, runner.stderr) == (0, b"", b"")
    second = site.sendmail("-bd")
    assert second.returncode == 69
    assert b"another daemon" in second.stderr


@pytest.mark.root
def test_runner_takes_the_place_of_a_daemon_that_lingers(site: Site) -> None:
    site.run("pysendmaild", "--linger")
    lingering = wait_until(lambda: pid_of_daemon(site), what="a daemon that lingers")
    assert site.sendmail("-q15m").returncode == 0
    wait_until(lambda: pid_of_daemon(site) not in (0, lingering), what="its successor")


@pytest.mark.root
def test_daemon_in_the_foreground_is_the_process_that_was_started(site: Site) -> None:
    process = subprocess.Popen(
        [site.installation.program("sendmail"), "-bD"],
        env={"PATH": SEARCH_PATH, "PYSENDMAIL_CONFIG": str(site.path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        assert wait_until(lambda: pid_of_daemon(site), what="a daemon") == process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        log, _ = process.communicate(timeout=30.0)
    assert process.returncode == 0
    assert b"ready" in log


@pytest.mark.root
def test_interval_is_the_time_between_two_attempts(site: Site) -> None:
    site.sendmail("-bd", "-q7m")
    wait_until(lambda: pid_of_daemon(site), what="a daemon")
    site.configure(smarthost="smtp://127.0.0.1:1")
    os.kill(pid_of_daemon(site), signal.SIGHUP)
    site.sendmail("-odb", "bob@example.org", stdin=V01)

    def waits() -> float:
        done = site.run("pysendmail", "queue", "list", "--json")
        entry = json.loads(done.stdout)
        return entry["last_attempt"] and float(entry["next_attempt"] - entry["last_attempt"])

    assert 420 * 0.75 <= wait_until(waits, what="an attempt") <= 420 * 1.25


# --- -C


@pytest.fixture
def private(world: World, public: Path) -> Path:
    """A configuration of alice's own, with a spool of hers."""
    path = public / "private.yaml"
    path.write_text(
        f"smarthost: {world.sink.url}\norigin: alice.example\nspool: {public}/spool\n"
        f"socket: {public}/socket\nlinger: false\n"
    )
    for one in (public, path):
        os.chown(one, ALICE, ALICE)
        one.chmod(0o755)
    return path


@through("C", [SOCKET])
def test_private_configuration(world: World, private: Path) -> None:
    world.sendmail("-C", str(private), "bob@example.org")
    assert world.mail().sender == b"alice@alice.example"


@through("C", [SOCKET])
def test_private_configuration_knows_no_spool_but_its_own(world: World, private: Path) -> None:
    world.sink.play(DOWN)
    world.sendmail("-C", str(private), "bob@example.org")
    assert world.is_quiet()
    listing = world.run("mailq", f"-C{private}").stdout
    assert b"-- 1 Kbytes in 1 Request." in listing


@through("C", [SOCKET])
def test_configuration_of_somebody_else_is_not_for_root(world: World, private: Path) -> None:
    line = world.refused("-C", str(private), "bob@example.org", status=77, uid=ROOT)
    assert b"not yours and root's alone to write" in line


@through("C", [SOCKET])
def test_private_configuration_that_cannot_be_read_is_no_reason_to_take_another(
    world: World, private: Path
) -> None:
    os.chown(private, ROOT, ROOT)
    os.chown(private.parent, ROOT, ROOT)
    private.chmod(0o600)
    assert b"Permission denied" in world.refused("-C", str(private), "bob@example.org", status=78)


@through("C", [SOCKET])
@pytest.mark.parametrize(
    ("text", "said"),
    [(None, b"No such file"), ("smarthost: [\n", b"private.yaml:"), ("wait: soon\n", b"wait")],
    ids=["missing", "not YAML", "value"],
)
def test_private_configuration_that_cannot_be_used_is_no_reason_to_take_another(
    world: World, private: Path, text: str | None, said: bytes
) -> None:
    if text is None:
        private.unlink()
    else:
        private.write_text(text)
    assert said in world.refused("-C", str(private), "bob@example.org", status=78)
    assert world.run("mailq", "-C", str(private)).returncode == 78
