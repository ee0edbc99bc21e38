"""A sum as a picture: each part a bar that begins where the one before it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tasks.reporting.scales import Scale
from tasks.reporting.svg import Drawing, shortened, text_width

ROW = 25.0
TOP = 6.0
BAR = 13.0
MOST_OF_NAMES = 0.48
"""Of the width, that the names may take."""
LEAST = 1.5
"""Units that a bar is wide at least, or a single row of a million could not be seen."""


@dataclass(frozen=True)
class Part:
    """One bar: its name on the left, `said` on the right."""

    name: str
    amount: float
    said: str
    tone: str = "a"
    title: str = ""


def waterfall(whole: Part, parts: Sequence[Part], label: str, width: float = 780) -> Markup:
    """The whole on top, its parts below from left to right; together they are as wide as it."""
    rows = [whole, *parts]
    drawing = Drawing(width, TOP + ROW * len(rows) + 4, label)
    names = min(width * MOST_OF_NAMES, max(text_width(row.name) for row in rows) + 16)
    numbers = max(text_width(row.said) for row in rows) + 10
    top = max(whole.amount, sum(part.amount for part in parts), 1.0)
    across = Scale(0.0, top, names, max(names + 40, width - numbers))
    _row(drawing, whole, 0, 0.0, across)
    before = 0.0
    for number, part in enumerate(parts, 1):
        at = across(before)
        drawing.line(at, _middle(number - 1) + BAR / 2, at, _middle(number) - BAR / 2, "grid")
        _row(drawing, part, number, before, across)
        before += part.amount
    return drawing.svg()


def _row(drawing: Drawing, part: Part, number: int, before: float, across: Scale) -> None:
    y = _middle(number)
    kind = "" if number else "strong"
    drawing.text(0, y + 4, shortened(part.name, across.start - 12), kind=kind)
    start, end = across(before), across(before + part.amount)
    if part.amount:
        left = min(start, across.end - LEAST)
        broad = max(end - start, LEAST)
        drawing.rect(left, y - BAR / 2, broad, BAR, f"tone-{part.tone}", part.title)
    drawing.text(drawing.width, y + 4, part.said, "end", kind)


def _middle(number: int) -> float:
    return TOP + (number + 0.5) * ROW
