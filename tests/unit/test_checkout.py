"""Where the checkout may be that is tested."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.installed import REPOSITORY


@pytest.mark.root
def test_checkout_that_only_root_gets_to_is_told_in_one_line(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    tests = closed / "checkout/tests"
    shutil.copytree(REPOSITORY / "etc", tests.parent / "etc")
    shutil.copytree(REPOSITORY / "tests/helpers", tests / "helpers")
    shutil.copy(REPOSITORY / "tests/conftest.py", tests)
    (tests / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", tests],
        cwd=tests.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"only root gets to {tests.parent} (see the mode of {closed})" in done.stderr
    assert "passed" not in done.stdout
