"""A share a night with its interval, beside what was expected of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tasks.reporting.axes import Axis, Frame, frame
from tasks.reporting.scales import padded
from tasks.reporting.svg import Drawing, text_width

WIDEST_STEP = 90.0


@dataclass(frozen=True)
class Night:
    """What was seen in one night, the interval of it, and what was expected."""

    name: str
    value: float
    low: float
    high: float
    expected: float | None = None
    state: str = "met"
    title: str = ""


def nightly(
    found: Sequence[Night], y: Axis, label: str, width: float = 780, height: float = 210
) -> Markup:
    """A dot a night with its interval, a stroke across where it was expected.

    A square is a night that is not as expected.
    """
    drawing = Drawing(width, height, label)
    values = [end for one in found for end in (one.low, one.high, one.expected) if end is not None]
    blank = Axis("", lambda _: "")
    up = padded(values, 0.1)
    sheet = frame(drawing, blank, y, (0, max(1, len(found))), up, marks_x=False)
    step = min(sheet.x(1) - sheet.x(0), WIDEST_STEP)
    for number, one in enumerate(found):
        _night(drawing, one, sheet, sheet.left + (number + 0.5) * step, step)
    _names(drawing, found, sheet, step)
    return drawing.svg()


def _night(drawing: Drawing, one: Night, sheet: Frame, x: float, step: float) -> None:
    bad = one.state in ("warned", "stopped")
    tone = {"warned": "b", "stopped": "bad"}.get(one.state, "a")
    if one.expected is not None:
        half = min(0.42 * step, 16.0)
        drawing.line(x - half, sheet.y(one.expected), x + half, sheet.y(one.expected), "limit hard")
    drawing.line(x, sheet.y(one.low), x, sheet.y(one.high), f"error tone-{tone}")
    place = sheet.y(one.value)
    size = max(2.0, min(4.5, 0.3 * step))
    if bad:
        drawing.rect(x - size, place - size, 2 * size, 2 * size, f"dot tone-{tone}", one.title)
    else:
        drawing.circle(x, place, size, f"dot tone-{tone}", one.title)


def _names(drawing: Drawing, found: Sequence[Night], sheet: Frame, step: float) -> None:
    """As many as fit side by side, the last always."""
    end = drawing.width
    for number in reversed(range(len(found))):
        half = text_width(found[number].name, 11) / 2
        middle = min(sheet.left + (number + 0.5) * step, drawing.width - half)
        if half <= middle <= end - half:
            drawing.text(middle, sheet.bottom + 15, found[number].name, "middle", size=11)
            end = middle - half - 6
