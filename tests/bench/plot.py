"""Tables as bars: one SVG, drawn by hand."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from tests.bench.measuring import OURS, Figure, Table, shown

ROW, HEAD, LABEL, BAR, WIDTH = 18, 44, 330, 420, 900


def svg(tables: Iterable[Table]) -> str:
    """Return the tables as horizontal bars from 0 to the largest median, with a line for the
    spread.
    """
    parts: list[str] = []
    height = 10
    for table in tables:
        figures = [figure for figure in table.figures if figure.values]
        if not figures:
            continue
        parts.append(text(10, height + 16, table.title, weight="bold"))
        parts.append(text(10, height + 32, table.unit, fill="#555"))
        height += HEAD
        longest = max(figure.values[-1] for figure in figures) or 1.0
        for figure in figures:
            parts += bar(figure, height, BAR / longest)
            height += ROW
        height += ROW
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        'font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )


def bar(figure: Figure, top: int, scale: float) -> list[str]:
    """Return one contestant's row."""
    low, high = (LABEL + value * scale for value in (figure.values[0], figure.values[-1]))
    middle, end = top + ROW / 2 - 2, LABEL + figure.median * scale
    colour = "#2a6fdb" if figure.label.startswith(OURS) else "#b9c0ca"
    return [
        text(LABEL - 8, top + 11, figure.label, anchor="end"),
        f'<rect x="{LABEL}" y="{top}" width="{end - LABEL:.1f}" height="{ROW - 4}" '
        f'fill="{colour}"/>',
        f'<path d="M{low:.1f} {middle}H{high:.1f}" stroke="#222"/>',
        text(max(end, high) + 6, top + 11, shown(figure.median)),
    ]


def text(
    x: float, y: float, words: str, *, anchor: str = "start", weight: str = "normal",
    fill: str = "#222",
) -> str:  # fmt: skip
    """Return words at a place."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" '
        f'fill="{fill}">{escape(words)}</text>'
    )
