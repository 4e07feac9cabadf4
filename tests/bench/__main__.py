"""`python -m tests.bench [NAME...]`: measure, all or what is named, and write the results.

Each table is printed when it is there; all of them go, with a plot, into report.md and report.svg
of the directory for the results.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from tests.bench import plot
from tests.bench.measuring import Settings, Table, machine, progress

NAMES = sorted(
    path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py")
)


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measure, beside the peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--out", type=Path, default=Path(".bench"), help="for the results")
    parser.add_argument("--runs", type=int, default=10, help="of each contestant")
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of messages")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(NAMES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    settings = Settings(asked.out, runs=asked.runs, scale=asked.scale)
    settings.out.mkdir(parents=True, exist_ok=True)
    facts = f"{machine()}; {settings.runs} runs, scale {settings.scale:g}."
    tables: list[Table] = []
    for name in asked.names or NAMES:
        progress(f"bench_{name}")
        for table in importlib.import_module(f"tests.bench.bench_{name}").measure(settings):
            print(table.markdown(), flush=True)
            tables.append(table)
            write(settings.out, facts, tables)


def write(out: Path, facts: str, tables: list[Table]) -> None:
    """Write what is known by now: a run that is broken off has not been for nothing."""
    texts = [f"# Measured\n\n{facts}\n", *(table.markdown() for table in tables)]
    (out / "report.md").write_text("\n".join(texts), encoding="utf-8")
    (out / "report.svg").write_text(plot.svg(tables), encoding="utf-8")


if __name__ == "__main__":
    main()
