from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

from tasks.reporting.axes import Axis
from tasks.reporting.nightly import Night, nightly
from tasks.reporting.svg import text_width


def test_a_night_that_is_not_as_expected_is_a_square_below_its_stroke() -> None:
    usual = Night("2026-01-02", 0.85, 0.8, 0.9, 0.84)
    odd = Night("2026-01-03", 0.7, 0.6, 0.78, 0.84, "stopped", "2026-01-03: 70 %")
    drawing = ElementTree.fromstring(nightly([usual, odd], Axis("agreement"), "nights"))
    dot, square = next(drawing.iter("circle")), next(drawing.iter("rect"))
    strokes = [line for line in drawing.iter("line") if line.get("class") == "limit hard"]
    assert len(strokes) == 2
    assert float(square.get("y", "")) > float(strokes[1].get("y1", "")) > float(dot.get("cy", ""))
    assert "70 %" in "".join(square.itertext())


def test_names_of_many_nights_do_not_overlap() -> None:
    many = [Night(f"2026-{1 + n // 28:02}-{1 + n % 28:02}", 0.8, 0.7, 0.9) for n in range(60)]
    drawing = ElementTree.fromstring(nightly(many, Axis("agreement"), "nights", width=350))
    places = [
        (float(text.get("x", "")), text_width(text.text or "", 11))
        for text in drawing.iter("text")
        if (text.text or "").startswith("2026")
    ]
    assert len(places) > 2
    places.sort()
    for (left, one), (right, other) in pairwise(places):
        assert left + one / 2 < right - other / 2


def test_no_night_is_drawn_too() -> None:
    ElementTree.fromstring(nightly([], Axis("agreement"), "none"))
