"""A dataset of three splits, as `ingest` leaves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.data.dataset import FOLDER, SCHEMA, split_path, write_table
from tasks.stage.outputs import write_json

SIZES = {"train": 40, "validation": 20, "test": 20}
Rows = dict[str, list[dict[str, Any]]]


def dataset() -> Rows:
    """Two balanced classes in three splits, nothing wrong."""
    return {
        split: [
            {
                "id": f"{split}-{n}",
                "text": f"a text of {split}, number {n}",
                "label": "ab"[n % 2],
                "task": "classification",
                "source": "rows.csv",
            }
            for n in range(size)
        ]
        for split, size in SIZES.items()
    }


LABELS: dict[str, tuple[str, ...]] = {
    "classification": ("a", "b"),
    "multi-label": ('["a"]', '["a", "b"]', '["b"]', "[]"),
    "regression": ("1.0", "2.5", "4.0", "5.0"),
    "entities": ('[[0, 1, "PER"]]', "[]"),
}
"""A few labels of each kind, as the dataset keeps them."""


def dataset_of(kind: str, name: str | None = None) -> Rows:
    """Labels of a kind taking turns in three splits, nothing wrong; `name` is the task's."""
    labels = LABELS[kind]
    return {
        split: [
            {**row, "label": labels[at % len(labels)], "task": name or kind}
            for at, row in enumerate(rows)
        ]
        for split, rows in dataset().items()
    }


def together(*tasks: Rows) -> Rows:
    """Several tasks' rows in one dataset; all have the same texts."""
    return {
        split: [
            {**row, "id": f"{row['task']}-{row['id']}"} for each in tasks for row in each[split]
        ]
        for split in SIZES
    }


def write_dataset(data: Rows, folder: Path = FOLDER) -> None:
    for split, rows in data.items():
        write_table(pa.Table.from_pylist(rows, SCHEMA), split_path(split, folder))


def account(**counts: int) -> dict[str, Any]:
    """What `ingest` writes of one file of 80 rows; `counts` of them were left out."""
    left_out = ("quarantined", "duplicates", "repeated", "leaks", "contradictions")
    totals = {"rows": 80, **dict.fromkeys(left_out, 0), **counts}
    file = {"name": "rows.csv", "role": "all", "date": None, **totals}
    return {"files": [file], "rules": {}, "masked": {}, "totals": totals}


def write_inputs(data: Rows, task: str | dict[str, str] | None = None) -> None:
    """Everything that `validate` reads, in the working folder: nothing serves yet."""
    write_dataset(data)
    write_json("data/reference.json", {"labels": None, "version": None, "sha256": None})
    write_json("data/intake.json", account() | ({} if task is None else {"task": task}))
