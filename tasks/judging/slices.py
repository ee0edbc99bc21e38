"""The test split in slices: a model may be good on the whole and bad for some.

A slice is what has a class (or an entity's type), a length, a source, a `slice` (the dataset's
column) or one of several tasks in common.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from tasks.data.dataset import Text
from tasks.measuring.paired import Comparison, compare
from tasks.measuring.statistics import Array, holm
from tasks.task import Task

DOMAINS = ("source", "slice")
"""The dataset's columns that say where an example comes from. Dates are none: each is new."""
FEWEST_VALUES, MOST_VALUES = 2, 20
"""Of a domain column that is sliced by: more would be names of files, not domains."""
QUARTILES = (0.25, 0.5, 0.75)
_DATED = re.compile(r"date=\d{4}-\d{2}-\d{2}/")


@dataclass(frozen=True)
class Slice:
    """Some of the test texts, and what they have in common."""

    kind: str
    """class, task, length, source or slice."""
    value: str
    rows: list[int]

    @property
    def name(self) -> str:
        """`class good`."""
        return f"{self.kind} {self.value}"


@dataclass(frozen=True)
class Standing:
    """How a candidate does on a slice against the model in production."""

    slice: Slice
    found: Comparison
    p_corrected: float | None
    """By Holm over all slices that are judged; None for one with too few texts to be judged."""


def slices(
    task: Task,
    texts: Sequence[Text],
    truth: Sequence[str],
    domains: dict[str, list[str | None]],
) -> list[Slice]:
    """Every slice of the split, a kind after the other; `domains` are columns by name.

    `truth` is what `Task.truths` gives. By class, the share of right answers is the class's recall.
    """
    found = [*_by_label(task, truth), *_by_length(texts)]
    for name, values in domains.items():
        plain = [None if value is None else _DATED.sub("", value) for value in values]
        if FEWEST_VALUES <= len({*plain} - {None}) <= MOST_VALUES:
            found += _by(name, plain)
    return found


def read_domains(path: Path) -> dict[str, list[str | None]]:
    """The domain columns of a split's Parquet, rows in file order."""
    columns: dict[str, list[str | None]] = pq.read_table(path, columns=[*DOMAINS]).to_pydict()
    return {name: columns[name] for name in DOMAINS}


def standings(
    task: Task,
    found: Sequence[Slice],
    evidence: Array,
    reference: Array,
    fewest: int,
    seed: int,
) -> list[Standing]:
    """Compare a model with the reference on every slice; those below `fewest` texts aren't judged.

    `evidence` and `reference` are `Task.evidence` of both, a row a text.

    Their p-values are left out of the correction, which is the milder the fewer there are.
    """
    compared = [compare(task, evidence[each.rows], reference[each.rows], seed) for each in found]
    judged = [at for at, each in enumerate(compared) if each.texts >= fewest]
    corrected = dict(zip(judged, holm([compared[at].p_value for at in judged]), strict=True))
    return [Standing(each, compared[at], corrected.get(at)) for at, each in enumerate(found)]


def _by_label(task: Task, truth: Sequence[str]) -> Iterator[Slice]:
    """The texts whose label speaks of a name, for every name; where there are several, by task."""
    heads = task.by_head(truth)
    for head in heads:
        rows: dict[str, list[int]] = {}
        for row, label in zip(head.rows, head.truth, strict=True):
            for name in dict.fromkeys(head.task.names(label)):
                rows.setdefault(name, []).append(row)
        for name in sorted(rows):
            yield Slice("class", f"{head.name}/{name}" if head.name else name, rows[name])
    yield from (Slice("task", head.name, head.rows) for head in heads if head.name and head.rows)


def _by(kind: str, values: Sequence[str | None]) -> Iterator[Slice]:
    for value in sorted({value for value in values if value is not None}):
        yield Slice(kind, value, [row for row, other in enumerate(values) if other == value])


def _by_length(texts: Sequence[Text]) -> Iterator[Slice]:
    """Quartiles by characters; equal lengths stay together."""
    lengths = [len(text) if isinstance(text, str) else sum(map(len, text)) for text in texts]
    bounds = np.quantile(lengths, QUARTILES, method="inverted_cdf")
    quartile = np.searchsorted(np.unique(bounds), lengths)
    if len(set(quartile.tolist())) < FEWEST_VALUES:
        return
    for number in np.unique(quartile):
        rows = np.flatnonzero(quartile == number).tolist()
        inside = [lengths[row] for row in rows]
        yield Slice("length", f"{min(inside)} to {max(inside)} characters", rows)
