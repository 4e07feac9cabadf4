"""What one source (the file, or the environment) said: values, where each stands, what was wrong.

A source is read to its end whatever is wrong in it, so that all mistakes are told at once.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pysendmail.config.key import Key
    from pysendmail.config.values import Value


class Settings:
    """Values by key name, `places` (`FILE:LINE` or the variable) by key name, and mistakes.

    `errors` are pairs of the key's name ("" when it is about no single key) and the line to show.
    `denied`: something is there that this user may not read.

    Of a file also its `mode`, and its `identity`, by which a snapshot knows that it is still
    the same: (mtime in ns, size, inode) of the very file that was read.
    """

    __slots__ = ("denied", "errors", "identity", "mode", "places", "values", "warnings")

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}
        self.places: dict[str, str] = {}
        self.errors: list[tuple[str, str]] = []
        self.warnings: list[str] = []
        self.denied = False
        self.identity: tuple[int, int, int] | None = None
        self.mode = 0

    @property
    def readable_by_all(self) -> bool:
        """Whether this is a file that everyone may read."""
        return bool(self.mode & 0o004)

    def put(self, key: Key, texts: Iterable[tuple[str, str]], source: str) -> None:
        """Parse texts, each with its place; more than one only where the key takes a list."""
        values: list[Value] = []
        for text, place in texts:
            try:
                values.append(key.parse(text))
            except ValueError as error:
                self.refuse(key.name, place, str(error))
        if values:
            joined = tuple(item for value in values if isinstance(value, tuple) for item in value)
            self.values[key.name] = joined or values[-1]
            self.places[key.name] = source

    def refuse(self, name: str, place: str, trouble: str) -> None:
        """Note an error in a key, or in the whole when the name is empty."""
        subject = f"key {name!r}: " if name else ""
        self.errors.append((name, f"{place}: {subject}{trouble}"))


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a question that offers the likeliest of the names, or nothing."""
    import difflib  # only for an administrator's slip: it loads re and more

    likely = difflib.get_close_matches(name, names, n=1)
    return f" (did you mean {likely[0]!r}?)" if likely else ""


def read_limited(path: str, limit: int) -> tuple[bytes, os.stat_result]:
    """Return the content of a regular file, and the status of the very file that was read.

    Raises OSError, and ValueError when it is no regular file or holds more than `limit` octets.
    """
    # O_NONBLOCK: a FIFO by that name must not hang us
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if status.st_mode & 0o170000 != 0o100000:  # S_IFREG, without importing stat
            raise ValueError("not a regular file")
        content = b""
        while len(content) <= limit and (chunk := os.read(descriptor, limit + 1 - len(content))):
            content += chunk
    finally:
        os.close(descriptor)
    if len(content) > limit:
        raise ValueError(f"larger than {limit} octets")
    return content, status
