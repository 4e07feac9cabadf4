"""Real proxies on loopback, from Debian: microsocks for SOCKS5, tinyproxy for HTTP CONNECT."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.helpers.waiting import ReservedPort, listens, wait_until

STOP_S = 10.0


@contextlib.contextmanager
def running(argv: Sequence[str], port: ReservedPort) -> Iterator[None]:
    """A proxy that listens on `port` until the block is left."""
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: listens(port.number), what=f"{argv[0]} to listen")
        yield
    finally:
        process.terminate()
        process.wait(STOP_S)


@contextlib.contextmanager
def microsocks(user: str = "", password: str = "") -> Iterator[str]:
    """The address `host:port` of a SOCKS5 proxy, which wants a user and a password if given."""
    program = shutil.which("microsocks") or pytest.skip("needs microsocks")
    with contextlib.closing(ReservedPort()) as port:
        argv = [program, "-i", "127.0.0.1", "-p", str(port.number)]
        if user:
            argv += ["-u", user, "-P", password]
        with running(argv, port):
            yield f"127.0.0.1:{port.number}"


@contextlib.contextmanager
def tinyproxy(directory: Path, user: str = "", password: str = "") -> Iterator[str]:
    """The address `host:port` of an HTTP proxy, which wants a user and a password if given."""
    program = shutil.which("tinyproxy") or pytest.skip("needs tinyproxy-bin")
    with contextlib.closing(ReservedPort()) as port:
        configuration = directory / "tinyproxy.conf"
        lines = [
            f"Port {port.number}", "Listen 127.0.0.1", "Timeout 60", "MaxClients 20",
            "Allow 127.0.0.1", f'LogFile "{directory / "tinyproxy.log"}"',
        ]  # fmt: skip
        if user:
            lines.append(f"BasicAuth {user} {password}")
        configuration.write_text("\n".join(lines) + "\n")
        with running([program, "-d", "-c", str(configuration)], port):
            yield f"127.0.0.1:{port.number}"
