"""What every benchmark shares: settings, the clock, figures, and the tables they go into.

A benchmark is a module `bench_*` with `measure(settings)`, which yields `Table`s. Contestants take
turns within each run, so that what else the machine does hits all alike; a figure is the median of
the runs, with minimum and maximum.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path


class Settings:
    """How much to measure. `runs`: of each contestant; `scale`: 1.0 as in docs/performance.md, less
    for a look.
    """

    def __init__(self, out: Path, *, runs: int = 10, scale: float = 1.0) -> None:
        self.out = out
        self.runs = runs
        self.scale = scale

    def count(self, number: int, least: int = 2) -> int:
        """Return `number` at this scale."""
        return max(least, round(number * self.scale))


class Figure:
    """What the runs of one contestant gave, in the unit of its table."""

    def __init__(self, label: str, values: Iterable[float], note: str = "") -> None:
        self.label = label
        self.values = sorted(values)
        self.note = note

    @property
    def median(self) -> float:
        return statistics.median(self.values)


class Table:
    """Figures of one kind. `base`: the label that ratios are taken to; `target`: what ours should
    reach, in words. A contestant whose label begins with `OURS` is ours.
    """

    def __init__(
        self, title: str, unit: str, figures: Sequence[Figure], *, base: str = "", target: str = ""
    ) -> None:
        self.title = title
        self.unit = unit
        self.figures = figures
        self.base = base
        self.target = target

    def markdown(self) -> str:
        """Return the table in Markdown."""
        base = next((f.median for f in self.figures if f.label == self.base and f.values), None)
        ratio = f" ÷ {self.base} |" if base else ""
        lines = [
            f"### {self.title}\n",
            f"Target: {self.target}\n" if self.target else "",
            f"| {self.unit} | median | min | max |{ratio} |",
            "|---|---:|---:|---:|" + ("---:|" if base else "") + "---|",
        ]
        for figure in self.figures:
            if not figure.values:
                cells = ["–"] * (4 if base else 3)
            else:
                cells = [
                    shown(figure.median), shown(figure.values[0]), shown(figure.values[-1])
                ]  # fmt: skip
                cells += [f"{figure.median / base:.2f}"] if base else []
            lines.append(f"| {figure.label} | {' | '.join(cells)} | {figure.note} |")
        return "\n".join(line for line in lines if line) + "\n"


OURS = "pysendmail"


def shown(value: float) -> str:
    """Return a number with three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def take_turns(
    runs: int, contestants: Sequence[tuple[str, Callable[[], float]]]
) -> dict[str, list[float]]:
    """Run each contestant `runs` times, all once before any twice; return what each gave."""
    given: dict[str, list[float]] = {label: [] for label, _ in contestants}
    for number in range(runs):
        for label, contest in contestants:
            given[label].append(contest())
            progress(f"{number + 1}/{runs} {label}: {shown(given[label][-1])}")
    return given


def progress(words: str) -> None:
    """Tell who waits what is being done."""
    print(f"# {words}", file=sys.stderr, flush=True)


def message(name: str = "0", size: int = 2048) -> bytes:
    """Return a message of `size` octets with LF line ends, `name` in its Subject."""
    head = f"From: a@example.com\nTo: b@example.org\nSubject: bench {name}\n\n".encode()
    line = b"An ordinary line of text, as long as most lines of mail are in our days.\n"
    return (head + line * (size // len(line)))[: size - 1] + b"\n"


def machine() -> str:
    """Return what the figures were taken on, in one line."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    kernel, python = os.uname().release, sys.version.split()[0]
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}: {os.cpu_count()} cores of "
        f"{models[0] if models else 'unknown make'}, kernel {kernel}, Python {python}, "
        f"load before: {load}"
    )
