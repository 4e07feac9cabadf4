"""The YAML file: what is taken, what is refused, and where the error says it stands."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pysendmail.config.file import FILE_LIMIT, read_file

from .conftest import GOOD_YAML

if TYPE_CHECKING:
    from collections.abc import Callable


def errors_of(path: str) -> list[str]:
    return [line.replace(path, "F") for _name, line in read_file(path).errors]


def test_file_of_five_lines_is_five_settings(yaml_file: Callable[..., str]) -> None:
    path = yaml_file(GOOD_YAML, mode=0o640)
    read = read_file(path)
    assert read.errors == []
    assert read.values["smarthost"] == ("submission://relay.test",)
    assert read.values["root"] == b"admin@test.org"
    assert read.places["origin"] == f"{path}:4"
    status = os.stat(path)
    assert read.identity == (status.st_mtime_ns, status.st_size, status.st_ino)
    assert read.mode == status.st_mode


@pytest.mark.parametrize("content", ["", "\n", "# only a comment\n", "{}\n"])
def test_file_without_settings_is_all_defaults(yaml_file: Callable[..., str], content: str) -> None:
    read = read_file(yaml_file(content))
    assert (read.values, read.errors) == ({}, [])


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("user: 0777", "user", b"0777"),
        ("user: 2026-11-23", "user", b"2026-11-23"),
        ("user: no", "user", b"no"),
        ('user: "null"', "user", b"null"),
        ("user: 'a: b # c'", "user", b"a: b # c"),
        ("user: j\u00f6rg", "user", b"j\xc3\xb6rg"),
        ("tls: none", "tls", "none"),
        ("tls_verify: off", "tls_verify", False),
        ("wait: 90", "wait", 90.0),
        ("from: a@b.test", "from", b"a@b.test"),
        ("smarthost: smtp://a, smtp://b", "smarthost", ("smtp://a", "smtp://b")),
        ("smarthost: [smtp://a, smtp://b]", "smarthost", ("smtp://a", "smtp://b")),
        ("smarthost:\n- smtp://a\n- smtp://b", "smarthost", ("smtp://a", "smtp://b")),
        ("smarthost: smtp://a\r", "smarthost", ("smtp://a",)),
    ],
)
def test_scalars_text_is_read_not_yamls_guess(
    yaml_file: Callable[..., str], line: str, name: str, value: object
) -> None:
    read = read_file(yaml_file(f"{line}\n"))
    assert read.errors == []
    assert read.values[name] == value


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("smarthots: x", "F:1:1: key 'smarthots': unknown key (did you mean 'smarthost'?)"),
        ("zzz: x", "F:1:1: key 'zzz': unknown key"),
        ("? [a, b]\n: x", "F:1:3: unknown key"),
        ("wait: 30 parsecs", "F:1:7: key 'wait': found '30 parsecs', expected a duration"),
        ("wait: 1:30", "F:1:7: key 'wait': found '1:30', expected a duration"),
        ("\n\nuser:\n", "F:3:6: key 'user': found nothing, expected a printable text"),
        ("user: ~", "F:1:7: key 'user': found nothing"),
        ("user: [a]", "F:1:7: key 'user': found a list, expected a printable text"),
        ("user: {a: b}", "F:1:7: key 'user': found a mapping, expected a printable text"),
        ("smarthost: []", "F:1:12: key 'smarthost': found an empty list, expected a URL"),
        ("smarthost:\n- smtp://a\n- b", "F:3:3: key 'smarthost': found 'b', expected a URL"),
        ("wait: 1s\nwait: 2s", "F:2:1: key 'wait': repeated, first on line 1"),
        ("user: &a x", "F:1:7: anchors (&) and aliases (*) are not allowed"),
        ("user: *a", "F:1:7: anchors (&) and aliases (*) are not allowed"),
        ("wait: !!int 3", "F:1:7: tags (!) are not allowed"),
        ("!!map {}", "F:1:1: tags (!) are not allowed"),
        ("identities: {a: b c}", "F:1:14: key 'identities': found 'a: b c', expected lines"),
        ("identities: {a: b, a: c}", "F:1:20: key 'identities': 'a' is repeated"),
        ("identities: {a: {b: c}}", "F:1:18: nested too deep"),
        ("identities: {}", "F:1:13: key 'identities': found a mapping, expected lines of NAME"),
        ("identities: [a]", "F:1:13: key 'identities': found a list, expected lines of NAME"),
        ("identities: a", "F:1:13: key 'identities': found 'a', expected lines of NAME"),
        ("smarthost: [[[x]]]", "F:1:14: nested too deep"),
        ("just words", "F:1:1: expected lines of KEY: VALUE"),
        ("- a", "F:1:1: expected lines of KEY: VALUE"),
        ("user: a\n\twait: 1s", "F:2:1: found a tab before the text, expected blanks"),
        ("user: a\x07", "F:1:8: found the control character '\\x07'"),
        ("user: 'a", "F:1:9: not YAML: while scanning a quoted scalar"),
        ("user: a: b", "F:1:8: not YAML: "),
        ("a: b\n---\nc: d", "F:2:1: not YAML: expected a single document"),
        ("user: '\ufffe'", "F:1:1: not YAML: "),
        ("%YAML 9.9\n---\nuser: a", "F:1:1: not YAML: "),
    ],
)
def test_mistake_is_told_with_line_and_column(
    yaml_file: Callable[..., str], content: str, error: str
) -> None:
    errors = errors_of(yaml_file(content))
    assert len(errors) == 1
    assert errors[0].startswith(error)


def test_all_mistakes_are_told_at_once(yaml_file: Callable[..., str]) -> None:
    path = yaml_file("usr: a\nwait: b\nsmarthost: [c, smtp://d, e]\nroot: ok@a.test\n")
    assert [name for name, _line in read_file(path).errors] == [
        "usr", "wait", "smarthost", "smarthost",
    ]  # fmt: skip
    assert read_file(path).values["root"] == b"ok@a.test"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"\xef\xbb\xbfuser: a", "F:1:1: found a byte order mark"),
        ("user: a".encode("utf-16"), "F:1:1: found octet 0xff, expected UTF-8"),
        (b"user: a\nroot: j\xf6rg", "F:2:8: found octet 0xf6, expected UTF-8"),
    ],
)
def test_octets_that_are_not_plain_utf8_are_refused(
    yaml_file: Callable[..., str], content: bytes, error: str
) -> None:
    errors = errors_of(yaml_file(content))
    assert len(errors) == 1
    assert errors[0].startswith(error)


def test_file_over_the_limit_is_refused_unread(yaml_file: Callable[..., str]) -> None:
    assert errors_of(yaml_file(b"#" * (FILE_LIMIT + 1))) == [f"F: larger than {FILE_LIMIT} octets"]
    assert errors_of(yaml_file(b"#" * FILE_LIMIT)) == []


def test_fifo_is_refused_and_does_not_hang(tmp_path) -> None:
    path = str(tmp_path / "fifo")
    os.mkfifo(path)
    assert errors_of(path) == ["F: not a regular file"]


def test_endless_nesting_ends_at_the_limit(yaml_file: Callable[..., str]) -> None:
    # PyYAML 6.0.4 brings a libyaml that has a limit of its own and stops before ours is reached
    error = errors_of(yaml_file("smarthost: " + "[" * 100_000))[0]
    assert "nested too deep" in error or "exceeded maximum nesting depth" in error


def test_secret_in_the_file_is_not_in_the_error(yaml_file: Callable[..., str]) -> None:
    (error,) = errors_of(yaml_file("password: |\n  hunter2\n"))
    assert error.startswith("F:1:11: key 'password': found a text that is not shown")
    assert "hunter2" not in error


def test_missing_file_is_an_os_error(tmp_path) -> None:
    with pytest.raises(FileNotFoundError):
        read_file(str(tmp_path / "none"))


@given(st.binary(max_size=200) | st.text("ab:-[]{}&*!|>'\"#%\n\t ,?", max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_any_octets_are_settings_or_errors(
    yaml_file: Callable[..., str], content: bytes | str
) -> None:
    read = read_file(yaml_file(content))
    assert read.values.keys() == read.places.keys()
