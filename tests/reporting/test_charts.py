from __future__ import annotations

from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest

from tasks.reporting.axes import Axis
from tasks.reporting.charts import Column, Point, Series, columns, heat, lines, scatter
from tasks.reporting.labels import Box, place_labels
from tasks.reporting.letters import clean
from tasks.reporting.scales import Scale, log_ticks, ticks
from tasks.reporting.svg import shortened, text_width
from tasks.reporting.wording import duration, percent, points, significant, size, times

X, Y = Axis("ms"), Axis("accuracy, %")
HOSTILE = '"><script>\x00\ud800'


def words(svg: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(svg).iter("text")]


def test_ticks_are_round_and_inside() -> None:
    assert ticks(80.2, 86.4, 5) == [82, 84, 86]
    assert ticks(0, 1, 5) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert log_ticks(0.4, 9) == [0.5, 1, 2, 5]


def test_a_logarithmic_scale_puts_equal_ratios_equally_far_apart() -> None:
    scale = Scale(1, 100, 0, 200, log=True)
    assert scale(10) == pytest.approx(100)


def test_names_of_close_points_cover_neither_each_other_nor_a_point() -> None:
    spots = [(200 + 7.0 * (i % 5), 150 + 5.0 * (i // 5)) for i in range(10)]
    names = [f"level{i}-int8" for i in range(10)]
    sheet = Box(0, 0, 360, 320)
    boxes = [label.box for label in place_labels(spots, names, sheet)]
    assert all(one.overlap(other) == 0 for one, other in combinations(boxes, 2))
    assert all(box.inside(sheet) for box in boxes)
    marks = [Box(x - 5, y - 5, x + 5, y + 5) for x, y in spots]
    assert all(box.overlap(mark) == 0 for box in boxes for mark in marks)


def test_every_chart_takes_hostile_names_and_stays_well_formed() -> None:
    drawn = [
        lines([Series(HOSTILE, [(0, 1), (1, 2)], marked=True), Series("b", [])], X, Y, HOSTILE),
        columns([Column(HOSTILE, [1, 2], HOSTILE)], [(HOSTILE, "a"), ("b", "b")], Y, HOSTILE),
        scatter([Point(HOSTILE, 1, 2, 1, 3, title=HOSTILE)], [(1, 2)], X, Y, HOSTILE),
        heat([[1, 2], [3, 4]], [HOSTILE, "b"], HOSTILE),
    ]
    for svg in drawn:
        assert not list(ElementTree.fromstring(svg).iter("script"))


def test_charts_of_nothing_and_of_one_point_are_drawn() -> None:
    for svg in (
        lines([], X, Y, "empty"),
        lines([Series("one", [(1, 1)])], X, Y, "one"),
        columns([], [("a", "a")], Y, "empty"),
        columns([Column("zero", [0])], [("a", "a")], Y, "zero"),
        scatter([], [], X, Y, "empty"),
        heat([], [], "empty"),
    ):
        ElementTree.fromstring(svg)


def test_a_column_that_dwarfs_the_rest_is_cut_and_says_its_number() -> None:
    bars = [Column("first", [6358]), Column("second", [150]), Column("third", [140])]
    svg = columns(bars, [("examples", "a")], Axis("examples"), "nights")
    assert "6,358" in words(svg)
    heights = sorted(
        float(each.get("height", 0)) for each in ElementTree.fromstring(svg).iter("rect")
    )
    assert heights[-1] < 2 * heights[-2]


def test_names_below_columns_never_overlap() -> None:
    bars = [Column(f"2026-01-{day:02}", [day]) for day in range(1, 30)]
    drawing = ElementTree.fromstring(columns(bars, [("a", "a")], Y, "nights", 350))
    places = [
        (float(each.get("x", 0)), text_width(each.text or "", 11))
        for each in drawing.iter("text")
        if (each.text or "").startswith("2026")
    ]
    assert len(places) > 2
    for (left, one), (right, other) in pairwise(places):
        assert left + one / 2 <= right - other / 2


def test_a_scatter_tells_the_chosen_and_the_baseline_by_their_shape() -> None:
    found = [
        Point("base", 8, 0.85, 0.83, 0.87, "baseline"),
        Point("best", 0.6, 0.84, 0.82, 0.86, "chosen"),
        Point("other", 1, 0.84, 0.82, 0.86),
    ]
    drawing = ElementTree.fromstring(scatter(found, [(0.6, 0.84)], X, Y, "frontier"))
    assert len(list(drawing.iter("rect"))) == 1
    assert sum(each.get("class") == "halo" for each in drawing.iter("circle")) == 1


def test_a_confusion_matrix_writes_its_counts_while_they_fit() -> None:
    assert {"444", "79", "88", "442"} <= set(words(heat([[444, 79], [88, 442]], ["a", "b"], "c")))
    many = heat([[1] * 60] * 60, [str(i) for i in range(60)], "c", 350)
    assert words(many) == ["predicted →", "actual ↓"]


def test_text_is_cut_to_its_room() -> None:
    assert shortened("short", 200) == "short"
    cut = shortened("comp.os.ms-windows.misc", 60)
    assert cut.endswith("…")
    assert text_width(cut) <= 60
    assert clean("a\x00b") == "a\ufffdb"


def test_numbers_are_written_for_people() -> None:
    assert percent(0.8437, 2) == "84.37\u202f%"
    assert percent(None) == percent(float("nan")) == "–"
    assert points(0.66) == "−0.66"
    assert points(-0.2) == "+0.20"
    assert points(0.001) == "0"
    assert duration(538.4) == "8\u202fmin 58\u202fs"
    assert duration(59.7) == "1\u202fmin 0\u202fs"
    assert duration(7300) == "2\u202fh 1\u202fmin"
    assert size(1_515_544) == "1.52\u202fMB"
    assert times(14.46) == "14.5×"
    assert significant(0.00052) == "0.00052"
