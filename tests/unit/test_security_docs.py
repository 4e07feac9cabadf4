"""docs/security.md names a test for each thing it promises, docs/spool.md for each fault of the
system, and each of them is there.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/security.md").read_text(encoding="utf-8")
SPOOL = (ROOT / "docs/spool.md").read_text(encoding="utf-8")
NAME = re.compile(r"`([a-z_/]+\.py)::(test_\w+)`")


@pytest.mark.parametrize(("file", "name"), NAME.findall(DOCUMENT + SPOOL))
def test_named_test_exists(file: str, name: str) -> None:
    module = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in module.body if isinstance(node, ast.FunctionDef)}


def test_each_promise_has_its_test() -> None:
    promises = [line for line in DOCUMENT.splitlines() if line.startswith("- ")]
    assert len(promises) > 40
    assert [line for line in promises if "::test_" not in line] == []
    assert len(NAME.findall(DOCUMENT)) == len(promises)
