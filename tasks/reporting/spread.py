"""Distributions side by side: a line for most of it, a box for the middle half, the median."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tasks.reporting.axes import Axis
from tasks.reporting.scales import Scale, padded
from tasks.reporting.svg import Drawing, shortened

ROW = 30.0
TOP = 6.0
FOOT = 40.0
BOX = 14.0
NAMES = 86.0


@dataclass(frozen=True)
class Spread:
    """The 5th, 25th, 50th, 75th and 95th percentile of something, all above 0."""

    name: str
    low: float
    lower: float
    median: float
    upper: float
    high: float
    tone: str = "a"
    title: str = ""


def spreads(rows: Sequence[Spread], x: Axis, label: str, width: float = 380) -> Markup:
    """One row a distribution over a common logarithmic x (a box plot after Tukey, 1977)."""
    drawing = Drawing(width, TOP + ROW * len(rows) + FOOT, label)
    ends = [value for row in rows for value in (row.low, row.high)]
    across = Scale(*padded(ends, 0.04, log=True), NAMES, width - 8, log=True)
    foot = TOP + ROW * len(rows)
    for mark in across.ticks():
        drawing.line(across(mark), TOP, across(mark), foot, "grid")
        drawing.text(across(mark), foot + 15, x.shown(mark), "middle", size=11)
    for number, row in enumerate(rows):
        _row(drawing, row, TOP + (number + 0.5) * ROW, across)
    drawing.text(width - 8, foot + 34, x.name, "end", "quiet")
    return drawing.svg()


def _row(drawing: Drawing, row: Spread, y: float, across: Scale) -> None:
    drawing.text(0, y + 4, shortened(row.name, NAMES - 8))
    drawing.line(across(row.low), y, across(row.high), y, f"error tone-{row.tone}")
    left, right = across(row.lower), across(row.upper)
    broad = max(right - left, 2.0)
    drawing.rect(left, y - BOX / 2, broad, BOX, f"box-of tone-{row.tone}", row.title)
    middle = across(row.median)
    drawing.line(middle, y - BOX / 2 - 3, middle, y + BOX / 2 + 3, "median")
