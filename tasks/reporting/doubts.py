"""What makes one doubt the data: drift, production's disagreement, repetition, giveaways, labels.

Typed from the lists of plain records in reports/validate.json; a record that lacks its number is
left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tasks.measuring.statistics import wilson
from tasks.reporting.evidence import Evidence, mapping, records
from tasks.reporting.gauges import Gauge
from tasks.reporting.judged import STATES, limits_of, state_of_record
from tasks.reporting.nightly import Night
from tasks.reporting.wording import count, known, percent, short, significant, whole_number

TOGETHER = "together"
"""What the record about all new nights is called."""


@dataclass(frozen=True)
class Drift:
    """One slice by one measure: how far it is from production's data."""

    slice: str
    measure: str
    rows: int | None
    effect: float
    p: float | None
    p_corrected: float | None
    warn: float | None
    stop: float | None
    state: str


def drifts(evidence: Evidence) -> list[Drift]:
    """Every slice and measure that has an effect, in the report's order."""
    rows = table(evidence, "drift")
    return [drift for row in rows if (drift := _drift(evidence, row)) is not None]


def gauges_of(found: Sequence[Drift], most: int) -> list[Gauge]:
    """The same as rows of a picture, in order; of very many those nearest to their limits."""
    worst = sorted(found, key=lambda one: (STATES.index(one.state), -one.effect))[:most]
    return [_gauge(one) for one in found if one in worst]


def agreements(evidence: Evidence) -> list[tuple[Night, dict[str, Any]]]:
    """Production's agreement with the labels of each night new to it, and the record of each."""
    found = ((_night(evidence, row), row) for row in table(evidence, "agreement"))
    return [(night, row) for night, row in found if night is not None]


@dataclass(frozen=True)
class Pair:
    """Two texts that are nearly the same: `sides` are the id and the start of each."""

    between: str
    similarity: float
    sides: list[tuple[str, str]]


def pairs(evidence: Evidence) -> list[Pair]:
    """Examples of near duplicates, by the sides that they stand on, the most alike first."""
    rows = [row for row in table(evidence, "pairs") if known(row.get("similarity")) is not None]
    found = [
        Pair(
            short(row.get("between")),
            float(row["similarity"]),
            [(short(side.get("id")), short(side.get("start"))) for side in records(row["sides"])],
        )
        for row in rows
        if len(records(row.get("sides"))) == 2
    ]
    order = list(dict.fromkeys(pair.between for pair in found))
    return sorted(found, key=lambda pair: (order.index(pair.between), -pair.similarity))


def suspects(evidence: Evidence) -> list[dict[str, Any]]:
    """Rows whose label is likely wrong, the surest first."""
    return [row for row in table(evidence, "suspects") if row.get("suggested") is not None]


def table(evidence: Evidence, name: str) -> list[dict[str, Any]]:
    """The records of one of the validation's tables."""
    return records(mapping(evidence.stages["validate"].report.get("tables")).get(name))


def _gauge(one: Drift) -> Gauge:
    said = f"{one.measure} of {one.slice}: {significant(one.effect)}"
    said += f", p corrected {significant(one.p_corrected, 2)}"
    name = f"{one.measure}, {one.slice}"
    return Gauge(name, max(one.effect, 0.0), one.state, one.warn, one.stop, said)


def _drift(evidence: Evidence, row: dict[str, Any]) -> Drift | None:
    effect = known(row.get("effect"))
    if effect is None:
        return None
    limits = limits_of(evidence, row, "drift")
    return Drift(
        slice=short(row.get("slice")),
        measure=short(row.get("measure")),
        rows=whole_number(row.get("rows")),
        effect=effect,
        p=known(row.get("p")),
        p_corrected=known(row.get("p_corrected")),
        warn=limits.get("warn"),
        stop=limits.get("stop"),
        state=state_of_record(evidence, row, "drift"),
    )


def _night(evidence: Evidence, row: dict[str, Any]) -> Night | None:
    rows, share = whole_number(row.get("rows")), known(row.get("agreement"))
    if not rows or share is None or not 0 <= share <= 1:
        return None
    low, high = wilson(round(share * rows), rows)
    name = TOGETHER if row.get("id") == "new" else short(row.get("id"))
    expected = known(row.get("expected"))
    said = f"{name}: {percent(share)} of {count(rows)} rows, {percent(low)} to {percent(high)}"
    said += f"; expected {percent(expected)}"
    state = state_of_record(evidence, row, "agreement")
    return Night(name, share, low, high, expected, state, said)
