from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tasks.reporting.axes import Axis
from tasks.reporting.spread import Spread, spreads


def test_a_box_from_quarter_to_quarter_with_the_median_in_it() -> None:
    rows = [Spread("train", 4, 10, 20, 40, 100), Spread("test", 5, 10, 20, 40, 90, tone="c")]
    drawing = ElementTree.fromstring(spreads(rows, Axis("words"), "lengths"))
    box, _ = drawing.iter("rect")
    left, right = (float(box.get("x", "")), float(box.get("x", "")) + float(box.get("width", "")))
    median = next(line for line in drawing.iter("line") if line.get("class") == "median")
    assert float(median.get("x1", "")) == pytest.approx((left + right) / 2, abs=0.1), "in ratios"


def test_texts_that_are_all_as_long_are_drawn() -> None:
    drawing = ElementTree.fromstring(spreads([Spread("a", 7, 7, 7, 7, 7)], Axis("words"), "one"))
    assert float(next(drawing.iter("rect")).get("width", "")) > 0
