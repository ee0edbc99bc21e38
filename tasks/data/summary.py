"""What a person wants to know about a dataset: sizes, classes, lengths, nights, what went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tasks.data.checks import quarantine_examples
from tasks.data.dataset import SPLITS
from tasks.data.index import Index
from tasks.data.normalise import VERSION
from tasks.data.parts import Part
from tasks.data.rules import shown
from tasks.data.splits import CODES, CONTRADICTION, DUPLICATE, LEAK, REPEATED, Assignment
from tasks.data.writing import Lengths, Sent

PERCENTILES = (0, 5, 25, 50, 75, 95, 100)
SHOWN = 5


def summary(
    labelled: Sequence[Part],
    extra: Sequence[Part],
    rows: Index,
    found: Assignment,
    sent: Sent,
    account: dict[str, Any],
) -> dict[str, Any]:
    """The findings of `ingest`: counts as metrics, the rest as lists a report can draw."""
    labels = _label_counts(sent)
    totals = account["totals"]
    return {
        "metrics": {
            "rows_read": sum(part.counts.read for part in labelled),
            **{name: totals[name] for name in SPLITS},
            "classes": len(labels),
            **{name: totals[name] for name in ("duplicates", "repeated", "leaks")},
            "contradictions": totals["contradictions"],
            "quarantined": totals["quarantined"],
            "stripped_labels": sum(part.counts.stripped_labels for part in labelled),
            "unlabelled": totals["unlabelled"],
            "unlabelled_read": sum(part.counts.read for part in extra),
            "masked": sum(account["masked"].values()),
        },
        "normaliser": VERSION,
        "labels": labels,
        "lengths": _lengths(sent.lengths),
        "partitions": _partitions(account["files"]),
        "rules_broken": account["rules"],
        "masked": account["masked"],
        "quarantine": quarantine_examples(labelled) + quarantine_examples(extra),
        "duplicates": _duplicates(labelled, rows, found, sent),
        "contradictions": _contradictions(rows, found, sent),
    }


def shown_rows(rows: Index, found: Assignment) -> list[int]:
    """The rows that the summary shows: some that repeat another, some that contradict."""
    torn = _contradicting(found)
    labelled = [row for at in torn for row in _first_of_each_label(rows, found, at)]
    return [*_repeating(found), *torn, *labelled]


def _label_counts(sent: Sent) -> list[dict[str, Any]]:
    """How many examples of each split speak of each class."""
    counts = {name: sent.classes[CODES[name]] for name in SPLITS}
    return [
        {"label": label, **{name: counts[name][label] for name in SPLITS}}
        for label in sorted({label for counter in counts.values() for label in counter})
    ]


def _lengths(lengths: Lengths) -> list[dict[str, Any]]:
    return [
        {"split": name, "unit": unit}
        | {f"p{p}": length for p, length in zip(PERCENTILES, found, strict=True)}
        for name in SPLITS
        for unit in ("characters", "words")
        if (found := lengths.percentiles(CODES[name], unit, PERCENTILES))
    ]


def _partitions(files: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The examples of every date; one that gave none is not there."""
    days: dict[str, dict[str, int]] = {}
    for file in files:
        if file["date"] is not None and any(file[name] for name in SPLITS):
            day = days.setdefault(file["date"], dict.fromkeys(SPLITS, 0))
            day.update({name: day[name] + file[name] for name in SPLITS})
    return [{"date": date, **counts} for date, counts in sorted(days.items())]


def _repeating(found: Assignment) -> list[int]:
    return [int(at) for at in _first(np.isin(found.fate, (DUPLICATE, LEAK, REPEATED)))]


def _contradicting(found: Assignment) -> list[int]:
    """The first rows of the first texts that contradict each other."""
    opens = found.keeper == np.arange(len(found.keeper))
    return [int(at) for at in _first((found.fate == CONTRADICTION) & opens)]


def _first_of_each_label(rows: Index, found: Assignment, keeper: int) -> list[int]:
    """Of the rows that are one example with this one: one of each label."""
    places = np.flatnonzero(found.keeper == keeper)
    chosen: list[int] = places[np.unique(rows.labels[places], return_index=True)[1]].tolist()
    return chosen


def _first(rows: np.ndarray) -> np.ndarray:
    return np.flatnonzero(rows)[:SHOWN]


def _duplicates(
    parts: Sequence[Part], rows: Index, found: Assignment, sent: Sent
) -> list[dict[str, Any]]:
    return [
        {
            "text": shown(sent.texts[at]),
            "kept_in": _file(parts, rows, int(found.keeper[at])),
            "dropped_from": _file(parts, rows, at),
            "label": sent.labels[at],
        }
        for at in _repeating(found)
    ]


def _contradictions(rows: Index, found: Assignment, sent: Sent) -> list[dict[str, Any]]:
    shown_groups = []
    for at in _contradicting(found):
        places = np.flatnonzero(found.keeper == at)
        labels = sorted({sent.labels[row] for row in _first_of_each_label(rows, found, at)})
        shown_groups.append({"text": shown(sent.texts[at]), "labels": labels, "rows": len(places)})
    return shown_groups


def _file(parts: Sequence[Part], rows: Index, at: int) -> str:
    return parts[int(rows.part_of(np.array(at)))].file.name
