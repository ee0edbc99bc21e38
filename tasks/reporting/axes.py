"""Axes: what is measured, in what unit, and the grid behind a chart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tasks.reporting.scales import Scale, plain
from tasks.reporting.svg import Drawing, text_width


@dataclass(frozen=True)
class Axis:
    """What an axis measures, unit included, and how a value of it is written."""

    name: str
    shown: Callable[[float], str] = plain


@dataclass(frozen=True)
class Frame:
    """The scales of a drawn grid."""

    x: Scale
    y: Scale

    @property
    def left(self) -> float:
        """The left edge of the grid."""
        return self.x.start

    @property
    def top(self) -> float:
        """The upper edge of the grid."""
        return self.y.end

    @property
    def bottom(self) -> float:
        """The lower edge of the grid."""
        return self.y.start


def frame(
    drawing: Drawing, x: Axis, y: Axis, across: tuple[float, float], up: tuple[float, float],
    top: float = 14.0, log: bool = False, marks_x: bool = True,
) -> Frame:  # fmt: skip
    """Draw the grid for the given ranges and return where values lie on it.

    The y axis is named above itself, where a narrow screen has room.
    """
    marks = Scale(*up, 0, 1).ticks(5)
    left = max((text_width(y.shown(mark), 11) for mark in marks), default=20.0) + 8
    named = 20.0 if y.name else 0.0
    bottom = drawing.height - (40.0 if x.name else 22.0)
    sheet = Frame(Scale(*across, left, drawing.width - 8, log), Scale(*up, bottom, top + named))
    for mark in marks:
        at = sheet.y(mark)
        drawing.line(left, at, drawing.width - 8, at, "grid")
        drawing.text(left - 6, at + 4, y.shown(mark), "end", size=11)
    if marks_x:
        for mark in sheet.x.ticks(max(2, int(drawing.width / 90))):
            at = sheet.x(mark)
            drawing.line(at, bottom, at, bottom + 4, "axis")
            drawing.text(at, bottom + 17, x.shown(mark), "middle", size=11)
    drawing.line(left, bottom, drawing.width - 8, bottom, "axis")
    drawing.text(0, top, y.name, kind="quiet")
    drawing.text(drawing.width - 8, drawing.height - 4, x.name, "end", "quiet")
    return sheet


def legend(drawing: Drawing, names: Sequence[tuple[str, str]]) -> None:
    """Name each tone, on one line at the top right."""
    at = drawing.width - 8
    for name, tone in reversed(names):
        at -= text_width(name) + 2
        drawing.text(at, 12, name)
        at -= 14
        drawing.rect(at, 3, 10, 10, f"tone-{tone}")
        at -= 12
