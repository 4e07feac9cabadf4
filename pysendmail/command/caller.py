"""What the caller has given the process: the words of the command line, and the environment.

They are what `os.fsencode` and `os.environ` make of them, without `os`: to import that takes as
long as all else that sendmail does before it has read the message (docs/decisions.md).
"""

from __future__ import annotations

import posix
import sys

_ENCODING = sys.getfilesystemencoding()


def encoded(word: str) -> bytes:
    """Return the octets of a word of the command line, as the caller gave them."""
    return word.encode(_ENCODING, "surrogateescape")


def decoded(octets: bytes) -> str:
    """Return octets that name a file as text, any octets."""
    return octets.decode(_ENCODING, "surrogateescape")


def environment() -> dict[str, str]:
    """Return the variables of the environment, as it was when the process began."""
    return {decoded(name): decoded(value) for name, value in posix.environ.items()}
