"""reports/tune.html: what was tried, how it went, and what each parameter has to do with it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from tasks.reporting.axes import Axis, Frame, frame
from tasks.reporting.letters import clean
from tasks.reporting.page import TEMPLATES
from tasks.reporting.scales import padded
from tasks.reporting.svg import Drawing, shortened
from tasks.stage.outputs import whole
from tasks.tuning.search import shown
from tasks.tuning.space import Dimension, Range, Space, Value, text
from tasks.tuning.study import Tried

PAGE = Path("reports/tune.html")
WIDE, NARROW, HIGH = 780.0, 380.0, 240.0
BELOW = 3.0
"""What lies this many times farther below the median than the best lies above it is drawn at the
lower edge, or one bad trial would press all others together."""
TONES = {"done": "a", "given up": "muted"}


@dataclass(frozen=True)
class Found:
    """What a study has come to, to be drawn."""

    stage: str
    name: str
    metric: str
    space: Space
    tried: Sequence[Tried]
    present: Tried | None
    best: Tried | None
    verdict: str
    """One sentence."""

    @property
    def known(self) -> list[tuple[Tried, float]]:
        """Trials with a figure."""
        return [(each, each.figure) for each in self.tried if each.figure is not None]


def write_picture(found: Found) -> Path:
    """Write the page; returns its path."""
    environment = Environment(
        loader=FileSystemLoader([Path(__file__).parent / "templates", TEMPLATES]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    rows = sorted(found.tried, key=lambda each: (each.figure is None, -(each.figure or 0)))
    page = environment.get_template("tune.html.j2").render(
        found=found,
        rows=rows,
        shown=shown,
        history=history(found),
        panels=[(each.key, panel(found, each)) for each in found.space.dimensions],
    )
    with whole(PAGE) as draft:
        draft.write_text(clean(page), encoding="utf-8")
    return PAGE


def history(found: Found) -> Markup:
    """Figures by trial, and the best until then as a line."""
    drawing = Drawing(WIDE, HIGH, f"{len(found.tried)} trials in order; {found.verdict}")
    numbers = [float(each.number) for each in found.tried]
    up = _range(found)
    sheet = frame(drawing, Axis("trial"), _figures(found), padded(numbers, 0.04), up)
    line, best = [], -math.inf
    for each, figure in found.known:
        if each.state == "done":
            best = max(best, figure)
        if math.isfinite(best):
            line.append((sheet.x(each.number), sheet.y(max(best, up[0]))))
    drawing.path(line, "tone-good")
    for each, figure in found.known:
        _dot(drawing, sheet, sheet.x(each.number), each, figure, found)
    return drawing.svg()


def panel(found: Found, dimension: Dimension) -> Markup:
    """Figures by the values of one parameter."""
    drawing = Drawing(NARROW, HIGH, f"{found.metric} by {dimension.key}")
    if isinstance(dimension, Range):
        log = dimension.log
        across = padded([dimension.low, dimension.high], 0.04, log)
        axis = Axis(f"{dimension.key}{' (logarithmic)' if log else ''}", lambda v: f"{v:.4g}")
        sheet = frame(drawing, axis, _figures(found), across, _range(found), log=log)
    else:
        count = len(dimension.values)
        axis = Axis(dimension.key)
        sheet = frame(
            drawing, axis, _figures(found), (-0.5, count - 0.5), _range(found), marks_x=False
        )
        room = (sheet.x(1) - sheet.x(0)) if count > 1 else NARROW
        for at, value in enumerate(dimension.values):
            name = shortened(_named(value), room - 4, 11)
            drawing.text(sheet.x(at), sheet.bottom + 15, name, "middle", size=11)
    for each, figure in found.known:
        place = _place(dimension, each.values[dimension.key])
        if place is not None:
            _dot(drawing, sheet, sheet.x(place), each, figure, found)
    return drawing.svg()


def _place(dimension: Dimension, value: Value) -> float | None:
    """Where a value lies; None for a present one that is not of the space."""
    if not dimension.holds(value):
        return None
    if isinstance(dimension, Range):
        return float(value)
    return float([*map(text, dimension.values)].index(text(value)))


def _named(value: Value) -> str:
    return value if isinstance(value, str) else text(value)


def _dot(
    drawing: Drawing, sheet: Frame, x: float, tried: Tried, figure: float, found: Found
) -> None:
    said = f"trial {tried.number}, {tried.state}: {100 * figure:.2f}; {shown(tried.values)}"
    y = sheet.y(max(figure, sheet.y.low))
    if found.best is not None and tried.number == found.best.number:
        drawing.circle(x, y, 8, "halo")
        drawing.circle(x, y, 6, "dot tone-good", said)
    elif found.present is not None and tried.number == found.present.number:
        drawing.circle(x, y, 6, "dot tone-b", said)
    else:
        drawing.circle(x, y, 4, f"dot tone-{TONES[tried.state]}", said)


def _figures(found: Found) -> Axis:
    return Axis(f"{found.metric} on validation × 100", lambda value: f"{100 * value:.4g}")


def _range(found: Found) -> tuple[float, float]:
    figures = [figure for _, figure in found.known]
    if not figures:
        return padded([])
    middle, top = median(figures), max(figures)
    low = min(figures)
    if top > middle:
        low = max(low, middle - BELOW * (top - middle))
    return padded([low, top])
