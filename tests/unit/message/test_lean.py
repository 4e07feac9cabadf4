"""The shim imports this package for each message: nothing in it may load what is slow to load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pysendmail.message

HEAVY = {
    "typing",
    "re",
    "enum",
    "dataclasses",
    "logging",
    "json",
    "email",
    "argparse",
    "pathlib",
    "subprocess",
    "contextlib",
    "functools",
    "threading",
    "tempfile",
    "string",
    "socket",
    "ssl",
    "collections",
    "random",
    "hashlib",
    "locale",
    "datetime",
}

SCRIPT = """
import sys
sys.path.insert(0, {root!r})
for name in {names!r}:
    __import__("pysendmail.message." + name)
print(*sys.modules)
"""


def test_package_loads_nothing_heavy() -> None:
    package = Path(pysendmail.message.__path__[0])
    names = sorted(path.stem for path in package.glob("*.py") if path.stem != "__init__")
    script = SCRIPT.format(root=str(package.parents[1]), names=names)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "pysendmail.message.bounce" in loaded
    assert loaded & HEAVY == set()
