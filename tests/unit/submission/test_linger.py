"""The lingering daemon: how it is started, and when it is not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from pysendmail.submission import linger
from pysendmail.submission.linger import start, start_if_wanted
from tests.helpers.waiting import wait_until

# Writes its arguments and where its first three descriptors lead.
DAEMON = """\
#!/bin/sh
places=$(readlink "/proc/$$/fd/0" "/proc/$$/fd/1" "/proc/$$/fd/2")
printf '%s\\n' "$@" "$places" >"$RECORD.new"
mv "$RECORD.new" "$RECORD"
"""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, str]]:
    """Keep the environments of what would have been started."""
    environs: list[Mapping[str, str]] = []
    monkeypatch.setattr(linger, "start", environs.append)
    return environs


def test_daemon_lingers_and_holds_nothing_of_the_callers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, record = tmp_path / "daemon", tmp_path / "record"
    program.write_text(DAEMON)
    program.chmod(0o755)
    monkeypatch.setattr(linger, "DAEMON", str(program))
    start({"RECORD": str(record)})
    wait_until(record.exists, what="the daemon's record")
    os.wait()
    assert record.read_text().splitlines() == ["--linger"] + ["/dev/null"] * 3


def test_daemon_that_is_not_installed_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linger, "DAEMON", str(tmp_path / "none"))
    start({})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("linger: true\n", True),
        ("", True),
        ("linger: false\n", False),
        ("linger: perhaps\n", False),
        ("linger: [\n", False),
    ],
    ids=repr,
)
def test_configuration_says_whether_a_daemon_is_wanted(
    tmp_path: Path, started: list[Mapping[str, str]], text: str, wanted: bool
) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("origin: example.org\n" + text)
    path.chmod(0o644)
    environ = {"PYSENDMAIL_CONFIG": str(path)}
    start_if_wanted(environ)
    assert started == ([environ] if wanted else [])
