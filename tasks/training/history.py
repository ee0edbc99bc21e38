"""What happened in a run, and its curves as a table for `dvc plots` and the report."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.stage.outputs import whole

COLUMNS = ("run", "step", "epoch", "split", "loss", "figure")


@dataclass
class History:
    """What happened: a row a logged loss, a row an evaluation, and the best of those."""

    losses: list[dict[str, float]] = field(default_factory=list)
    evaluations: list[dict[str, float]] = field(default_factory=list)
    best: int = -1
    """The index in `evaluations` of the weights that were kept."""
    skipped: list[dict[str, float]] = field(default_factory=list)
    """The steps that were not taken because loss or gradient was not finite, and the loss scale
    they were left with."""
    trained_share: float = 1.0
    """The share of the model's parameters that were trained."""
    resumed_at: int = 0
    """The step a killed run went on from; 0: from the start."""
    stopped_early: bool = False
    adaptation: dict[str, Any] | None = None
    """What became of the encoder's reading before (`tasks.training.adaptation.adapt`)."""


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
