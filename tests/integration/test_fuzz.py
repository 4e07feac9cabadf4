"""The fuzzer itself: that it feeds the targets, and that it finds."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("atheris", reason="atheris is not installed")

ROOT = Path(__file__).parents[2]


def fuzz(
    directory: Path, *arguments: str, root: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fuzz.run", *arguments]
    return subprocess.run(
        command, cwd=directory, env={"PYTHONPATH": str(root)}, capture_output=True, text=True
    )


def test_targets_hold_for_a_moment(tmp_path: Path) -> None:
    ran = fuzz(tmp_path, "1", "replies", "body")
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("Done ") == 2


def test_fault_in_the_code_is_found_and_remembered(tmp_path: Path) -> None:
    root = tmp_path / "faulty"
    for part in ("pysendmail", "tests/fuzz"):
        shutil.copytree(ROOT / part, root / part)
    transform = root / "pysendmail" / "smtp" / "body.py"
    code = transform.read_text()
    assert code.count(r'b"\n.."') == 1
    transform.write_text(code.replace(r'b"\n.."', r'b"\n."'))
    for said in ("Test unit written", "Running: .fuzz/body/crash-"):
        ran = fuzz(root, "20", "body", root=root)
        assert ran.returncode == 1
        assert said in ran.stderr
        assert "body has a finding" in ran.stderr


@pytest.mark.parametrize("arguments", [[], ["soon"], ["1", "everything"]])
def test_misuse_is_told(tmp_path: Path, arguments: list[str]) -> None:
    ran = fuzz(tmp_path, *arguments)
    assert ran.returncode == 64
    assert "SECONDS" in ran.stderr
