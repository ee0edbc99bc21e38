"""From gathered rows to the dataset's tables."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.data.dataset import SCHEMA, SPLITS
from tasks.data.gather import Gathered
from tasks.data.splits import CODES, CONTRADICTION, DUPLICATE, LEAK, Assignment

TASK = "classification"
ID_BYTES = 8


def split_tables(rows: Gathered, found: Assignment) -> dict[str, pa.Table]:
    """One table with the dataset's columns for each split, rows in file order.

    The source's own ids are kept when every kept row has one and none comes twice; otherwise the
    first 16 hex digits of the text's digest stand in.
    """
    fate = np.frombuffer(found.fate, np.int8)
    table = _dataset(rows, ~np.isin(fate, (DUPLICATE, LEAK, CONTRADICTION)), TASK)
    sides = fate[~np.isin(fate, (DUPLICATE, LEAK, CONTRADICTION))]
    return {name: table.filter(pa.array(sides == CODES[name])) for name in SPLITS}


def unlabelled_table(rows: Gathered, labelled: set[bytes]) -> pa.Table:
    """Texts without labels, each once, without those that the labelled data have too.

    `labelled` are digests: what a model is tested on must not come back as unlabelled text.
    """
    seen = set(labelled)
    fresh = np.zeros(len(rows.digests), bool)
    for at, digest in enumerate(rows.digests):
        fresh[at] = digest not in seen
        seen.add(digest)
    return _dataset(rows, fresh, TASK)


def has_own_ids(ids: pa.ChunkedArray) -> bool:
    """Whether a column of ids names every row, and each once."""
    return bool(ids.null_count == 0 and len(pc.unique(ids)) == len(ids))


def _dataset(rows: Gathered, kept: np.ndarray, task: str) -> pa.Table:
    table = rows.table().filter(pa.array(kept))
    ids = table.column("id")
    if not has_own_ids(ids):
        wanted = (rows.digests[at][:ID_BYTES].hex() for at in np.flatnonzero(kept))
        ids = pa.array(wanted, pa.string())
    files = np.frombuffer(rows.files, np.int64)[kept]
    columns = {
        "id": ids,
        "text": table.column("text"),
        "text_pair": table.column("text_pair"),
        "label": table.column("label"),
        "task": pa.repeat(pa.scalar(task, pa.string()), len(table)),
        "source": _of_file([file.name for file in rows.sources], files),
        "date": _of_file([file.date for file in rows.sources], files),
        "slice": pa.nulls(len(table), pa.string()),
    }
    return pa.table(columns, schema=SCHEMA).combine_chunks()


def _of_file(values: list[str | None], files: np.ndarray) -> pa.Array:
    return pa.array(values, pa.string()).take(pa.array(files))
