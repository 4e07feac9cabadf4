"""The snapshot: used when it is surely right, never when in doubt."""

from __future__ import annotations

import marshal
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pysendmail.config.errors import ConfigError
from pysendmail.config.load import load
from pysendmail.config.snapshot import (
    PUBLIC_DEFAULTS,
    public_settings,
    read_snapshot,
    snapshot_path,
)
from pysendmail.config.snapshot_writer import write_snapshot

from .conftest import GOOD_YAML

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = GOOD_YAML + "socket: /run/here\nwait: 7s\n"
# what costs the shim milliseconds, and what only an administrator's slip needs
NEEDLESS = {
    "typing", "re", "enum", "dataclasses", "logging", "json", "email", "argparse", "pathlib",
    "subprocess", "contextlib", "threading", "tempfile", "string", "socket", "ssl", "yaml",
    "difflib",
}  # fmt: skip


@pytest.fixture
def snapshot(yaml_file: Callable[..., str]) -> str:
    """The path of a YAML file that has a snapshot."""
    path = yaml_file(TEXT)
    write_snapshot(load({}, path))
    return path


def loaded_modules(code: str) -> set[str]:
    program = f"import sys\nsys.path[:0] = {sys.path!r}\n{code}\nprint(*sys.modules)"
    child = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True
    )
    return set(child.stdout.split())


def test_snapshot_stands_beside_the_file() -> None:
    assert snapshot_path("/etc/pysendmail/p.yaml") == "/etc/pysendmail/.p.yaml.snapshot"


def test_snapshot_holds_what_the_file_says(snapshot: str) -> None:
    read = read_snapshot(snapshot)
    assert read.complete
    assert read.values["smarthost"] == ("submission://relay.test",)
    assert read.values["wait"] == 7.0
    assert "lifetime" not in read.values
    assert "complete=True" in repr(read)


def test_snapshot_is_for_everyone_whatever_the_umask(yaml_file: Callable[..., str]) -> None:
    path = yaml_file(TEXT)
    before = os.umask(0o077)
    try:
        write_snapshot(load({}, path))
    finally:
        os.umask(before)
    assert os.stat(snapshot_path(path)).st_mode & 0o7777 == 0o644
    assert sorted(os.listdir(os.path.dirname(path))) == [".p.yaml.snapshot", "p.yaml"]


def test_snapshot_of_a_private_file_has_only_public_settings(
    yaml_file: Callable[..., str],
) -> None:
    path = yaml_file("user: me\npassword: hunter2\nsocket: /run/here\n", mode=0o640)
    write_snapshot(load({}, path))
    read = read_snapshot(path)
    assert read.values == {"socket": "/run/here"}
    assert not read.complete
    assert b"hunter2" not in Path(snapshot_path(path)).read_bytes()


def test_snapshot_of_another_content_is_not_believed(snapshot: str) -> None:
    Path(snapshot).write_text(TEXT.replace("7s", "8s"))
    assert read_snapshot(snapshot) is None


def test_snapshot_of_a_replaced_file_is_not_believed(snapshot: str) -> None:
    status = os.stat(snapshot)
    other = Path(snapshot + ".new")
    other.write_text(TEXT.replace("7s", "8s"))
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.rename(snapshot)
    assert read_snapshot(snapshot) is None


def test_file_changed_between_reading_and_writing_the_snapshot_makes_it_void(
    yaml_file: Callable[..., str],
) -> None:
    path = yaml_file(TEXT)
    loaded = load({}, path)
    Path(path).write_text(TEXT + "linger: no\n")
    write_snapshot(loaded)
    assert read_snapshot(path) is None


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_snapshot_that_others_can_write_is_not_believed(snapshot: str, mode: int) -> None:
    os.chmod(snapshot_path(snapshot), mode)
    assert read_snapshot(snapshot) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="gives the file to another user")
def test_snapshot_of_another_user_is_not_believed(snapshot: str) -> None:
    os.chown(snapshot_path(snapshot), 65534, -1)
    assert read_snapshot(snapshot) is None


def test_snapshot_through_a_symbolic_link_is_not_believed(snapshot: str) -> None:
    path = Path(snapshot_path(snapshot))
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")
    assert read_snapshot(snapshot) is None


def other_version(content: bytes) -> bytes:
    magic, *rest = marshal.loads(content)
    return marshal.dumps(((*magic[:-1], magic[-1] + 1), *rest))


@pytest.mark.parametrize(
    "change",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: b"garbage",
        lambda content: marshal.dumps(7),
        lambda content: marshal.dumps((1, 2)),
        other_version,
    ],
    ids=["empty", "torn", "garbage", "number", "pair", "other version"],
)
def test_snapshot_that_is_none_is_not_believed(
    snapshot: str, change: Callable[[bytes], bytes]
) -> None:
    path = Path(snapshot_path(snapshot))
    path.write_bytes(change(path.read_bytes()))
    assert read_snapshot(snapshot) is None


def test_directory_that_cannot_be_written_is_an_os_error_and_leaves_nothing(
    snapshot: str,
) -> None:
    loaded = load({}, snapshot)
    path = Path(snapshot_path(snapshot))
    path.unlink()
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        write_snapshot(loaded)
    assert sorted(os.listdir(path.parent)) == [".p.yaml.snapshot", "p.yaml"]


def test_directory_that_is_gone_is_an_os_error(yaml_file: Callable[..., str]) -> None:
    loaded = load({}, path := yaml_file(TEXT))
    os.rename(os.path.dirname(path), os.path.dirname(path) + ".gone")
    with pytest.raises(FileNotFoundError):
        write_snapshot(loaded)


def test_public_settings_without_a_file_are_the_defaults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("pysendmail.config.defaults.CONFIG_PATH", str(tmp_path / "none"))
    assert public_settings({}) == PUBLIC_DEFAULTS


@pytest.mark.parametrize("with_snapshot", [True, False])
def test_public_settings_are_environment_over_file_over_defaults(
    yaml_file: Callable[..., str], with_snapshot: bool
) -> None:
    path = yaml_file(TEXT)
    if with_snapshot:
        write_snapshot(load({}, path))
    environ = {"PYSENDMAIL_CONFIG": path, "PYSENDMAIL_WAIT": "1m", "PYSENDMAIL_SPOOL": ""}
    assert public_settings(environ) == {
        **PUBLIC_DEFAULTS, "socket": "/run/here", "wait": 60.0,
    }  # fmt: skip


def test_public_settings_do_not_mind_mistakes_elsewhere(yaml_file: Callable[..., str]) -> None:
    path = yaml_file("socket: /run/here\nlifetime: x\nuser: me\n")
    environ = {"PYSENDMAIL_CONFIG": path, "PYSENDMAIL_LIFETIME": "x"}
    assert public_settings(environ)["socket"] == "/run/here"


@pytest.mark.parametrize("text", ["socket: run\n", "- x\n", "user: 'a\n"])
def test_public_settings_that_are_wrong_or_lost_are_an_error(
    yaml_file: Callable[..., str], text: str
) -> None:
    with pytest.raises(ConfigError):
        public_settings({"PYSENDMAIL_CONFIG": yaml_file(text)})


def test_public_settings_of_a_wrong_variable_or_missing_file_are_an_error(
    yaml_file: Callable[..., str],
) -> None:
    path = yaml_file(TEXT)
    with pytest.raises(ConfigError, match=r"^PYSENDMAIL_WAIT: key 'wait': found 'x'"):
        public_settings({"PYSENDMAIL_CONFIG": path, "PYSENDMAIL_WAIT": "x"})
    with pytest.raises(ConfigError, match="No such file"):
        public_settings({"PYSENDMAIL_CONFIG": path + ".none"})


def test_public_settings_of_an_unreadable_file_are_the_defaults(
    open_directory: Path, as_ordinary_user: Callable[[], None]
) -> None:
    path = open_directory / "p.yaml"
    path.write_text("socket: /run/here\n")
    path.chmod(0o640)
    environ = {"PYSENDMAIL_CONFIG": str(path)}
    as_ordinary_user()
    if not os.access(path, os.R_OK, effective_ids=True):
        assert public_settings(environ) == PUBLIC_DEFAULTS


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a file of root's")
def test_public_settings_of_an_unreadable_file_come_from_its_snapshot(
    open_directory: Path, as_ordinary_user: Callable[[], None]
) -> None:
    path = open_directory / "p.yaml"
    path.write_text("socket: /run/here\nuser: me\npassword: x\n")
    path.chmod(0o640)
    write_snapshot(load({}, str(path)))
    as_ordinary_user()
    assert public_settings({"PYSENDMAIL_CONFIG": str(path)})["socket"] == "/run/here"


def test_shims_path_loads_next_to_nothing(snapshot: str) -> None:
    code = (
        "from pysendmail.config.snapshot import public_settings\n"
        f"assert public_settings({{'PYSENDMAIL_CONFIG': {snapshot!r}}})['wait'] == 7.0\n"
    )
    loaded = loaded_modules(code)
    assert not loaded.intersection(NEEDLESS)
    assert {name for name in loaded if name.startswith("pysendmail")} == {
        "pysendmail",
        "pysendmail._paths",
        "pysendmail.config",
        "pysendmail.config.defaults",
        "pysendmail.config.snapshot",
    }


def test_direct_path_with_a_snapshot_loads_no_yaml(snapshot: str) -> None:
    code = (
        "from pysendmail.config.load import load\n"
        "import pysendmail.config.secrets\n"
        f"load({{'PYSENDMAIL_WAIT': '5s'}}, {snapshot!r}, use_snapshot=True)\n"
    )
    assert not loaded_modules(code).intersection(NEEDLESS)
