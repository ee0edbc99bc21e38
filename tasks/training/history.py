"""A run's curves as a table, for `dvc plots` and the report."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from tasks.stage.outputs import whole
from tasks.training.loop import History

COLUMNS = ("run", "step", "epoch", "split", "loss", "accuracy")


def write_curves(path: Path, *runs: History, names: tuple[str, ...] = ()) -> None:
    """One row a logged loss or evaluation: run, step, epoch, train or validation, the values."""
    with whole(path) as draft, open(draft, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for name, history in zip(names or (path.stem,), runs, strict=bool(runs)):
            writer.writerows({"run": name, **row} for row in _rows(history))


def _rows(history: History) -> Iterator[dict[str, object]]:
    for split, points in (("train", history.losses), ("validation", history.evaluations)):
        for point in points:
            row: dict[str, object] = {"split": split}
            row |= {column: point[column] for column in COLUMNS if column in point}
            yield row
