"""`python -m tests.bench [NAME...]`: measure, all or what is named.

Each table is printed when it is there, and kept; in the end all that are kept become a page and a
plot (see `report`).
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import tempfile
from pathlib import Path

from tests.bench import report
from tests.bench.measuring import Settings, progress
from tests.bench.report import NAMES

QUICK_RUNS, QUICK_SCALE = 2, 0.05


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measure, beside the peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--runs", type=int, default=10, help="of each contestant")
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of messages")
    parser.add_argument("--quick", action="store_true", help="a look: few runs of few messages")
    parser.add_argument("--disk", default="/var/tmp", help="where the queues are, %(default)s")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(NAMES):
        parser.error(f"no such benchmark: {' '.join(sorted(unknown))}; there is {' '.join(NAMES)}")
    if os.geteuid() != 0:
        parser.error("only root can give each mail program a place of its own")
    settings = Settings(runs=asked.runs, scale=asked.scale)
    if asked.quick:
        settings = Settings(runs=QUICK_RUNS, scale=QUICK_SCALE)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # and nothing is left
    with tempfile.TemporaryDirectory(prefix="bench-", dir=asked.disk) as directory:
        Path(directory).chmod(0o755)
        tempfile.tempdir = directory
        for name in asked.names or NAMES:
            measure(name, settings, keep=not asked.quick)
    if not asked.quick:
        report.write_latest()


def measure(name: str, settings: Settings, *, keep: bool) -> None:
    """Run one benchmark, print its tables, keep them for the report."""
    progress(name)
    load, before, tables = report.load(), report.STAT.read_text(), []
    for table in importlib.import_module(f"tests.bench.bench_{name}").measure(settings):
        if settings.scale != 1:
            table.targets = []  # they are for the whole number of messages
        print(table.markdown(), flush=True)
        tables.append(table)
        if keep:
            stolen = report.stolen_share(before, report.STAT.read_text())
            report.keep(name, tables, settings, load, stolen)


if __name__ == "__main__":
    main()
