"""Labels that are numbers, counted: into bins that the reference's own numbers make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.drift.portrait import Rows
from tasks.task import Task

DECILES = np.arange(1, 10) / 10
HEAVY = 0.05
"""The share of one number from which it is a bin of its own."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def numbers_of(rows: Rows, task: Task) -> dict[str, Floats]:
    """The labels of each task whose labels are numbers, by its name."""
    heads = task.members()
    if not any(head.numeric for head in heads.values()):
        return {}
    whose = rows.tasks if len(heads) > 1 else [next(iter(heads))] * len(rows)
    told = [pair for pair in zip(whose, rows.labels, strict=True) if pair[1] is not None]
    return {
        name: np.array([float(label) for of, label in told if of == name], np.float64)
        for name, head in heads.items()
        if head.numeric
    }


def binned(values: Floats) -> dict[str, Any]:
    """Bins that hold about a tenth of the numbers each, as JSON: where they begin, and counts.

    A number that many have, as of ratings in stars, is a bin by itself.
    """
    if not len(values):
        return {"edges": [], "counts": [0]}
    cuts = np.unique(np.quantile(values, DECILES, method="lower"))
    heavy = [cut for cut in cuts if (values == cut).mean() >= HEAVY]
    edges = np.unique([*cuts, *np.nextafter(heavy, np.inf)])
    return {"edges": edges.tolist(), "counts": counts_in(values, edges).tolist()}


def counts_in(values: Floats, edges: Floats) -> Ints:
    """How many of the numbers lie below the first edge, from each to the next, and beyond."""
    places = np.searchsorted(edges, values, side="right")
    return np.bincount(places, minlength=len(edges) + 1).astype(np.int64)


def labels_of(rows: Rows, known: Mapping[str, int], task: Task) -> Floats:
    """Which classes each row names, float64 [rows, known and one for all others].

    A row that names none counts as one of the others, where its task has classes.
    """
    heads = task.members()
    place = {name: at for at, name in enumerate(known)}
    found = np.zeros((len(rows), len(place) + 1))
    whose = rows.tasks if len(heads) > 1 else [next(iter(heads))] * len(rows)
    for row, (name, label) in enumerate(zip(whose, rows.labels, strict=True)):
        told = label is not None and name in heads
        if told and heads[name].numeric:
            continue
        names = task.named(label, name) if told else []
        found[row, [place.get(each, len(place)) for each in names] or [len(place)]] = 1
    return found
