"""monitoring-plugins' check_mailq over our mailq, as it is for Postfix and for Sendmail."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.helpers.people import NAMELESS
from tests.integration.dialect.cases import through
from tests.integration.dialect.test_queue import send_two_while_down
from tests.integration.dialect.world import DIRECT, ROOT, SOCKET, World

PLUGINS = Path("/usr/lib/nagios/plugins")
CRITICAL_FROM, WARNING_FROM = 3, 2
PATIENCE_S = 30.0

pytestmark = pytest.mark.skipif(
    not (PLUGINS / "check_mailq").exists(), reason="monitoring-plugins-standard is not installed"
)


class CheckMailq:
    """The plugin, with the path of the mailq that it shall run."""

    def __init__(self, directory: Path, mailq: str) -> None:
        self._plugin = directory / "check_mailq"
        shutil.copy(PLUGINS / "check_mailq", self._plugin)
        utils = (PLUGINS / "utils.pm").read_text()
        assert '"/usr/bin/mailq"' in utils
        (directory / "utils.pm").write_text(utils.replace('"/usr/bin/mailq"', f'"{mailq}"'))

    def run(self, world: World, mode: str, uid: int) -> tuple[int, str, bytes]:
        """Return its exit status, the line it prints, and what mailq had to complain of."""
        limits = ["-w", str(WARNING_FROM), "-c", str(CRITICAL_FROM)]
        process = world.popen(str(self._plugin), "-M", mode, *limits, uid=uid)
        output, errors = process.communicate(timeout=PATIENCE_S)
        return process.returncode, output.decode().partition("|")[0].strip(), errors


@pytest.fixture
def check_mailq(world: World, public: Path) -> CheckMailq:
    """The plugin for the mailq of this world."""
    return CheckMailq(public, world.site.installation.program("mailq"))


@through("empty", (SOCKET, DIRECT))
@pytest.mark.parametrize("mode", ["postfix", "sendmail"])
def test_empty_queue_is_ok(world: World, check_mailq: CheckMailq, mode: str) -> None:
    status, line, errors = check_mailq.run(world, mode, world.owner)
    assert (status, line.split(":")[0], errors) == (0, "OK", b"")
    assert "empty" in line


@through("two", [SOCKET])
@pytest.mark.parametrize("mode", ["postfix", "sendmail"])
@pytest.mark.parametrize("uid", [ROOT, NAMELESS], ids=["root", "monitor"])
def test_entries_are_counted_right_whoever_asks(
    world: World, check_mailq: CheckMailq, mode: str, uid: int
) -> None:
    send_two_while_down(world)
    said = f"WARNING: {mode} mailq is 2 (threshold w = {WARNING_FROM})"
    assert check_mailq.run(world, mode, uid) == (1, said, b"")


@through("mailq-of-nobody", [SOCKET])
@pytest.mark.parametrize("mode", ["postfix", "sendmail"])
def test_daemon_that_does_not_run_is_critical(
    world: World, check_mailq: CheckMailq, mode: str
) -> None:
    """A monitor must not take a queue that nobody serves for an empty one."""
    directory = os.path.dirname(world.site.socket)
    os.chmod(directory, 0o700)
    try:
        status, line, errors = check_mailq.run(world, mode, NAMELESS)
    finally:
        os.chmod(directory, 0o755)
    assert (status, line.split(":")[0]) == (2, "CRITICAL")
    assert b"no daemon is running" in errors
