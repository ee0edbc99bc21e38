"""Changes side by side: a line each, a dot with its interval, and the limit it must not cross."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tasks.reporting.axes import Axis
from tasks.reporting.scales import Scale, padded
from tasks.reporting.svg import Drawing, shortened

ROW = 24.0
SHARE_OF_NAMES = 0.42
TOP = 10.0
FOOT = 40.0


@dataclass(frozen=True)
class Change:
    """One line. Values run to the right as they get better."""

    name: str
    value: float
    low: float
    high: float
    limit: float | None = None
    """The least that is allowed."""
    ok: bool = True
    title: str = ""


def forest(changes: Sequence[Change], x: Axis, label: str, width: float = 780) -> Markup:
    """A line a change, the names on the left, zero marked; limits are short upright strokes."""
    drawing = Drawing(width, TOP + ROW * len(changes) + FOOT, label)
    places = [place for each in changes for place in (each.low, each.high, each.limit or 0.0)]
    left, foot = width * SHARE_OF_NAMES, TOP + ROW * len(changes)
    across = Scale(*padded([0.0, *places], 0.05), left, width - 8)
    for mark in across.ticks(max(2, int((width - left) / 90))):
        drawing.line(across(mark), TOP, across(mark), foot, "grid")
        drawing.text(across(mark), foot + 15, x.shown(mark), "middle", size=11)
    drawing.line(across(0.0), TOP, across(0.0), foot, "axis")
    for number, each in enumerate(changes):
        _line(drawing, each, TOP + (number + 0.5) * ROW, across, left - 10)
    drawing.text(width - 8, foot + 34, x.name, "end", "quiet")
    return drawing.svg()


def _line(drawing: Drawing, each: Change, y: float, across: Scale, room: float) -> None:
    tone = "a" if each.ok else "b"
    drawing.text(0, y + 4, shortened(each.name, room), kind="" if each.ok else "strong")
    drawing.line(across(each.low), y, across(each.high), y, f"error tone-{tone}")
    if each.limit is not None:
        at = across(each.limit)
        drawing.line(at, y - 8, at, y + 8, "axis")
    place = across(each.value)
    if each.ok:
        drawing.circle(place, y, 5, f"dot tone-{tone}", each.title)
    else:
        drawing.rect(place - 5, y - 5, 10, 10, f"dot tone-{tone}", each.title)
