"""The URL of a proxy, an installation without python-socks, and answers that are garbage."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysendmail.smtp import ConnectError, TimedOut, UsageError, connect
from pysendmail.smtp.transport.proxy import open_through, parse_proxy

REPOSITORY = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ("url", "shown", "user", "password"),
    [
        ("socks5://proxy.example:1080", "socks5://proxy.example:1080", "", ""),
        ("socks5h://[2001:db8::1]:1080/", "socks5://[2001:db8::1]:1080", "", ""),
        ("http://u:p@10.0.0.1:3128", "http://10.0.0.1:3128", "u", "p"),
        ("socks5://a%3Ab:p%40%2F@h:1", "socks5://h:1", "a:b", "p@/"),
    ],
)
def test_url_of_a_proxy_is_read(url: str, shown: str, user: str, password: str) -> None:
    proxy = parse_proxy(url)
    assert (str(proxy), proxy.user, proxy.password) == (shown, user, password)
    assert repr(proxy) == f"Proxy({shown!r}, user={user!r})"


@pytest.mark.parametrize(
    "url",
    [
        "", "proxy:1080", "socks5://", "socks5://h", "socks5://h:0", "socks5://h:65536",
        "socks5://h:x", "socks4://h:1", "https://h:1", "socks5://u:S3cret/@h:1",
        "socks5://u:S3cret@h:1/path", "socks5://u:S3cret@h:1?query", "socks5://u:S3cret#@h:1",
        "socks5://u:S3cret@[::1:1", "socks5://u:S3cret@h\n:1", "socks5://u:S3cret@h\udcff:1",
    ],
)  # fmt: skip
def test_url_that_is_none_is_told_without_showing_it(url: str) -> None:
    with pytest.raises(UsageError, match="expected socks5://host:port or http://") as caught:
        connect(("mx.example", 25), proxy=url)
    assert "S3cret" not in repr(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "url",
    [
        "socks5://u:@h:1", "socks5://u@h:1", "socks5://:S3cret@h:1", "socks5://%C3%A9:S3cret@h:1",
        "socks5://u:S3cret%0D%0A@h:1", "http://u:S3cret" + "x" * 250 + "@h:1",
        "http://a%3Ab:S3cret@h:1",
    ],
)  # fmt: skip
def test_credentials_that_cannot_be_sent_are_told_without_showing_them(url: str) -> None:
    with pytest.raises(UsageError, match="user") as caught:
        parse_proxy(url)
    assert "S3cret" not in repr(caught.value)


def test_missing_library_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "python_socks.sync", None)
    with pytest.raises(ConnectError, match=r"pip install pysendmail\[proxy\]"):
        connect(("mx.example", 25), proxy="socks5://127.0.0.1:1")


def test_library_that_is_too_old_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("python_socks.__version__", "2.0.3")
    with pytest.raises(ConnectError, match=r"from 3\.0 on, and 2\.0\.3 is installed"):
        connect(("mx.example", 25), proxy="socks5://127.0.0.1:1")


@given(
    st.sampled_from(["socks5://u:pw@h:1", "http://u:pw@h:1"]),
    st.sampled_from([b"", b"\x05\0", b"\x05\x02\x01\0", b"\x05\0\x05\0\0\x03", b"HTTP/1.1 200 "]),
    st.binary(max_size=40),
)
def test_garbage_from_a_proxy_raises_nothing_but_our_errors(
    url: str, begin: bytes, rest: bytes
) -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(begin + rest)
    theirs.shutdown(socket.SHUT_WR)
    with (
        ours,
        theirs,
        mock.patch("pysendmail.smtp.transport.proxy.open_tcp", return_value=ours),
        contextlib.suppress(ConnectError, TimedOut),
    ):
        open_through(url, "mx.example", 25, seconds=5)


def test_name_that_no_proxy_can_be_told_is_a_connect_error() -> None:
    ours, theirs = socket.socketpair()
    with (
        theirs,
        mock.patch("pysendmail.smtp.transport.proxy.open_tcp", return_value=ours),
        pytest.raises(ConnectError, match="label"),
    ):
        open_through("http://h:1", "x" * 64, 25, seconds=5)


def test_nothing_dear_is_loaded_before_it_is_needed() -> None:
    program = (
        "import sys, pysendmail.smtp;"
        "print(sorted(sys.modules.keys() & {'socket', 'ssl', 'subprocess', 'threading', 'hashlib',"
        " 'python_socks', 'urllib.parse', 'pysendmail.smtp.transport.proxy'}))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], cwd=REPOSITORY, capture_output=True, check=True
    )
    assert done.stdout == b"[]\n"
