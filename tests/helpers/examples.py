"""The examples of a page of the documentation, run in their order as one program.

A block of `python` is run; a block of `text` right behind it is what that prints.  Examples name
servers that exist nowhere: `Places` leads those names to the servers of a test, and `stand_ins` the
paths, so that the page need not show where it was tried.
"""

from __future__ import annotations

import _socket
import contextlib
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"

_BLOCK = re.compile(r"^```python\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)


class Example:
    """One example: its `code`, the text it `prints`, the `line` of the page where it begins."""

    def __init__(self, page: Path, found: re.Match[str]) -> None:
        self.page = page
        self.line = page.read_text().count("\n", 0, found.start(1)) + 1
        self.code = found[1]
        self.prints = found[2] or ""

    def run(self, names: dict[str, Any], stand_ins: Mapping[str, str] | None = None) -> None:
        """Run it with the names of those before; the traceback of a fault names the page's line.

        Each key of `stand_ins`, the path of a file or socket, is read as its value.
        """
        source = self.code
        for path, stand_in in (stand_ins or {}).items():
            source = source.replace(f'"{path}"', repr(stand_in))
        code = compile("\n" * (self.line - 1) + source, str(self.page), "exec")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, names)
        assert printed.getvalue() == self.prints, f"{self.page.name}, line {self.line}"


def examples_of(page: str, under: str = "") -> list[Example]:
    """Return the examples of a page, those behind the heading `under` only, if given."""
    path = DOCS / page
    text = path.read_text()
    start = text.index(f"\n## {under}\n") if under else 0
    return [Example(path, found) for found in _BLOCK.finditer(text, start)]


class Places:
    """Names and ports of the documentation, and the port of 127.0.0.1 where each is found."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._ports: dict[tuple[str, int], int] = {}
        self._ask_system = _socket.getaddrinfo
        monkeypatch.setattr(_socket, "getaddrinfo", self._look_up)

    def put(self, host: str, port: int, found_at: int) -> None:
        """Let `host` and `port` lead to the port `found_at`."""
        self._ports[host, port] = found_at

    def _look_up(self, host: bytes | str, port: int, *args: Any, **options: Any) -> Any:
        name = host if isinstance(host, str) else host.decode()
        if (name, port) in self._ports:
            host, port = "127.0.0.1", self._ports[name, port]
        return self._ask_system(host, port, *args, **options)
