"""What was measured, kept by benchmark, and the page and the plot that are made of it.

`write` makes them in .bench of all that .bench/results holds. `python -m tests.bench.report` puts
the same into docs/performance.md and docs/performance.svg, in the place of all figures there.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path

from pysendmail import __version__
from tests.bench import plot
from tests.bench.measuring import Figure, Settings, Table, progress
from tests.bench.peers.peer import ROOTS
from tests.bench.place import PYTHON

REPOSITORY = Path(__file__).parents[2]
RESULTS = REPOSITORY / ".bench/results"
LATEST = REPOSITORY / ".bench/figures.md"
PAGE = REPOSITORY / "docs/performance.md"
STAT = Path("/proc/stat")
# What removes many files comes late: some disks are slow at making new ones for minutes after that.
NAMES = (
    "startup", "submission", "storm", "delivery", "drain", "memory", "growth", "idle",
    "round_trips", "smtp_core",
)  # fmt: skip
BEGIN, END = "<!-- begin: python -m tests.bench.report -->\n", "<!-- end -->\n"


def keep(name: str, tables: list[Table], settings: Settings, load: str, stolen: float) -> None:
    """Keep the tables of one benchmark in the place of those of an earlier run."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    kept = {
        "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "of": revision(),
        "machine": machine(),
        "versions": versions(),
        "runs": settings.runs,
        "scale": settings.scale,
        "load": load,
        "stolen": stolen,
        "tables": [
            {
                "title": table.title,
                "unit": table.unit,
                "base": table.base,
                "targets": table.targets,
                "figures": [[f.label, f.values, f.note] for f in table.figures],
            }
            for table in tables
        ],
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(kept, indent=1), encoding="utf-8")


def main() -> None:
    """Put the figures into the page, and the plot beside it."""
    replace(PAGE, write(PAGE.with_suffix(".svg")))


def write_latest() -> None:
    """Write figures and plot of what has been measured here, and tell where they are."""
    LATEST.write_text(write(LATEST.with_suffix(".svg")), encoding="utf-8")
    progress(f"all figures: {LATEST} and {LATEST.with_suffix('.svg').name}")


def write(picture: Path) -> str:
    """Draw the plot; return all figures in Markdown, with the plot beside them."""
    found = [RESULTS / f"{name}.json" for name in NAMES if (RESULTS / f"{name}.json").exists()]
    if not found:
        raise SystemExit(f"nothing has been measured: there is no {RESULTS}/*.json")
    parts, tables, last = [], [], {"when": ""}
    for path in found:
        kept = json.loads(path.read_text(encoding="utf-8"))
        begin = f"{kept['when']}, {kept['of']}, {kept['runs']} runs, scale {kept['scale']:g}"
        disturbed = f"load before {kept['load']}, {kept['stolen']:.0%} stolen by the host"
        parts.append(f"*{path.stem}: {begin}, {disturbed}*\n")
        for facts in kept["tables"]:
            table = Table(
                facts["title"], facts["unit"], [Figure(*figure) for figure in facts["figures"]],
                base=facts["base"],
            )  # fmt: skip
            table.targets = facts["targets"]
            parts.append(table.markdown())
            tables.append(table)
        last = max(last, kept, key=lambda facts: str(facts["when"]))
    taken = f"Last taken {last['when']} on {last['machine']}. {'; '.join(last['versions'])}."
    picture.write_text(plot.svg(tables), encoding="utf-8")
    return "\n".join([taken, "", f"![all figures]({picture.name})", "", *parts])


def replace(page: Path, text: str) -> None:
    """Put the text between the page's two marks."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def machine() -> str:
    """Return what the figures are taken on."""
    models = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return f"{os.cpu_count()} cores of {models[0] if models else '?'}, Linux {os.uname().release}"


def load() -> str:
    """Return how busy the machine is before we begin."""
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


def processor_time(stat: str) -> tuple[int, int]:
    """Return the time that all processors were wanted since the machine began, and how much of it
    its host gave to somebody else, in ticks; `stat` is the text of /proc/stat (proc_stat(5)).
    """
    counts = map(int, stat.splitlines()[0].split()[1:9])
    user, nice, system, _idle, _waiting, interrupts, soft, stolen = counts
    return user + nice + system + interrupts + soft + stolen, stolen


def stolen_share(before: str, after: str) -> float:
    """Return the share of the time wanted between two looks at /proc/stat that the host took."""
    (wanted, stolen), (wanted_then, stolen_then) = processor_time(after), processor_time(before)
    return (stolen - stolen_then) / max(wanted - wanted_then, 1)


def revision() -> str:
    """Return what of ours is measured."""
    asked = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return f"pysendmail {__version__} {done.stdout.strip()}".rstrip()


def versions() -> list[str]:
    """Return the versions of all others."""
    python = subprocess.run([PYTHON, "--version"], capture_output=True, text=True, check=True)
    found = [python.stdout.strip(), *dpkg("/var/lib/dpkg", "postfix")]
    for root in sorted(ROOTS.glob("*/installed")):
        found += dpkg(str(root.parent / "upper/var/lib/dpkg"), root.parent.name)
    return found


def dpkg(directory: str, package: str) -> list[str]:
    """Return the package and its version, as dpkg knows it."""
    asked = ["dpkg-query", "--admindir", directory, "-W", "-f", "${Package} ${Version}", package]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return [done.stdout] if done.returncode == 0 else []


if __name__ == "__main__":
    main()
