from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tasks.reporting.waterfall import LEAST, Part, waterfall


def bars(svg: str) -> list[tuple[float, float]]:
    """Start and width of each bar, from the top."""
    found = ElementTree.fromstring(svg).iter("rect")
    return [(float(one.get("x", "")), float(one.get("width", ""))) for one in found]


def test_parts_follow_one_another_and_are_as_wide_as_the_whole() -> None:
    parts = [Part("train", 80, "80"), Part("test", 15, "15"), Part("bad", 5, "5")]
    whole, *rest = bars(waterfall(Part("read", 100, "100"), parts, "rows"))
    assert sum(width for _, width in rest) == pytest.approx(whole[1], abs=0.05)
    ends = [whole[0], *(start + width for start, width in rest)]
    assert [start for start, _ in rest] == pytest.approx(ends[:-1], abs=0.05)


def test_one_row_of_a_million_can_be_seen_and_stays_inside() -> None:
    parts = [Part("train", 999_999, "999,999"), Part("bad", 1, "1")]
    whole, _, bad = bars(waterfall(Part("read", 1_000_000, "1,000,000"), parts, "rows"))
    assert bad[1] == LEAST
    assert sum(bad) == pytest.approx(sum(whole), abs=0.05)


def test_nothing_read_is_drawn_too() -> None:
    assert bars(waterfall(Part("read", 0, "0"), [], "rows")) == []
