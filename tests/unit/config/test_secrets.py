"""Where the password comes from."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pysendmail.config.errors import ConfigError, UnreadableConfigError
from pysendmail.config.keys import Config
from pysendmail.config.secrets import SECRET_LIMIT, read_listen_password, read_password, read_token

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_bytes(b" hunter2 \nsecond line\n")
    path.chmod(0o640)
    return path


def trouble_of(config: Config, **arguments: object) -> str:
    with pytest.raises(ConfigError) as caught:
        read_password(config, {"PATH": os.defpath}, **arguments)
    (line,) = caught.value.errors
    assert "hunter" not in line
    return line


def test_no_password_configured_is_none() -> None:
    assert read_password(Config()) is None


def test_inline_password_is_taken_as_it_is() -> None:
    assert read_password(Config(password=b" x "), {}) == b" x "


def test_first_line_of_the_file_is_the_password(secret: Path) -> None:
    assert read_password(Config(password_file=str(secret)), {}) == b" hunter2 "
    secret.write_bytes(b"rotated\r\n")
    assert read_password(Config(password_file=str(secret)), {}) == b"rotated"


def test_name_of_a_systemd_credential_is_found(secret: Path) -> None:
    environ = {"CREDENTIALS_DIRECTORY": str(secret.parent)}
    assert read_password(Config(password_file="password"), environ) == b" hunter2 "
    assert read_password(Config(password_file=str(secret)), environ) == b" hunter2 "
    assert "not absolute" in trouble_of(Config(password_file="password"))


@pytest.mark.parametrize("mode", [0o644, 0o642, 0o604])
def test_file_open_to_everyone_is_refused_with_the_remedy(secret: Path, mode: int) -> None:
    secret.chmod(mode)
    line = trouble_of(Config(password_file=str(secret)))
    assert f"(mode {mode:04o}): chmod 640 {secret}" in line


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        (b"", "first line is empty"),
        (b"\nhunter2\n", "first line is empty"),
        (b"hun\x00ter2\n", "control character"),
        (b"x" * (SECRET_LIMIT + 1), "larger than"),
    ],
)
def test_file_without_a_password_is_refused(secret: Path, content: bytes, trouble: str) -> None:
    secret.write_bytes(content)
    assert trouble in trouble_of(Config(password_file=str(secret)))


def test_token_comes_from_a_file_or_a_command_each_time_anew(secret: Path) -> None:
    assert read_token(Config(), {}) is None
    config = Config(token_file=str(secret))
    assert read_token(config, {}) == b" hunter2 "
    secret.write_bytes(b"ya29.fresh\n")
    assert read_token(config, {}) == b"ya29.fresh"
    assert read_token(Config(token_command="echo ya29.x"), {"PATH": os.defpath}) == b"ya29.x"
    secret.chmod(0o644)
    with pytest.raises(ConfigError, match=r"key 'token_file'.*chmod 640"):
        read_token(config, {})


def test_missing_file_is_refused(secret: Path) -> None:
    secret.unlink()
    assert "No such file" in trouble_of(Config(password_file=str(secret)))


def test_file_of_someone_else_is_unreadable(
    secret: Path, as_ordinary_user: Callable[[], None]
) -> None:
    secret.chmod(0)
    as_ordinary_user()
    with pytest.raises(UnreadableConfigError, match="Permission denied"):
        read_password(Config(password_file=str(secret)), {})


def test_first_line_of_the_commands_output_is_the_password(secret: Path) -> None:
    assert read_password(Config(password_command=f"head -n 5 '{secret}'")) == b" hunter2 "


def test_command_is_run_without_a_shell() -> None:
    assert read_password(Config(password_command="echo $HOME; id")) == b"$HOME; id"


@pytest.mark.parametrize(
    ("command", "trouble"),
    [
        ("false", "ended with status 1"),
        ("true", "first line is empty"),
        ("/none/such", "No such file"),
        ("echo 'x", "No closing quotation"),
    ],
)
def test_command_that_gives_no_password_is_refused(command: str, trouble: str) -> None:
    assert trouble in trouble_of(Config(password_command=command))


def test_command_that_hangs_is_ended_with_its_children() -> None:
    config = Config(password_command="sh -c 'sleep 60 & sleep 60'")
    start = time.monotonic()
    assert "within 0.2 seconds" in trouble_of(config, timeout_s=0.2)
    assert time.monotonic() - start < 10


def test_password_of_the_listener_is_read_and_guarded_alike(secret: Path) -> None:
    config = Config(listen_user=b"me", listen_password_file=str(secret))
    assert read_listen_password(config, {}) == b" hunter2 "
    assert read_listen_password(Config(), {}) is None
    secret.chmod(0o644)
    with pytest.raises(ConfigError, match="open to everyone"):
        read_listen_password(config, {})
