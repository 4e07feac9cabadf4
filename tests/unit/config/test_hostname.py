"""The machine's own name."""

from __future__ import annotations

from pathlib import Path

import pytest

from pysendmail.config.hostname import complete_hostname, system_hostname
from pysendmail.config.values import parse_host


@pytest.mark.parametrize(
    ("nodename", "mailname", "hostname"),
    [
        ("web1.test.org", "test.org", b"web1.test.org"),
        ("web1", "test.org", b"web1.test.org"),
        ("web1", "web1.test.org", b"web1.test.org"),
        ("web1", "", b"web1"),
        ("web1", "localdomain", b"web1"),
        ("web1.test.org.", "", b"web1.test.org"),
        ("web1", "not a name.", b"web1"),
        ("(none)", "", b"localhost"),
        ("", "", b"localhost"),
    ],
)
def test_hostname_is_the_best_name_fit_for_ehlo(
    nodename: str, mailname: str, hostname: bytes
) -> None:
    assert complete_hostname(nodename, mailname) == hostname


def test_system_hostname_is_fit_for_ehlo_whatever_mailname_holds(tmp_path: Path) -> None:
    path = tmp_path / "mailname"
    plain = system_hostname(str(path))
    assert parse_host(plain.decode()) == plain
    path.write_bytes(b"\xff\xfe garbage\n")
    assert system_hostname(str(path)) == plain
    path.write_text("test.org\n")
    assert system_hostname(str(path)) in (plain, plain + b".test.org")
