"""The public settings in whatever state the configuration is, and whose the spool is."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pysendmail._paths import SOCKET
from pysendmail.command.private_configuration import use_private_configuration
from pysendmail.command.settings import may_write_spool, settings_of
from pysendmail.config.errors import ConfigError
from pysendmail.config.load import load
from pysendmail.config.snapshot_writer import write_snapshot
from pysendmail.submission.exit_status import EX_CONFIG, EX_NOPERM, Refused

NOBODY = 65534


@pytest.fixture
def directory_of_root() -> Iterator[Path]:
    """A directory of root's that every user can reach, unlike tmp_path."""
    before = os.getresuid()
    if before[0]:
        pytest.skip("needs root, to be somebody else")
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    os.setresuid(*before)
    shutil.rmtree(path)


def configuration(directory: Path, text: str) -> dict[str, str]:
    path = directory / "p.yaml"
    path.write_text(text)
    path.chmod(0o644)
    return {"PYSENDMAIL_CONFIG": str(path)}


def test_settings_are_those_of_the_file(tmp_path: Path) -> None:
    settings, trouble = settings_of(configuration(tmp_path, "socket: /run/s\nwait: 5s\n"))
    assert (settings["socket"], settings["wait"], trouble) == ("/run/s", 5.0, b"")


@pytest.mark.parametrize(
    "text", ["wait: soon\n", "socket: [\n", "spol: /here\n"], ids=["value", "YAML", "unknown key"]
)
def test_broken_file_is_told_and_left_aside(tmp_path: Path, text: str) -> None:
    environ = {**configuration(tmp_path, text), "PYSENDMAIL_SPOOL": "/elsewhere"}
    settings, trouble = settings_of(environ)
    assert settings["socket"] == SOCKET
    assert settings["spool"] == "/elsewhere"
    assert b"p.yaml:1" in trouble or b"p.yaml:2" in trouble


def test_broken_file_is_left_aside_for_the_snapshot_of_what_it_said_before(tmp_path: Path) -> None:
    environ = configuration(tmp_path, "smarthost: smtp://mx.example.com\nspool: /there\nwait: 5s\n")
    write_snapshot(load(environ))
    configuration(tmp_path, "spool: [\n")
    settings, trouble = settings_of({**environ, "PYSENDMAIL_WAIT": "6s"})
    assert (settings["spool"], settings["wait"], trouble) == ("/there", 6.0, b"")


@pytest.mark.parametrize("made", ["queue", "spool", "nothing"])
def test_spool_is_ours_where_it_may_be_written_or_made(tmp_path: Path, made: str) -> None:
    if made != "nothing":
        (tmp_path / "spool" / ("queue" if made == "queue" else "")).mkdir(parents=True)
    assert may_write_spool(str(tmp_path / "spool"))


def test_spool_whose_queue_is_no_directory_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "queue").touch(mode=0o600)
    assert not may_write_spool(str(tmp_path))


@pytest.mark.parametrize("made", ["queue", "spool", "nothing"])
def test_spool_of_somebody_else_is_not_ours(directory_of_root: Path, made: str) -> None:
    spool = directory_of_root / "spool"
    if made != "nothing":
        (spool / ("queue" if made == "queue" else "")).mkdir(parents=True)
    os.setresuid(NOBODY, NOBODY, 0)  # the real user too: it is him that access(2) asks about
    assert not may_write_spool(str(spool))


def refusal(path: Path) -> Refused:
    environ: dict[str, str] = {}
    with pytest.raises(Refused) as refused:
        use_private_configuration(environ, str(path))
    assert environ == {}
    return refused.value


def test_private_configuration_is_gone_by_under_its_real_name(tmp_path: Path) -> None:
    configuration(tmp_path, "wait: 5s\n")
    (tmp_path / "link").symlink_to("p.yaml")
    environ: dict[str, str] = {}
    use_private_configuration(environ, str(tmp_path / "link"))
    assert environ == {"PYSENDMAIL_CONFIG": str(tmp_path / "p.yaml")}


@pytest.mark.parametrize("mode", [0o664, 0o646])
@pytest.mark.parametrize("place", ["file", "directory"])
def test_private_configuration_that_others_can_change_is_refused(
    tmp_path: Path, mode: int, place: str
) -> None:
    configuration(tmp_path, "wait: 5s\n")
    changed = tmp_path / "p.yaml" if place == "file" else tmp_path
    changed.chmod(mode | (0 if place == "file" else 0o111))
    refused = refusal(tmp_path / "p.yaml")
    assert refused.status == EX_NOPERM
    assert str(changed).encode() in refused.line


def test_private_configuration_may_lie_in_a_directory_like_tmp(tmp_path: Path) -> None:
    configuration(tmp_path, "wait: 5s\n")
    tmp_path.chmod(0o1777)
    use_private_configuration({}, str(tmp_path / "p.yaml"))


@pytest.mark.parametrize("name", ["missing", "p.yaml/x", "x" * 300, "\udcff"])
def test_private_configuration_that_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    configuration(tmp_path, "wait: 5s\n")
    assert refusal(tmp_path / name).status == EX_CONFIG


def test_mistake_in_a_file_of_any_name_is_one_line_that_can_be_shown(tmp_path: Path) -> None:
    path = tmp_path / "\udcffp\n.yaml"
    path.write_text("wait: soon\n")
    _settings, trouble = settings_of({"PYSENDMAIL_CONFIG": str(path)})
    assert trouble.decode().isprintable()
    assert b"\\udcffp\\n.yaml:1:7: key 'wait'" in trouble


def test_private_configuration_must_have_settings_for_us(tmp_path: Path) -> None:
    configuration(tmp_path, "wait: soon\n")
    with pytest.raises(ConfigError, match="wait"):
        use_private_configuration({}, str(tmp_path / "p.yaml"))
