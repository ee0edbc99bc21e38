"""Labels that are likely wrong: confident learning over what the other examples say.

Northcutt, Jiang & Chuang 2021 ("Confident Learning: Estimating Uncertainty in Dataset Labels"),
by cleanlab. Nothing is changed: the rows are listed, for people to label anew.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.data.dataset import FOLDER
from tasks.quality.out_of_fold import FOLDS, View, probabilities, views
from tasks.quality.rows import CLASSIFICATION, not_looked_at, sample, start_of
from tasks.stage.outputs import whole
from tasks.task import Task

COLUMNS = ("id", "text", "label", "suggested", "confidence", "reason")
ALL = "all"
"""The record of the table that is about all classes together."""
FEWEST_ROWS = 50
MOST_CLASSES = 1_000
RECORDS = 50

_CHARACTERS = 500  # read of a text
_SPOKEN = 3  # words that a reason names
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_DIGITS = 4  # beyond these, equal inputs may differ from machine to machine

Array = np.ndarray[Any, Any]


class Suspects(NamedTuple):
    """A record for each class and one for all, the suspect rows, and what is missing and why."""

    table: pd.DataFrame
    rows: list[dict[str, Any]]
    """With COLUMNS, the most suspect first."""
    not_judged: tuple[str, ...]

    def records(self) -> list[dict[str, Any]]:
        """The most suspect rows, short enough for a report."""
        return [{**row, "text": start_of(row["text"])} for row in self.rows[:RECORDS]]


def suspects_table(most: int, folder: Path = FOLDER, task: Task = CLASSIFICATION) -> Suspects:
    """Which labels of train are likely wrong, of at most `most` rows chosen by their ids.

    The table has `id` (a class, or `all`), `looked_at`, `rows` (the suspect ones), `share` and
    `start` (of the most suspect). `not_judged` says what was left out and why: all of a task
    whose rows have not one class each.
    """
    if not task.classes:
        return _nothing(not_looked_at(task))
    looked_at = sample("train", ["id", "text", "text_pair", "label"], most, folder)
    kept, why = _large_classes(looked_at)
    names, labels = np.unique(kept.column("label").to_numpy().astype(str), return_inverse=True)
    if len(kept) < FEWEST_ROWS or not 2 <= len(names) <= MOST_CLASSES:
        rows = f"there are {len(kept):,} rows of {len(names):,} classes"
        return _nothing(*why, f"{rows}; it takes {FEWEST_ROWS}, and 2 to {MOST_CLASSES:,} classes")
    texts = _texts(kept)
    looks = views(texts, len(names))
    if not looks:
        return _nothing(*why, "no text has a word")
    told = np.round(probabilities(looks, labels), _DIGITS)
    listed = [
        {"id": kept.column("id")[row].as_py(), "text": " ".join(texts[row].split()), **facts}
        for row, facts in _explained(suspect(told, labels), told, labels, names, looks[0])
    ]
    return Suspects(_table(names, labels, listed), listed, tuple(why))


def suspect(told: Array, labels: Array) -> Array:
    """The rows whose labels are likely wrong, by place, the most suspect first.

    `told` are class probabilities [rows, classes] that did not come from the row itself.
    """
    from cleanlab.filter import find_label_issues  # type: ignore[import-untyped]

    told = told / told.sum(axis=1, keepdims=True)
    found = find_label_issues(labels, told, filter_by="confident_learning", n_jobs=1)
    order = ranked(told, labels)
    return np.asarray(order[found[order]])


def ranked(told: Array, labels: Array) -> Array:
    """All rows by place, the least likely label first."""
    own = told[np.arange(len(labels)), labels]
    return np.lexsort((-told.max(axis=1), own))


def write_suspects(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """As CSV for people to label anew; no cell is a formula to a spreadsheet."""
    with whole(path) as draft, open(draft, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)  # for a lone CR
        writer.writerow(COLUMNS)
        writer.writerows([_harmless(row[name]) for name in COLUMNS] for row in rows)


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _large_classes(rows: pa.Table) -> tuple[pa.Table, list[str]]:
    """Without the classes that can't be in every fold, and a sentence on what went."""
    counts = pc.value_counts(rows.column("label"))
    small = counts.filter(pc.less(counts.field("counts"), FOLDS)).field("values")
    if not len(small):
        return rows, []
    kept = rows.filter(pc.invert(pc.is_in(rows.column("label"), value_set=small)))
    some = ", ".join(repr(name) for name in sorted(small.to_pylist())[:5])
    more = ", …" if len(small) > 5 else ""
    gone = f"{len(small):,} classes with fewer than {FOLDS} rows ({some}{more})"
    return kept, [f"{gone}, {len(rows) - len(kept):,} rows in all, were left out"]


def _texts(rows: pa.Table) -> list[str]:
    both = zip(*(rows.column(name).to_pylist() for name in ("text", "text_pair")), strict=True)
    return [(one if other is None else f"{one} {other}")[:_CHARACTERS] for one, other in both]


def _explained(
    suspects: Array, told: Array, labels: Array, names: Array, look: View
) -> Iterator[tuple[int, dict[str, Any]]]:
    """For each row what it is given as, what it is likely, and why."""
    weights = look.fitted(np.arange(len(labels)), labels).feature_log_prob_
    for row in suspects:
        given, others = labels[row], told[row].copy()
        others[given] = -1
        likely = int(others.argmax())
        odds = f"{told[row, likely]:.0%} to {told[row, given]:.0%}"
        reason = f"the other examples say {names[likely]}, {odds}"
        if words := _speaking(look, row, weights[likely] - weights[given]):
            reason += f"; for it speak: {', '.join(words)}"
        yield (
            int(row),
            {
                "label": str(names[given]),
                "suggested": str(names[likely]),
                "confidence": round(float(told[row, likely]), _DIGITS),
                "reason": reason,
            },
        )


def _speaking(look: View, row: int, weights: Array) -> list[str]:
    """The features of a row that weigh most."""
    of_row = slice(*look.features.indptr[row : row + 2])
    features = look.features.indices[of_row]
    weighed = look.features.data[of_row] * weights[features]
    best = np.argsort(-weighed, kind="stable")[:_SPOKEN]
    return [str(look.names[features[at]]).strip() for at in best if weighed[at] > 0]


def _table(names: Array, labels: Array, listed: Sequence[dict[str, Any]]) -> pd.DataFrame:
    records = []
    for name in [ALL, *names]:
        mine = [row for row in listed if name in (ALL, row["label"])]
        looked_at = len(labels) if name == ALL else int((names[labels] == name).sum())
        start = start_of(mine[0]["text"]) if mine else "none"
        share = round(len(mine) / looked_at, 6)
        records.append({"id": name, "looked_at": looked_at, "rows": len(mine), "share": share})
        records[-1]["start"] = start
    return pd.DataFrame(records)


def _nothing(*why: str) -> Suspects:
    columns = ["id", "looked_at", "rows", "share", "start"]
    return Suspects(pd.DataFrame(columns=columns), [], why)
