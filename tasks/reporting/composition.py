"""What the dataset is made of: class shares and lengths, and what production's was made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from tasks.reporting.evidence import Evidence, mapping, records
from tasks.reporting.spread import Spread
from tasks.reporting.wording import count, known, short, whole_number

TONES = {"train": "a", "validation": "b", "test": "c"}
MOST_CLASSES = 30
PRODUCTION = "production"
"""How the data of the version in production, all splits of them, are called on the page."""
EDGES = sorted({math.ceil(2 ** (step / 4)) for step in range(80)})
"""Where the bins of a profile's lengths begin, in characters; `tasks.drift.histograms` says so."""
_QUANTILES = {"low": 0.05, "lower": 0.25, "median": 0.5, "upper": 0.75, "high": 0.95}


@dataclass(frozen=True)
class ClassShares:
    """One class: rows by split, and shares (0 to 1) by split and in production's data."""

    label: str
    rows: Mapping[str, int]
    shares: Mapping[str, float]
    change: float | None
    """Points by which its share of all splits is above that in production's data."""


@dataclass(frozen=True)
class Classes:
    """The classes shown, how many there are, and the rows in train of those that are not shown."""

    shown: list[ClassShares]
    number: int
    rest: int


def classes(evidence: Evidence) -> Classes:
    """Each class by split; of very many the largest, since a page has an end."""
    rows = records(evidence.stages["ingest"].report.get("labels"))
    metrics = evidence.stages["ingest"].metrics
    # where a row may be of several classes or of none, shares are still those of the rows
    totals = {
        name: whole_number(metrics.get(name)) or sum(_rows(row, name) for row in rows)
        for name in TONES
    }
    before = reference_shares(evidence)
    found = [_shares(row, totals, before) for row in rows]
    if len(found) > MOST_CLASSES:
        found.sort(key=lambda one: (-one.rows["train"], one.label))
    rest = sum(one.rows["train"] for one in found[MOST_CLASSES:])
    return Classes(found[:MOST_CLASSES], len(found), rest)


def gone(evidence: Evidence) -> list[str]:
    """Classes of production's data that the night's data have no more."""
    rows = records(evidence.stages["ingest"].report.get("labels"))
    now = {str(row.get("label")) for row in rows}
    return [label for label in reference_shares(evidence) if label not in now] if now else []


def reference_shares(evidence: Evidence) -> dict[str, float]:
    """Class shares in the data of the version in production; empty without a profile."""
    return _label_shares(mapping(evidence.reference.get("profile")))


def lengths(evidence: Evidence, unit: str) -> list[Spread]:
    """The lengths of each split's texts in `characters` or `words`, and production's."""
    rows = records(evidence.stages["ingest"].report.get("lengths"))
    found = [spread for row in rows if row.get("unit") == unit and (spread := _of_row(row))]
    profile = mapping(evidence.reference.get("profile"))
    before = _of_histogram(profile) if found and unit == "characters" else None
    return [*found, before] if before else found


def _shares(
    row: dict[str, Any], totals: Mapping[str, int], before: Mapping[str, float]
) -> ClassShares:
    rows = {name: _rows(row, name) for name in TONES}
    shares = {name: rows[name] / total for name, total in totals.items() if total}
    label = row.get("label")
    if not before:
        return ClassShares(short(label, 120), rows, shares, None)
    then = before.get(str(label), 0.0)
    now = sum(rows.values()) / max(1, sum(totals.values()))
    return ClassShares(short(label, 120), rows, {**shares, PRODUCTION: then}, 100 * (now - then))


def _rows(row: dict[str, Any], split: str) -> int:
    return whole_number(row.get(split)) or 0


def _of_row(row: dict[str, Any]) -> Spread | None:
    at = {name: known(row.get(f"p{round(100 * share)}")) for name, share in _QUANTILES.items()}
    values = {name: max(value, 1.0) for name, value in at.items() if value is not None}
    if len(values) < len(_QUANTILES):
        return None
    split = short(row.get("split"))
    said = f"{split}: median {count(values['median'])}, 90 % from {count(values['low'])} to "
    return Spread(
        name=split, tone=TONES.get(split, "a"), title=said + count(values["high"]), **values
    )


def _label_shares(profile: dict[str, Any]) -> dict[str, float]:
    """Shares from a profile's counts of all its rows, the largest first."""
    every = mapping(profile.get("all"))
    rows = whole_number(every.get("rows"))
    counts = {label: whole_number(n) for label, n in mapping(every.get("labels")).items()}
    found = {label: n / rows for label, n in counts.items() if n and rows}
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))


def _of_histogram(profile: dict[str, Any]) -> Spread | None:
    """Quantiles from a profile's histogram, whose bins are a fifth wide."""
    counts = mapping(profile.get("all")).get("lengths")
    numbers = [whole_number(one) or 0 for one in counts] if isinstance(counts, list) else []
    if len(numbers) != len(EDGES) + 1 or not sum(numbers):
        return None
    values = {name: _quantile(numbers, share) for name, share in _QUANTILES.items()}
    said = f"{PRODUCTION}'s data: median about {count(values['median'])}"
    return Spread(name=PRODUCTION, tone="muted", title=said, **values)


def _quantile(counts: list[int], share: float) -> float:
    """As if the texts of a bin were spread evenly over it, in equal ratios."""
    wanted, below = share * sum(counts), list(accumulate(counts))
    place = next(at for at, number in enumerate(below) if number >= wanted)
    low, high = EDGES[max(0, place - 1)], EDGES[min(place, len(EDGES) - 1)]
    inside = 1 - (below[place] - wanted) / counts[place]
    return float(low * (max(low, high - 1) / low) ** inside)
