"""What every benchmark shares: settings, taking turns, figures, and the tables they go into.

A benchmark is a module `bench_*` with `measure(settings)`, which yields `Table`s. Contestants take
turns within each run, so that what else the machine does hits all alike; a figure is the median of
the runs, with minimum and maximum.
"""

from __future__ import annotations

import operator
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence

OURS = "pysendmail"
BARE = "python3 -I -S -c pass"
BOUNDS: dict[str, Callable[[float, float], bool]] = {
    "at most": operator.le, "below": operator.lt, "at least": operator.ge, "above": operator.gt,
}  # fmt: skip
PAUSE_S = 0.05  # for what the contestant before may still do in the background

Contest = tuple[str, Callable[[], float]]


class Settings:
    """How much to measure. `runs`: of each contestant; `scale`: 1.0 as in docs/performance.md, less
    for a look.
    """

    def __init__(self, *, runs: int = 10, scale: float = 1.0) -> None:
        self.runs = runs
        self.scale = scale

    def count(self, number: int, least: int = 10) -> int:
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


class Target:
    """What ours should reach: `words` say of what, `bound` is one of BOUNDS."""

    def __init__(self, words: str, value: float, bound: str, limit: float) -> None:
        self.words = words
        self.value = value
        self.bound = bound
        self.limit = limit

    def markdown(self) -> str:
        """Return it with its verdict, in one line."""
        verdict = "reached" if BOUNDS[self.bound](self.value, self.limit) else "**missed**"
        limit, measured = shown(self.limit), shown(self.value)
        if f"{self.limit:.3g}" == f"{self.value:.3g}":  # three digits do not tell them apart
            limit, measured = f"{self.limit:.6g}", f"{self.value:.6g}"
        return f"- {self.words}: {self.bound} {limit}; measured {measured}, {verdict}"


class Table:
    """Figures of one kind. A contestant whose label begins with `OURS` is ours; ratios are taken to
    the first of those, and to the one named `base`.
    """

    def __init__(
        self,
        title: str,
        unit: str,
        figures: Sequence[Figure],
        *,
        base: str = "",
        targets: Sequence[Target] = (),
    ) -> None:
        self.title = title
        self.unit = unit
        self.figures = [figure for figure in figures if figure.values]
        self.base = base
        self.targets = [target.markdown() for target in targets]

    def median(self, label: str) -> float:
        """Return the median of a contestant; 0.0 where it was not measured."""
        return next((figure.median for figure in self.figures if figure.label == label), 0.0)

    def markdown(self) -> str:
        """Return the table in Markdown."""
        ours = next((f.label for f in self.figures if f.label.startswith(OURS)), "")
        bases = [label for label in (self.base, ours) if self.median(label)]
        ratios = "".join(f" ÷ {base} |" for base in bases)
        lines = [
            f"### {self.title}\n",
            f"| {self.unit} | median | min | max |{ratios} |",
            "|---|---:|---:|---:|" + "---:|" * len(bases) + "---|",
        ]
        for figure in self.figures:
            values = (figure.median, figure.values[0], figure.values[-1])
            cells = [*map(shown, values), *(ratio(figure.median, self.median(b)) for b in bases)]
            lines.append(f"| {figure.label} | {' | '.join(cells)} | {figure.note} |")
        return "\n".join([*lines, *([""] if self.targets else []), *self.targets]) + "\n"


def shown(value: float) -> str:
    """Return a number with three digits that count."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if 1 <= abs(value) < 10 else f"{value:.3g}"


def ratio(value: float, base: float) -> str:
    return f"{value / base:.2f}"


def take_turns(
    runs: int, contests: Sequence[Contest], *, warm_up: bool = False
) -> dict[str, list[float]]:
    """Run each contest `runs` times, all once before any twice; return what each gave.

    `warm_up`: once more before, which does not count.
    """
    for _, contest in contests if warm_up else ():
        contest()
    given: dict[str, list[float]] = {label: [] for label, _ in contests}
    for number in range(runs):
        for label, contest in contests:
            time.sleep(PAUSE_S)
            given[label].append(contest())
            progress(f"{number + 1}/{runs} {label}: {shown(given[label][-1])}")
    return given


def figures(given: dict[str, list[float]], factor: float = 1.0) -> list[Figure]:
    """Return what `take_turns` gave as figures, each value times `factor`."""
    return [Figure(label, [value * factor for value in values]) for label, values in given.items()]


def progress(words: str) -> None:
    """Tell who waits what is being done."""
    print(f"# {words}", file=sys.stderr, flush=True)


def message(name: str = "0", size: int = 2048) -> bytes:
    """Return a message of `size` octets with LF line ends, `name` in its Subject."""
    head = f"From: a@example.com\nTo: b@example.org\nSubject: bench {name}\n\n".encode()
    line = b"An ordinary line of text, as long as most lines of mail are in our days.\n"
    return (head + line * (size // len(line)))[: size - 1] + b"\n"
