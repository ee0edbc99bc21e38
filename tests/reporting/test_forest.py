from __future__ import annotations

from xml.etree import ElementTree

from tasks.reporting.axes import Axis
from tasks.reporting.forest import Change, forest


def test_a_line_a_change_with_its_interval_and_limit() -> None:
    fine = Change("all", 0.2, -0.4, 0.8, limit=-0.5, title="all: +0.20")
    refused = Change("class rare", -7.0, -9.0, -5.0, ok=False)

    drawing = ElementTree.fromstring(forest([fine, refused], Axis("points"), "Changes"))

    (dot,) = drawing.iter("circle")
    square = next(each for each in drawing.iter("rect"))
    assert float(square.get("x", "")) < float(dot.get("cx", "")), "losses are on the left"
    assert [each.text for each in dot.iter("title")] == ["all: +0.20"]
    bars = [each for each in drawing.iter("line") if "error" in each.get("class", "")]
    assert [bar.get("y1") == bar.get("y2") for bar in bars] == [True, True]
    limits = [each for each in drawing.iter("line") if each.get("class") == "axis"]
    assert len(limits) == 2, "zero, and the one limit there is"
    strong = [each.text for each in drawing.iter("text") if each.get("class") == "strong"]
    assert strong == ["class rare"]


def test_long_names_are_cut_before_they_reach_the_bars() -> None:
    drawing = ElementTree.fromstring(
        forest([Change("source " + "x" * 200, 0, 0, 0)], Axis("points"), "one", width=350)
    )
    names = [each.text or "" for each in drawing.iter("text")]
    assert any(name.endswith("…") for name in names)
