"""The environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pysendmail.config.environment import MOUNTED_FILE_LIMIT, read_environment


def test_every_variable_is_a_setting() -> None:
    read = read_environment(
        {
            "PYSENDMAIL_SMARTHOST": "smtp://a, smtp://b",
            "PYSENDMAIL_WAIT": "5s",
            "PYSENDMAIL_FROM": "a@b.test",
            "PYSENDMAIL_CONFIG": "/x",
            "HOME": "/root",
        }
    )
    assert read.errors == []
    assert read.values == {"smarthost": ("smtp://a", "smtp://b"), "wait": 5.0, "from": b"a@b.test"}
    assert read.places["wait"] == "PYSENDMAIL_WAIT"


def test_empty_variable_is_not_set() -> None:
    read = read_environment({"PYSENDMAIL_USER": "", "PYSENDMAIL_PASSWORD_FILE": ""})
    assert (read.values, read.errors) == ({}, [])


def test_wrong_value_names_the_variable() -> None:
    read = read_environment({"PYSENDMAIL_WAIT": "soon"})
    ((name, line),) = read.errors
    assert name == "wait"
    assert line.startswith("PYSENDMAIL_WAIT: key 'wait': found 'soon', expected a duration")


def test_unknown_variable_is_an_error_with_the_nearest() -> None:
    read = read_environment({"PYSENDMAIL_SMARTHOTS": "x"})
    assert read.errors == [
        ("", "PYSENDMAIL_SMARTHOTS: unknown variable (did you mean 'PYSENDMAIL_SMARTHOST'?)")
    ]


@pytest.mark.parametrize(
    "variable",
    ["PYSENDMAIL_SERVICE_HOST", "PYSENDMAIL_PORT", "PYSENDMAIL_PORT_25_TCP", "PYSENDMAIL_NAME"],
)
def test_variables_of_a_service_called_pysendmail_are_not_ours(variable: str) -> None:
    assert read_environment({variable: "tcp://10.0.0.1:25"}).errors == []


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"secret\n", b"secret"),
        (b"secret\r\n", b"secret"),
        (b"secret", b"secret"),
        (b" p\xe4ss \n", b" p\xe4ss "),
    ],
)
def test_password_file_variable_is_read_at_once(
    tmp_path: Path, content: bytes, value: bytes
) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(0o444)  # as container platforms mount them
    read = read_environment({"PYSENDMAIL_PASSWORD_FILE": str(path)})
    assert read.errors == []
    assert read.values == {"password": value}
    assert read.places == {"password": "PYSENDMAIL_PASSWORD_FILE"}


def test_file_wins_over_variable_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "user"
    path.write_text("from-file\n")
    read = read_environment({"PYSENDMAIL_USER": "plain", "PYSENDMAIL_USER_FILE": str(path)})
    assert read.values == {"user": b"from-file"}
    assert read.warnings == ["PYSENDMAIL_USER_FILE is set, so PYSENDMAIL_USER does not count"]


def test_systemd_credential_is_found_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("secret")
    read = read_environment(
        {"PYSENDMAIL_PASSWORD_FILE": "mail", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    )
    assert read.values == {"password": b"secret"}


def test_password_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    variables = {"PYSENDMAIL_PASSWORD_FILE": str(path)}
    line = f"PYSENDMAIL_PASSWORD_FILE: key 'password': cannot read '{path}': "
    assert read_environment(variables).errors == [("password", f"{line}No such file or directory")]
    os.mkfifo(path)
    assert read_environment(variables).errors == [("password", f"{line}not a regular file")]
    path.unlink()
    path.write_bytes(b"x" * (MOUNTED_FILE_LIMIT + 1))
    assert "larger than" in read_environment(variables).errors[0][1]


def test_password_file_with_two_lines_is_refused_without_showing_it(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("hunter2\nhunter3\n")
    ((_name, line),) = read_environment({"PYSENDMAIL_PASSWORD_FILE": str(path)}).errors
    assert "not shown" in line
    assert "hunter" not in line


def test_password_file_of_someone_else_is_denied(tmp_path: Path, as_ordinary_user) -> None:
    path = tmp_path / "secret"
    path.write_text("x")
    path.chmod(0)
    as_ordinary_user()
    read = read_environment({"PYSENDMAIL_PASSWORD_FILE": str(path)})
    assert read.denied
    assert "Permission denied" in read.errors[0][1]
