"""Configuration files for the tests, and a user who may not read everything."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOBODY = 65534

GOOD_YAML = """\
smarthost: submission://relay.test
user: mailer@test.org
password_file: /etc/pysendmail/password
origin: test.org
root: admin@test.org
"""


@pytest.fixture
def yaml_file(tmp_path: Path) -> Callable[..., str]:
    """Write a configuration and return its path."""

    def write(content: str | bytes, *, mode: int = 0o644) -> str:
        path = tmp_path / "p.yaml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        return str(path)

    return write


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that every user can reach, unlike tmp_path."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def as_ordinary_user() -> Iterator[Callable[[], None]]:
    """A call after which the test is not root's, for when files are to be made before."""
    before = os.geteuid()
    yield lambda: os.seteuid(NOBODY if before == 0 else before)
    os.seteuid(before)
