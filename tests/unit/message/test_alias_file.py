"""The aliases file: what is read of it and of what it includes, and what is not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.message.address import Mailbox
from pysendmail.message.alias_file import (
    FILE_LIMIT,
    INCLUDED_LIMIT,
    parse_aliases,
    read_aliases,
    source_of,
)
from pysendmail.message.alias_syntax import REFUSED_LIMIT
from pysendmail.message.aliases import Aliases, LocalNames, resolve
from pysendmail.message.envelope import RECIPIENTS_LIMIT
from pysendmail.message.outcome import Outcome


def found(name: bytes, aliases: Aliases) -> tuple[list[bytes], list[Outcome]]:
    pairs, failures = resolve([Mailbox(name)], LocalNames(aliases, origin=b"example.test"))
    return [address for address, _ in pairs], failures


def test_missing_file_has_no_aliases(tmp_path: Path) -> None:
    assert read_aliases(str(tmp_path / "aliases")).by_name == {}


def test_file_is_read_with_what_it_includes(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"# members\nb@x, C <c@y>\n\nd\n:include:/e\n|f\n")
    path = tmp_path / "aliases"
    path.write_bytes(b"a: :include:%b/list, z@z\nd: e@x\n" % os.fsencode(tmp_path))
    aliases = read_aliases(str(path))
    addresses, failures = found(b"a", aliases)
    assert addresses == [b"b@x", b"c@y", b"z@z", b"e@x"]
    assert aliases.errors == (
        f"{tmp_path}/list:5: cannot include '/e' here",
        f"{tmp_path}/list:6: programs are not run: '|f'",
    )
    assert len(failures) == 2


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        pytest.param(b":include:/missing/list", "No such file", id="missing"),
        pytest.param(b":include:list", "cannot include 'list' here", id="relative"),
        pytest.param(b":include:/a\0b", "embedded null", id="nul"),
        pytest.param(b":include:/", "Is a directory", id="directory"),
        pytest.param(b":include:/dev/null", "not a regular file", id="device"),
    ],
)
def test_file_that_cannot_be_included_is_an_error(
    tmp_path: Path, target: bytes, reason: str
) -> None:
    path = tmp_path / "aliases"
    path.write_bytes(b"a: " + target + b"\n")
    [error] = read_aliases(str(path)).errors
    assert error.startswith(f"{path}:1: cannot include")
    assert reason in error


def test_file_that_is_too_large_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "aliases"
    with open(path, "wb") as file:
        file.truncate(FILE_LIMIT + 1)
    with pytest.raises(OSError, match="16 MiB"):
        read_aliases(str(path))


def including(tmp_path: Path, *targets: str) -> Aliases:
    path = tmp_path / "aliases"
    path.write_text("a: " + ", ".join(f":include:{target}" for target in targets) + "\n")
    return read_aliases(str(path))


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        (0o600, "not readable by everybody (chmod o+r)"),
        (0o646, "writable by everybody (chmod o-w)"),
    ],
)
def test_included_file_is_read_only_if_nobody_gains_by_it(
    tmp_path: Path, mode: int, reason: str
) -> None:
    included = tmp_path / "list"
    included.write_text("secret\n")
    included.chmod(mode)
    aliases = including(tmp_path, str(included))
    assert aliases.errors == (f"{tmp_path}/aliases:1: cannot include '{included}': {reason}",)
    addresses, failures = found(b"a", aliases)
    assert addresses == []
    assert b"secret" not in failures[0].text


def test_included_file_is_not_found_by_way_of_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("b@x\n")
    (tmp_path / "list").symlink_to("real")
    [error] = including(tmp_path, f"{tmp_path}/list").errors
    assert "symbolic links" in error


def test_included_file_that_is_no_list_is_told_of_within_bounds(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"b c\n" * 10_000 + b"d@x\n")
    aliases = including(tmp_path, f"{tmp_path}/list")
    assert aliases.errors[0] == f"{tmp_path}/list:1: not an address: b c"
    addresses, failures = found(b"a", aliases)
    assert addresses == [b"d@x"]
    assert len(failures) == len(aliases.errors) == REFUSED_LIMIT


@pytest.fixture(params=["nobody writes", "open for writing", "holds octets"])
def fifo(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    path = str(tmp_path / "fifo")
    os.mkfifo(path)
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    if request.param == "nobody writes":
        os.close(fd)
        yield path
        return
    if request.param == "holds octets":
        os.write(fd, b"b@x\n")
    yield path
    os.close(fd)


def test_included_fifo_is_a_mistake_of_its_include(tmp_path: Path, fifo: str) -> None:
    aliases = including(tmp_path, fifo, "/none")
    assert aliases.errors[0] == (
        f"{tmp_path}/aliases:1: cannot include '{fifo}': not a regular file"
    )
    assert len(aliases.errors) == 2
    addresses, failures = found(b"a", aliases)
    assert (addresses, len(failures)) == ([], 2)


def test_aliases_file_that_is_a_fifo_cannot_be_read(fifo: str) -> None:
    with pytest.raises(OSError, match="not a regular file"):
        read_aliases(fifo)


def test_included_file_has_a_bound(tmp_path: Path) -> None:
    for name, size in (("one", INCLUDED_LIMIT), ("two", INCLUDED_LIMIT + 1)):
        (tmp_path / name).write_bytes(b"b@x\n".ljust(size, b"#"))
    aliases = including(tmp_path, f"{tmp_path}/one", f"{tmp_path}/two")
    assert aliases.errors == (
        f"{tmp_path}/aliases:1: cannot include '{tmp_path}/two': more than 1 MiB",
    )


@pytest.mark.parametrize("between", [b"\n", b","], ids=["on lines", "on one line"])
def test_included_file_has_no_more_addresses_than_a_message_recipients(
    tmp_path: Path, between: bytes
) -> None:
    (tmp_path / "enough").write_bytes(b"a" + (between + b"a") * (RECIPIENTS_LIMIT - 1))
    (tmp_path / "more").write_bytes(b"a" + (between + b"a") * RECIPIENTS_LIMIT)
    aliases = including(tmp_path, f"{tmp_path}/enough", f"{tmp_path}/more")
    (alias,) = aliases.by_name.values()
    assert len(alias.mailboxes) == RECIPIENTS_LIMIT
    assert aliases.errors == (
        f"{tmp_path}/aliases:1: cannot include '{tmp_path}/more': more than 20000 addresses",
    )


def test_included_files_share_one_bound(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"b@x\n".ljust(INCLUDED_LIMIT, b"#"))
    aliases = including(tmp_path, *[f"{tmp_path}/list"] * (FILE_LIMIT // INCLUDED_LIMIT + 1))
    [error] = aliases.errors
    assert f"{tmp_path}/list" in error
    assert "more than 16 MiB with all that is included" in error


def test_file_that_everybody_can_write_is_told_of_and_used(tmp_path: Path) -> None:
    path = tmp_path / "aliases"
    path.write_text("a: b@x\n")
    path.chmod(0o666)
    aliases = read_aliases(str(path))
    [error] = aliases.errors
    assert error == f"{path}: everybody can write it, and so read mail that is not theirs"
    assert found(b"a", aliases)[0] == [b"b@x"]


def test_device_stands_for_an_empty_file() -> None:
    assert read_aliases("/dev/null").errors == ()


def test_sources_tell_when_any_of_the_files_has_changed(tmp_path: Path) -> None:
    aliases = including(tmp_path, f"{tmp_path}/list")
    path, included = aliases.sources
    assert source_of(path[0]) == path
    assert source_of(included[0]) == included == (f"{tmp_path}/list", 0, 0, 0)
    (tmp_path / "list").write_text("b@x\n")
    assert source_of(included[0]) != included
    assert source_of("a\0b") == ("a\0b", 0, 0, 0)


@given(
    st.lists(
        st.sampled_from([b"a", b"b", b":", b",", b" ", b"\n", b'"', b"\\", b"|", b"(", b"\xff"])
    )
)
def test_any_file_is_read(pieces: list[bytes]) -> None:
    aliases = parse_aliases(b"".join(pieces))
    for name in list(aliases.by_name):
        addresses, failures = found(name, aliases)
        assert addresses or failures
