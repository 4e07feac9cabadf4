"""The documents made from the table of keys are those that are committed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from pysendmail.config.generate import (
    EXAMPLE_PATH,
    MANUAL_PATH,
    SCHEMA_PATH,
    format_example,
    format_manual,
    format_schema,
    write_documents,
)
from pysendmail.config.keys import KEYS, find_key
from pysendmail.config.load import load

ROOT = Path(__file__).parents[3]


def test_committed_example_is_the_generated_one() -> None:
    assert (ROOT / EXAMPLE_PATH).read_text() == format_example()


def test_committed_schema_is_the_generated_one() -> None:
    assert (ROOT / SCHEMA_PATH).read_text() == format_schema()


def test_committed_manual_has_the_generated_keys() -> None:
    manual = (ROOT / MANUAL_PATH).read_text()
    assert manual == format_manual(manual)


def test_documents_are_written_where_they_are_committed(tmp_path: Path) -> None:
    for path in (EXAMPLE_PATH, SCHEMA_PATH, MANUAL_PATH):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / MANUAL_PATH, tmp_path / MANUAL_PATH)
    write_documents(tmp_path)
    for path in (EXAMPLE_PATH, SCHEMA_PATH, MANUAL_PATH):
        assert (tmp_path / path).read_text() == (ROOT / path).read_text()


def test_manual_without_the_enclosing_lines_is_refused() -> None:
    with pytest.raises(ValueError, match="enclose"):
        format_manual(".Sh NAME\n")


USER = "user: me\npassword_file: /p"


def test_example_as_it_is_configures_nothing(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(format_example())
    assert list(load({}, str(path)).changes()) == []


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_each_line_of_the_example_holds_when_its_sign_is_removed(key, tmp_path: Path) -> None:
    (line,) = (line for line in format_example().splitlines() if line.startswith(f"#{key.name}:"))
    companions = {
        "user": "password_file: /p", "password": "user: me", "password_file": "user: me",
        "password_command": "user: me", "listen_user": "listen_password_file: /p",
        "listen_password_file": "listen_user: me", "sasl_mechanisms": USER, "sasl_authzid": USER,
        "tls_key_file": "tls_certificate_file: /p",
    }  # fmt: skip
    path = tmp_path / "p.yaml"
    path.write_text(f"{line[1:]}\n{companions.get(key.name, '')}\n")
    path.chmod(0o640)
    sources = load({}, str(path)).sources
    assert sources[key.name] == f"{path}:1"


def test_schema_knows_every_key_and_no_other() -> None:
    schema = json.loads(format_schema())
    assert list(schema["properties"]) == [key.name for key in KEYS]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["tls"]["enum"] == list(find_key("tls").choices)
    assert schema["properties"]["tls_verify"]["default"] is True
    assert schema["properties"]["wait"]["default"] == "30s"


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")
def test_manual_pleases_mandoc() -> None:
    lint = subprocess.run(
        ["mandoc", "-Tlint", str(ROOT / MANUAL_PATH)], capture_output=True, text=True, check=False
    )
    # the pages it refers to are found only when they are installed
    complaints = [line for line in lint.stdout.splitlines() if "manual not found" not in line]
    assert complaints == []
