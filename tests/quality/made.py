"""Datasets as parts of a project have them, written where they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.data.dataset import SCHEMA, SPLITS, split_path, write_table


def write_dataset(folder: Path, splits: Mapping[str, Sequence[Mapping[str, Any]]]) -> Path:
    """Rows a split, with at least `text`; what is missing is made up, or null."""
    for split in SPLITS:
        rows = [
            {"id": f"{split}-{at}", "label": "a", "task": "classification", "source": "x", **row}
            for at, row in enumerate(splits.get(split, []))
        ]
        write_table(pa.Table.from_pylist(rows, SCHEMA), split_path(split, folder))
    return folder
