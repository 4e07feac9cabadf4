from __future__ import annotations

from typing import Any

import pytest

from pysendmail.smtp import Command, TlsConfig, UsageError, connect
from pysendmail.smtp.transport.address import check_address, format_host_port


@pytest.mark.parametrize(
    "address",
    [
        ("mx example", 25), ("mx\r\nHost: x", 25), ("mx\0", 25), ("mx", 0), ("mx", 65536),
        ("mx", -1), "a\0b",
    ],
)  # fmt: skip
def test_impossible_address_is_told_before_anything_is_tried(address: Any) -> None:
    with pytest.raises(UsageError):
        connect(address)


@pytest.mark.parametrize("argv", [[], "ls -l", ["ls", "a\0b"]])
def test_command_is_a_list_of_program_and_arguments(argv: Any) -> None:
    with pytest.raises(UsageError, match="list of the program"):
        Command(argv)


@pytest.mark.parametrize("address", [("mx", 25), ("::1", 1), "/run/lmtp", Command(["ssh", "mx"])])
def test_possible_address_passes(address: Any) -> None:
    check_address(address)


def test_host_with_colons_is_bracketed() -> None:
    assert format_host_port("::1", 25) == "[::1]:25"
    assert format_host_port("mx", 25) == "mx:25"


def test_command_shows_its_arguments() -> None:
    assert repr(Command(["nc", "mx", "25"])) == "Command(['nc', 'mx', '25'])"


@pytest.mark.parametrize("address", ["/run/lmtp", Command(["true"])])
def test_tls_needs_a_name_where_the_address_has_none(address: Any) -> None:
    with pytest.raises(UsageError, match="server_hostname"):
        connect(address, tls=TlsConfig())


@pytest.mark.parametrize("address", ["/run/lmtp", Command(["true"])])
def test_proxy_leads_only_to_a_host(address: Any) -> None:
    with pytest.raises(UsageError, match="a host and a port"):
        connect(address, proxy="socks5://127.0.0.1:1080")
