"""Labels that are numbers: how often which, as the night's profile counted them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from tasks.reporting.charts import Axis, Column, columns
from tasks.reporting.evidence import Evidence, mapping
from tasks.reporting.figures import twice
from tasks.reporting.wording import count, known, percent, plain, short, whole_number


@dataclass(frozen=True)
class Ratings:
    """The numbers of one task, counted in a sample of its rows."""

    name: str
    bins: list[tuple[str, int]]
    """What lies in each bin that has any, and how many."""

    @property
    def rows(self) -> int:
        """All that were counted."""
        return sum(rows for _, rows in self.bins)


def ratings(evidence: Evidence) -> list[Ratings]:
    """A histogram a task whose labels are numbers; what can't be read is left out."""
    profile = mapping(evidence.profile.get("all"))
    found = [
        Ratings(short(name, 60), list(_bins(mapping(each))))
        for name, each in mapping(profile.get("values")).items()
    ]
    return [each for each in found if each.rows]


def histogram(found: Ratings) -> Markup:
    """How many rows have which number."""
    bars = [
        Column(label, [float(rows)], f"{label}: {count(rows)} rows, {percent(rows / found.rows)}")
        for label, rows in found.bins
    ]
    label = f"Numbers of {found.name} in {count(found.rows)} rows"
    return twice(
        lambda width: columns(bars, [("rows", "a")], Axis("rows", count), label, width, 170)
    )


def _bins(counted: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """The bins begin at `edges`, the first at none; one a hair wide holds a single number."""
    edges, counts = counted.get("edges"), counted.get("counts")
    if not isinstance(edges, list) or not isinstance(counts, list):
        return
    cuts = [cut for each in edges if (cut := known(each)) is not None]
    if len(counts) != len(cuts) + 1 or cuts != sorted(cuts):
        return
    for (low, high), rows in zip(pairwise([-math.inf, *cuts, math.inf]), counts, strict=True):
        if number := whole_number(rows):
            yield _label(low, high), number


def _label(low: float, high: float) -> str:
    start, end = (plain(float(f"{each:.4g}")) for each in (low, high))
    if math.isinf(low):
        return f"below {end}"
    if math.nextafter(low, math.inf) >= high:
        return start
    return f"from {start}" if math.isinf(high) else f"{start} to {end}"
