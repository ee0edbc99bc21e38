"""The report's charts, each a pure function from numbers to one SVG.

Colours are classes (`tone-a` …) that the page's style sheet fills in, for light and for dark; a
shape or a name always says the same, so that nobody needs to tell colours apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tasks.reporting.axes import Axis, Frame, frame, legend
from tasks.reporting.labels import Box, place_labels
from tasks.reporting.scales import Scale, padded
from tasks.reporting.svg import Drawing, shortened, text_width

TALLER_THAN_THE_REST = 3.0
"""A column this many times the next one is cut off, or nothing else could be seen."""
LEGIBLE_CELL = 11.0


@dataclass(frozen=True)
class Series:
    """A named line through (x, y) points."""

    name: str
    points: Sequence[tuple[float, float]]
    tone: str = "a"
    marked: bool = False


@dataclass(frozen=True)
class Column:
    """One bar: a part a name in the legend, drawn on top of each other."""

    label: str
    parts: Sequence[float]
    title: str = ""
    tone: str | None = None
    """In place of the tones of the parts."""


@dataclass(frozen=True)
class Point:
    """A named place on a scatter, with the interval of its y."""

    name: str
    x: float
    y: float
    low: float
    high: float
    kind: str = "variant"
    """variant, chosen or baseline: its shape and tone."""
    title: str = ""


def lines(
    series: Sequence[Series], x: Axis, y: Axis, label: str, width: float = 380, height: float = 230
) -> Markup:
    """Lines over a common x, a legend above when there are several."""
    drawing = Drawing(width, height, label)
    points = [point for each in series for point in each.points]
    across = padded([at for at, _ in points], 0.02)
    up = padded([value for _, value in points])
    sheet = frame(drawing, x, y, across, up, top=28 if len(series) > 1 else 12)
    for each in series:
        places = [(sheet.x(at), sheet.y(value)) for at, value in each.points]
        drawing.path(places, f"tone-{each.tone}")
        if each.marked:
            for place, (at, value) in zip(places, each.points, strict=True):
                said = f"{each.name}: {y.shown(value)} at {x.name} {x.shown(at)}"
                drawing.circle(*place, 3.5, f"dot tone-{each.tone}", said)
    if len(series) > 1:
        legend(drawing, [(each.name, each.tone) for each in series])
    return drawing.svg()


def columns(
    bars: Sequence[Column], names: Sequence[tuple[str, str]], y: Axis, label: str,
    width: float = 760, height: float = 200, x_name: str = "",
) -> Markup:  # fmt: skip
    """Stacked columns; `names` are the parts' (name, tone) from the bottom up.

    One that would dwarf the rest is cut, its number written on it.
    """
    drawing = Drawing(width, height, label)
    totals = sorted(sum(bar.parts) for bar in bars)
    top = totals[-1] if totals else 1.0
    if len(totals) > 2 and totals[-2] > 0 and top > TALLER_THAN_THE_REST * totals[-2]:
        top = 1.5 * totals[-2]
    axis = Axis(x_name, lambda _: "")
    high = 30.0 if len(names) > 1 else 18.0
    sheet = frame(drawing, axis, y, (0, max(1, len(bars))), (0, top or 1.0), high, marks_x=False)
    step = sheet.x(1) - sheet.x(0)
    for number, bar in enumerate(bars):
        _column(drawing, sheet, bar, [tone for _, tone in names], number, step, y)
    _names_below(drawing, sheet, [bar.label for bar in bars], step)
    if len(names) > 1:
        legend(drawing, names)
    return drawing.svg()


def _column(
    drawing: Drawing, sheet: Frame, bar: Column, tones: Sequence[str],
    number: int, step: float, y: Axis,
) -> None:  # fmt: skip
    left, broad = sheet.x(number) + 0.12 * step, min(0.76 * step, 54.0)
    left += (0.76 * step - broad) / 2
    below = 0.0
    for value, tone in zip(bar.parts, tones, strict=True):
        foot, head = (sheet.y(min(v, sheet.y.high)) for v in (below, below + value))
        drawing.rect(left, head, broad, foot - head, f"tone-{bar.tone or tone}", bar.title)
        below += value
    if below > sheet.y.high * (1 + 1e-9):
        cut = sheet.y(sheet.y.high) + 14
        slant = [(left - 3, cut + 3), (left + broad + 3, cut - 3)]
        gap = [*slant, (left + broad + 3, cut + 1), (left - 3, cut + 7)]
        drawing.polygon(gap, "gap")
        drawing.text(left, sheet.top - 4, y.shown(below), size=11)


def _names_below(drawing: Drawing, sheet: Frame, names: Sequence[str], step: float) -> None:
    """As many of the names as fit side by side, the first always."""
    widest = max((text_width(name, 11) for name in names), default=0.0) + 8
    every = max(1, -int(-widest // step)) if step else 1
    free = 0.0
    for number in range(0, len(names), every):
        half = text_width(names[number], 11) / 2
        middle = min(max(sheet.x(number) + step / 2, half), drawing.width - half)
        if middle - half < free:
            continue
        free = middle + half + 4
        drawing.text(middle, sheet.bottom + 15, names[number], "middle", size=11)


def scatter(
    points: Sequence[Point], frontier: Sequence[tuple[float, float]], x: Axis, y: Axis,
    label: str, width: float = 760, height: float = 400,
) -> Markup:  # fmt: skip
    """Points with error bars and names over a logarithmic x; `frontier` is drawn as a line."""
    drawing = Drawing(width, height, label)
    across = padded([point.x for point in points], 0.1, log=True)
    up = padded([value for point in points for value in (point.low, point.y, point.high)], 0.06)
    sheet = frame(drawing, x, y, across, up, log=True)
    drawing.path([(sheet.x(at), sheet.y(value)) for at, value in frontier], "frontier")
    places = [(sheet.x(point.x), sheet.y(point.y)) for point in points]
    bars = [
        Box(at - 3, sheet.y(p.high), at + 3, sheet.y(p.low))
        for (at, _), p in zip(places, points, strict=True)
    ]
    for (at, _), point in zip(places, points, strict=True):
        drawing.line(at, sheet.y(point.low), at, sheet.y(point.high), f"error tone-{_tone(point)}")
        for end in (point.low, point.high):
            drawing.line(at - 3, sheet.y(end), at + 3, sheet.y(end), f"error tone-{_tone(point)}")
    for place, point in zip(places, points, strict=True):
        _mark(drawing, *place, point)
    room = Box(sheet.left + 2, sheet.top, width - 2, sheet.bottom - 2)
    names = [shortened(point.name, width * 0.45) for point in points]
    for name, place, point, put in zip(
        names, places, points, place_labels(places, names, room, bars), strict=True
    ):
        if put.distance > 24:
            _leader(drawing, place, put.box)
        strong = "strong" if point.kind == "chosen" else ""
        drawing.text(put.box.left + 2, put.box.bottom - 4, name, kind=f"name {strong}".strip())
    return drawing.svg()


def _tone(point: Point) -> str:
    return {"chosen": "good", "baseline": "b"}.get(point.kind, "a")


def _mark(drawing: Drawing, x: float, y: float, point: Point) -> None:
    kind = f"dot tone-{_tone(point)}"
    if point.kind == "baseline":
        drawing.rect(x - 5.5, y - 5.5, 11, 11, kind, point.title)
    elif point.kind == "chosen":
        drawing.circle(x, y, 11, "halo")
        drawing.circle(x, y, 7, kind, point.title)
    else:
        drawing.circle(x, y, 5, kind, point.title)


def _leader(drawing: Drawing, place: tuple[float, float], box: Box) -> None:
    """From the point to the nearest edge of its name."""
    x, y = place
    end_x = min(max(x, box.left), box.right)
    end_y = min(max(y, box.top + 2), box.bottom - 2)
    drawing.line(x, y, end_x, end_y, "leader")


def heat(
    counts: Sequence[Sequence[int]], labels: Sequence[str], label: str, width: float = 560
) -> Markup:
    """A confusion matrix, [actual][predicted]; the darker a cell the larger its share of the row.

    Numbers stand in the cells while they fit, names beside the rows while a row is high enough;
    the columns are numbered as the rows are.
    """
    size = max(1, len(labels))
    names = min(width * 0.34, max((text_width(name) for name in labels), default=0) + 42)
    cell = min((width - names - 4) / size, 92.0)
    legible = cell >= LEGIBLE_CELL
    top = 40.0
    drawing = Drawing(names + cell * size + 4, top + cell * size + 4, label)
    middle = names + cell * size / 2
    drawing.text(middle, 12, "predicted →", "middle", "quiet")
    drawing.text(0, top - 6, "actual ↓", kind="quiet")
    for row, cells in enumerate(counts):
        total = sum(cells) or 1
        height = top + row * cell
        if legible:
            name = shortened(f"{row + 1} {labels[row]}", names - 16, min(12, cell))
            drawing.text(names - 6, height + cell / 2 + 4, name, "end", size=min(12, cell))
            at = names + (row + 0.5) * cell
            drawing.text(at, top - 6, str(row + 1), "middle", size=min(12, cell * 0.66))
        for column, count in enumerate(cells):
            place = names + column * cell, height, cell
            said = f"{labels[row]} → {labels[column]}: {count} of {total}"
            _cell(drawing, *place, count, count / total, row == column, said)
    return drawing.svg()


def _cell(
    drawing: Drawing, x: float, y: float, cell: float, count: int, share: float,
    right: bool, title: str,
) -> None:  # fmt: skip
    gap = 1.0 if cell > 6 else 0.0
    drawing.rect(x, y, cell - gap, cell - gap, "cell")
    if count:
        tone = "tone-a" if right else "tone-b"
        drawing.rect(x, y, cell - gap, cell - gap, tone, title, opacity=0.12 + 0.88 * share)
    said = f"{count:,}"
    size = min(15.0, cell * 0.45)
    if count and size >= 8 and text_width(said, size) < cell - 3:
        kind = "on-tone" if share > 0.45 else "on-paper"
        drawing.text(x + cell / 2, y + cell / 2 + size * 0.35, said, "middle", kind, size)


__all__ = ["Axis", "Column", "Point", "Scale", "Series", "columns", "heat", "lines", "scatter"]
