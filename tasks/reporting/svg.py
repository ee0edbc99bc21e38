"""A sheet to draw on: SVG elements one by one, every text escaped, colours left to the style."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from html import escape

from markupsafe import Markup

from tasks.reporting.letters import clean

FONT_SIZE = 12.0
WIDTH_OF_A_LETTER = 0.56  # of the font size; a mean over Latin text in the system's sans-serif


def text_width(text: str, size: float = FONT_SIZE) -> float:
    """About how wide a text is drawn, in the unit of `size`; ideographs are a square each."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return size * (wide + WIDTH_OF_A_LETTER * (len(text) - wide))


def shortened(text: str, width: float, size: float = FONT_SIZE) -> str:
    """`text`, cut with an ellipsis so that it is drawn within `width`."""
    whole = clean(text)
    text = whole[: int(width / (size * WIDTH_OF_A_LETTER)) + 1]  # no more of it can fit
    if text == whole and text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text + "…"


class Drawing:
    """An SVG of `width` × `height` units that scales with the page; `label` says what it shows."""

    def __init__(self, width: float, height: float, label: str) -> None:
        self.width, self.height = width, height
        self._label = label
        self._parts: list[str] = []

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        """A straight line; `kind` is the style's class."""
        self._add("line", {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "class": kind})

    def path(self, points: Iterable[tuple[float, float]], kind: str) -> None:
        """A line through points."""
        joined = " ".join(f"{_short(x)},{_short(y)}" for x, y in points)
        self._add("polyline", {"points": joined, "class": f"curve {kind}"})

    def polygon(self, points: Sequence[tuple[float, float]], kind: str, title: str = "") -> None:
        """A filled shape."""
        joined = " ".join(f"{_short(x)},{_short(y)}" for x, y in points)
        self._add("polygon", {"points": joined, "class": kind}, title=title)

    def rect(
        self, x: float, y: float, width: float, height: float, kind: str,
        title: str = "", opacity: float | None = None,
    ) -> None:  # fmt: skip
        """A filled box; `title` shows when the pointer rests on it."""
        place = {"x": x, "y": y, "width": max(0.0, width), "height": max(0.0, height)}
        faded = {} if opacity is None else {"fill-opacity": opacity}
        self._add("rect", {**place, "class": kind, **faded}, title=title)

    def circle(self, x: float, y: float, radius: float, kind: str, title: str = "") -> None:
        """A filled circle around (x, y)."""
        self._add("circle", {"cx": x, "cy": y, "r": radius, "class": kind}, title=title)

    def text(
        self, x: float, y: float, text: str, anchor: str = "start", kind: str = "",
        size: float = FONT_SIZE, turned: bool = False,
    ) -> None:  # fmt: skip
        """A line of text, its base line at y; `turned` reads upwards."""
        place: dict[str, object] = {"x": x, "y": y, "text-anchor": anchor, "font-size": size}
        if turned:
            place["transform"] = f"rotate(-90 {_short(x)} {_short(y)})"
        if kind:
            place["class"] = kind
        self._add("text", place, content=text)

    def svg(self) -> Markup:
        """The drawing as one element."""
        size = f"0 0 {_short(self.width)} {_short(self.height)}"
        label = escape(clean(self._label))
        body = "".join(self._parts)
        return Markup(f'<svg viewBox="{size}" role="img" aria-label="{label}">{body}</svg>')  # noqa: S704 - every text in it went through `escape`

    def _add(
        self, name: str, attributes: dict[str, object], content: str = "", title: str = ""
    ) -> None:
        said = " ".join(f'{key}="{_attribute(value)}"' for key, value in attributes.items())
        hover = f"<title>{escape(clean(title))}</title>" if title else ""
        self._parts.append(f"<{name} {said}>{hover}{escape(clean(content))}</{name}>")


def _attribute(value: object) -> str:
    return _short(value) if isinstance(value, float) else escape(clean(str(value)))


def _short(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
