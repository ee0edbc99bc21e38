"""What a person wants to know about a dataset: sizes, classes, lengths, nights, what went."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa

from tasks.data.checks import quarantine_examples
from tasks.data.dataset import SPLITS
from tasks.data.gather import Gathered
from tasks.data.normalise import VERSION
from tasks.data.rules import shown
from tasks.data.splits import CODES, CONTRADICTION, DUPLICATE, LEAK, Assignment

PERCENTILES = (0, 5, 25, 50, 75, 95, 100)
SHOWN = 5


def summary(
    rows: Gathered, found: Assignment, extra: Gathered, tables: dict[str, pa.Table]
) -> dict[str, Any]:
    """The findings of `ingest`: counts as metrics, the rest as lists a report can draw."""
    sizes = {name: len(tables[name]) for name in SPLITS}
    labels = _label_counts(tables)
    return {
        "metrics": {
            "rows_read": rows.rows_read,
            **sizes,
            "classes": len(labels),
            "duplicates": found.count(DUPLICATE),
            "leaks": found.count(LEAK),
            "contradictions": found.count(CONTRADICTION),
            "quarantined": len(rows.quarantined) + len(extra.quarantined),
            "stripped_labels": rows.stripped_labels,
            "unlabelled_read": extra.rows_read,
        },
        "normaliser": VERSION,
        "labels": labels,
        "lengths": _lengths(rows, found),
        "partitions": _partitions(tables),
        "rules_broken": dict(sorted((rows.rules_broken() + extra.rules_broken()).items())),
        "quarantine": quarantine_examples(rows) + quarantine_examples(extra),
        "duplicates": _duplicates(rows, found),
        "contradictions": _contradictions(rows, found),
    }


def _label_counts(tables: dict[str, pa.Table]) -> list[dict[str, Any]]:
    counts = {name: Counter(tables[name].column("label").to_pylist()) for name in SPLITS}
    labels = sorted(set().union(*counts.values()))
    return [{"label": label, **{name: counts[name][label] for name in SPLITS}} for label in labels]


def _lengths(rows: Gathered, found: Assignment) -> list[dict[str, Any]]:
    fate = np.frombuffer(found.fate, np.int8)
    measured = {"characters": rows.characters, "words": rows.words}
    return [
        {"split": name, "unit": unit, **_percentiles(np.frombuffer(lengths, np.int64)[side])}
        for name in SPLITS
        for unit, lengths in measured.items()
        if (side := fate == CODES[name]).any()
    ]


def _percentiles(values: np.ndarray) -> dict[str, int]:
    at = np.percentile(values, PERCENTILES, method="nearest")
    return {f"p{name}": int(value) for name, value in zip(PERCENTILES, at, strict=True)}


def _partitions(tables: dict[str, pa.Table]) -> list[dict[str, Any]]:
    counts = {name: Counter(tables[name].column("date").to_pylist()) for name in SPLITS}
    days = sorted(day for day in set().union(*counts.values()) if day is not None)
    return [{"date": day, **{name: counts[name][day] for name in SPLITS}} for day in days]


def _duplicates(rows: Gathered, found: Assignment) -> list[dict[str, Any]]:
    table = rows.table()
    return [
        {"text": shown(table["text"][dropped].as_py()), "kept_in": _file(rows, kept)}
        | {"dropped_from": _file(rows, dropped), "label": rows.labels[dropped]}
        for dropped, kept in found.twins[:SHOWN]
    ]


def _contradictions(rows: Gathered, found: Assignment) -> list[dict[str, Any]]:
    table = rows.table()
    groups: dict[bytes, list[int]] = {}
    for at, fate in enumerate(found.fate):
        if fate == CONTRADICTION:
            groups.setdefault(rows.digests[at], []).append(at)
    return [
        {
            "text": shown(table["text"][places[0]].as_py()),
            "labels": sorted({rows.labels[at] for at in places}),
            "rows": len(places),
        }
        for places in list(groups.values())[:SHOWN]
    ]


def _file(rows: Gathered, at: int) -> str:
    return rows.sources[rows.files[at]].name
