from __future__ import annotations

from xml.etree import ElementTree

from tasks.reporting.axes import Axis
from tasks.reporting.gauges import Gauge, gauges

FINE = Gauge("labels, all", 0.02, "met", warn=0.1, stop=0.5, title="labels: 0.02")
OVER = Gauge("lengths, new", 0.6, "stopped", warn=0.1, stop=0.5)
UNJUDGED = Gauge("vocabulary, source x", 0.3, "not judged")


def test_a_shape_says_what_became_of_each_value() -> None:
    drawing = ElementTree.fromstring(gauges([FINE, OVER, UNJUDGED], Axis("effect"), "drift"))
    fine, unjudged = drawing.iter("circle")
    (over,) = drawing.iter("rect")
    assert float(fine.get("cx", "")) < float(unjudged.get("cx", "")) < float(over.get("x", ""))
    assert unjudged.get("class") == "hollow"
    assert [title.text for title in fine.iter("title")] == ["labels: 0.02"]
    strong = [text.text for text in drawing.iter("text") if text.get("class") == "strong"]
    assert strong == ["lengths, new"]


def test_limits_lie_where_they_are_and_on_the_sheet() -> None:
    drawing = ElementTree.fromstring(gauges([FINE], Axis("effect"), "drift", width=350))
    thin, thick = (
        float(
            next(line for line in drawing.iter("line") if line.get("class") == kind).get("x1", "")
        )
        for kind in ("limit", "limit hard")
    )
    dot = next(drawing.iter("circle"))
    assert float(dot.get("cx", "")) < thin < thick < 350


def test_no_value_and_values_of_zero_are_drawn() -> None:
    ElementTree.fromstring(gauges([], Axis("effect"), "none"))
    ElementTree.fromstring(gauges([Gauge("labels, all", 0.0)], Axis("effect"), "zero"))
