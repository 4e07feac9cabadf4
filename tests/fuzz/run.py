"""Feed the targets by coverage: `python -m tests.fuzz.run SECONDS [TARGET ...]`.

Each target runs for so many seconds, or until a finding, whose input is left in the directory
`.fuzz/TARGET` and fails every later run. Needs atheris, which not every platform has.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from tests.fuzz.targets import TARGETS, seeds

FINDINGS = Path(".fuzz")


def main(arguments: list[str]) -> int:
    """Run the targets one after the other, each in a process of its own."""
    if not arguments or not arguments[0].isdigit() or set(arguments[1:]) - TARGETS.keys():
        print(f"fuzz: SECONDS and any of {', '.join(TARGETS)} are expected", file=sys.stderr)
        return 64
    if importlib.util.find_spec("atheris") is None:
        print("fuzz: atheris is not installed", file=sys.stderr)
        return 69
    beginnings = seeds()
    for name in arguments[1:] or TARGETS:
        if not holds(name, arguments[0], beginnings[name]):
            print(f"fuzz: {name} has a finding, see {FINDINGS / name}", file=sys.stderr)
            return 1
    return 0


def holds(name: str, seconds: str, beginnings: list[bytes]) -> bool:
    """Run one target: over the findings of before, then over whatever comes to mind."""
    findings = FINDINGS / name
    corpus = findings / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, octets in enumerate(beginnings):
        (corpus / f"seed-{number}").write_bytes(octets)
    print(f"fuzz: {name}, {seconds} seconds", flush=True)
    known = [str(path) for path in sorted(findings.glob("*-*"))]
    return (not known or fed(name, *known)) and fed(
        name, f"-max_total_time={seconds}", f"-artifact_prefix={findings}/", str(corpus)
    )


def fed(name: str, *arguments: str) -> bool:
    """Feed one target in a process that ends with it; return whether there was no finding."""
    command = [sys.executable, "-m", "tests.fuzz.feed", name, *arguments]
    return subprocess.run(command).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
