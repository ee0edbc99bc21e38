"""Measured values against their limits: a row each, the limits drawn where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tasks.reporting.axes import Axis
from tasks.reporting.scales import Scale
from tasks.reporting.svg import Drawing, shortened, text_width

ROW = 24.0
TOP = 10.0
FOOT = 40.0
SHARE_OF_NAMES = 0.38
LEAST_RANGE = 0.1
"""What a small effect is called: less would blow up noise to the width of the sheet."""
TONES = {"met": "a", "warned": "b", "stopped": "bad"}


@dataclass(frozen=True)
class Gauge:
    """One value from 0 up. `state` is met, warned, stopped or not judged."""

    name: str
    value: float
    state: str = "met"
    warn: float | None = None
    stop: float | None = None
    title: str = ""


def gauges(rows: Sequence[Gauge], x: Axis, label: str, width: float = 780) -> Markup:
    """Thin strokes warn, thick ones stop; what is over one is no circle but a square.

    Hollow is what was measured and is not judged.
    """
    drawing = Drawing(width, TOP + ROW * len(rows) + FOOT, label)
    left, foot = width * SHARE_OF_NAMES, TOP + ROW * len(rows)
    ends = [end for row in rows for end in (row.value, row.warn, row.stop) if end is not None]
    across = Scale(0.0, 1.05 * max([*ends, LEAST_RANGE]), left, width - 8)
    for mark in across.ticks(max(2, int((width - left) / 90))):
        drawing.line(across(mark), TOP, across(mark), foot, "grid")
        drawing.text(across(mark), foot + 15, x.shown(mark), "middle", size=11)
    drawing.line(left, TOP, left, foot, "axis")
    for number, row in enumerate(rows):
        _row(drawing, row, TOP + (number + 0.5) * ROW, across, left - 10)
    room = width - 8 - text_width(x.name)
    drawing.text(max(0.0, room), foot + 34, x.name, kind="quiet")
    return drawing.svg()


def _row(drawing: Drawing, row: Gauge, y: float, across: Scale, room: float) -> None:
    bad = row.state in ("warned", "stopped")
    drawing.text(0, y + 4, shortened(row.name, room), kind="strong" if bad else "")
    for limit, kind in ((row.warn, "limit"), (row.stop, "limit hard")):
        if limit is not None:
            drawing.line(across(limit), y - 9, across(limit), y + 9, kind)
    place = across(row.value)
    drawing.line(across.start, y, place, y, f"error tone-{TONES.get(row.state, 'muted')}")
    if bad:
        drawing.rect(place - 5, y - 5, 10, 10, f"dot tone-{TONES[row.state]}", row.title)
    elif row.state == "met":
        drawing.circle(place, y, 5, "dot tone-a", row.title)
    else:
        drawing.circle(place, y, 4.5, "hollow", row.title)
