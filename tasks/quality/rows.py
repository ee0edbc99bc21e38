"""Rows of the dataset, a batch at a time, and samples of them that the ids decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.data.dataset import FOLDER, split_path
from tasks.task import Task
from tasks.task.classification import Classification

BATCH_ROWS = 4_096
"""Few enough for the figures of a batch to stay in the processor's cache."""
SHOWN_CHARACTERS = 80
CLASSIFICATION = Classification()

Array = np.ndarray[Any, Any]


def batches(
    split: str, columns: Sequence[str], folder: Path = FOLDER, rows: int = BATCH_ROWS
) -> Iterator[pa.RecordBatch]:
    """The rows of a split in file order."""
    with pq.ParquetFile(split_path(split, folder), pre_buffer=False, buffer_size=1 << 20) as file:
        yield from file.iter_batches(rows, columns=list(columns))


def order_of(ids: pa.Array) -> Array:
    """A number (uint64) that an id always has: the lowest ones are a fair sample of any rows."""
    return np.asarray(pd.util.hash_array(ids.to_numpy(zero_copy_only=False), categorize=False))


def lowest_of(orders: Sequence[Array], most: int) -> np.uint64:
    """The number up to which `most` of these lie; the highest there is when they are fewer."""
    order = np.concatenate([np.empty(0, np.uint64), *orders])
    if len(order) <= most:
        return np.uint64(2**64 - 1)
    return np.uint64(np.partition(order, most - 1)[most - 1])


def sample(split: str, columns: Sequence[str], most: int, folder: Path = FOLDER) -> pa.Table:
    """At most `most` rows of a split, chosen by their ids, in file order; `columns` has `id`."""
    orders = [order_of(batch.column("id")) for batch in batches(split, ["id"], folder)]
    last = lowest_of(orders, most)
    kept = [
        batch.filter(pa.array(order <= last))
        for order, batch in zip(orders, batches(split, columns, folder), strict=True)
    ]
    schema = pq.read_schema(split_path(split, folder))
    return pa.Table.from_batches(kept, pa.schema([schema.field(name) for name in columns]))


def cut(texts: pa.Array) -> pa.Array:
    """No more of each text than `start_of` needs."""
    return pc.utf8_slice_codeunits(texts, 0, 2 * SHOWN_CHARACTERS)


def not_looked_at(task: Task) -> str:
    """Why labels of a task are not searched for what only labels of one class each show."""
    return f"this is looked for where every row has one class; the task is {task.kind}"


def start_of(text: str) -> str:
    """The beginning of a text in one line, to show it by."""
    return " ".join(text[: 2 * SHOWN_CHARACTERS].split())[:SHOWN_CHARACTERS]
