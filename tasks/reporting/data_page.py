"""All that the page says of the data, ready for its templates: the sections ingest and validate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tasks.reporting import composition
from tasks.reporting.accounting import deliveries, ledger, masked, rules
from tasks.reporting.doubts import agreements, drifts, pairs, suspects, table
from tasks.reporting.evidence import Evidence, mapping, records
from tasks.reporting.judged import STATES, Judgement, judgements
from tasks.reporting.ratings import ratings
from tasks.reporting.wording import short, whole_number

MOST_DELIVERIES = 40
MOST_ROWS = 25
"""Records of one table that the page shows."""

DOUBTS = ("drift", "agreement", "repetition", "giveaways", "suspects")
"""The tables of the validation that have a heading of their own."""


@dataclass(frozen=True)
class Sizes:
    """Rows that were read, and what became of them."""

    read: int
    train: int
    validation: int
    test: int

    @property
    def examples(self) -> int:
        """Of all splits together."""
        return self.train + self.validation + self.test


def data_content(evidence: Evidence) -> dict[str, Any]:
    """What the templates of `ingest` and `validate` show, by name."""
    return {**_intake(evidence), **_composition(evidence), **_doubts(evidence)}


def _intake(evidence: Evidence) -> dict[str, Any]:
    report = evidence.stages["ingest"].report
    came = deliveries(evidence)
    newest = came[-MOST_DELIVERIES:]
    kinds = evidence.intake.get("mask")
    kinds = kinds if isinstance(kinds, list) else []
    return {
        "sizes": _sizes(evidence),
        "ledger": ledger(evidence),
        "deliveries": came,
        "dated": bool(came) and _is_dated(evidence),
        "newest": newest[::-1],
        "earlier": came[: len(came) - len(newest)],
        "masked": masked(evidence),
        "mask": [short(kind) for kind in kinds if isinstance(kind, str)],
        "rules": rules(evidence),
        "quarantine": _by_rule(records(report.get("quarantine"))),
        "duplicates": records(report.get("duplicates"))[:MOST_ROWS],
        "contradictions": [
            {**row, "labels": row["labels"]}
            for row in records(report.get("contradictions"))[:MOST_ROWS]
            if isinstance(row.get("labels"), list)
        ],
    }


def _composition(evidence: Evidence) -> dict[str, Any]:
    spread = {unit: composition.lengths(evidence, unit) for unit in ("words", "characters")}
    return {
        "classes": composition.classes(evidence),
        "compared": bool(composition.reference_shares(evidence)),
        "ratings": ratings(evidence),
        "gone": [short(label, 60) for label in composition.gone(evidence)[:MOST_ROWS]],
        "lengths": {unit: found for unit, found in spread.items() if found},
        "percentiles": records(evidence.stages["ingest"].report.get("lengths")),
    }


def _doubts(evidence: Evidence) -> dict[str, Any]:
    judged = judgements(evidence)
    tables = mapping(evidence.stages["validate"].report.get("tables"))
    nights = agreements(evidence)
    return {
        "judgements": judged,
        "by_state": {state: [one for one in judged if one.state == state] for state in STATES},
        "labels_from": short(evidence.stages["validate"].report.get("labels_from") or ""),
        "why": {name: _why(judged, name) for name in DOUBTS},
        "drifts": drifts(evidence),
        "agreements": [night for night, _ in nights],
        "newest_agreements": nights[::-1][:MOST_DELIVERIES],
        "repetition": table(evidence, "repetition")[:MOST_ROWS],
        "pairs": pairs(evidence)[:MOST_ROWS],
        "giveaways": table(evidence, "giveaways")[:MOST_ROWS] if "giveaways" in tables else None,
        "suspects": suspects(evidence)[:MOST_ROWS] if "suspects" in tables else None,
    }


def _sizes(evidence: Evidence) -> Sizes | None:
    metrics = evidence.stages["ingest"].metrics
    names = ("rows_read", "train", "validation", "test")
    found = [number for name in names if (number := whole_number(metrics.get(name))) is not None]
    return Sizes(*found) if len(found) == len(names) else None


def _is_dated(evidence: Evidence) -> bool:
    files = records(evidence.intake.get("files"))
    return any(isinstance(file.get("date"), str) for file in files)


def _by_rule(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows[: 10 * MOST_ROWS]:
        found.setdefault(short(row.get("rule")), []).append(row)
    return {rule: some[:MOST_ROWS] for rule, some in found.items()}


def _why(judged: Sequence[Judgement], name: str) -> str:
    """Why nothing of a table was judged; empty when something was."""
    about = [one for one in judged if one.table == name]
    if not about or any(one.state != "not judged" for one in about):
        return ""
    return about[0].why
