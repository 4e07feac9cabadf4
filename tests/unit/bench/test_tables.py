"""What the benchmarks make of their figures."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.bench import plot, report
from tests.bench.answering import CHUNKING, Answering
from tests.bench.measuring import BARE, OURS, Figure, Table, Target, take_turns

TABLE = Table(
    "Submission", "ms",
    [Figure(BARE, [8, 10, 9]), Figure(OURS, [18, 12, 30], "a note"), Figure("absent", [])],
    base=BARE,
)  # fmt: skip


def test_a_row_has_median_minimum_maximum_and_its_ratios() -> None:
    assert f"| {OURS} | 18 | 12 | 30 | 2.00 | 1.00 | a note |" in TABLE.markdown()


def test_who_was_not_measured_has_no_row() -> None:
    assert "absent" not in TABLE.markdown()
    assert TABLE.median("absent") == 0.0


@pytest.mark.parametrize(
    ("target", "verdict"),
    [
        (Target("x", 1.3, "at most", 1.3), "at most 1.3; measured 1.3, reached"),
        (Target("x", 1.31, "at most", 1.3), "at most 1.30; measured 1.31, **missed**"),
        (Target("x", 1, "below", 1), "below 1; measured 1, **missed**"),
        (Target("x", 4, "at least", 4), "at least 4; measured 4, reached"),
        (Target("x", 3.9, "at least", 4), "at least 4.00; measured 3.90, **missed**"),
        (Target("x", 0.9998, "above", 1), "above 1; measured 0.9998, **missed**"),
    ],
)
def test_a_target_tells_whether_it_is_reached(target: Target, verdict: str) -> None:
    assert target.markdown().endswith(verdict)


def test_contestants_take_turns() -> None:
    order: list[str] = []

    def contest(name: str) -> float:
        order.append(name)
        return float(len(order))

    given = take_turns(2, [("a", lambda: contest("a")), ("b", lambda: contest("b"))], warm_up=True)
    assert order == ["a", "b"] * 3
    assert given == {"a": [3.0, 5.0], "b": [4.0, 6.0]}


def test_the_plot_is_xml_with_a_bar_for_each_figure() -> None:
    root = ElementTree.fromstring(plot.svg([TABLE]))
    bars = [one for one in root.iter("{http://www.w3.org/2000/svg}rect") if "x" in one.attrib]
    assert len(bars) == 2


def test_the_page_keeps_what_stands_around_the_figures(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}old\n{report.END}after\n")
    report.replace(page, "new")
    assert page.read_text() == f"before\n{report.BEGIN}\nnew\n{report.END}after\n"


def test_what_the_host_took_is_told_of_the_time_that_was_wanted() -> None:
    before = "cpu  100 10 50 9000 70 1 2 20 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
    after = "cpu  160 10 70 9500 90 2 1 40 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
    assert report.stolen_share(before, after) == 0.2
    assert report.stolen_share(before, before) == 0.0


def test_the_answering_server_counts_messages_however_they_are_cut() -> None:
    octets = (
        b"EHLO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\n.text\r\n.\r\n"
        b"MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nBDAT 5 LAST\r\nDATA\n"
        b"MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\n.\r\nQUIT\r\n"
    )
    for size in (1, 7, len(octets)):
        answering = Answering(CHUNKING)
        replies = b"".join(
            answering.feed(octets[at : at + size]) for at in range(0, len(octets), size)
        )
        assert answering.taken == 3
        assert replies.endswith(b"221 2.0.0 bye\r\n")
        assert replies.count(b"354") == 2
