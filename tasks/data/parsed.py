"""What one file came to, as columns: the schema of the Parquet file between parsing and writing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

PARSED = pa.schema(
    [
        ("row", pa.int64()),
        ("rule", pa.string()),
        ("reason", pa.string()),
        ("id", pa.string()),
        ("text", pa.string()),
        ("text_pair", pa.string()),
        ("label", pa.string()),
        ("task", pa.string()),
        ("given", pa.int8()),
        ("high", pa.uint64()),
        ("low", pa.uint64()),
        ("same_high", pa.uint64()),
        ("same_low", pa.uint64()),
        ("id_hash", pa.uint64()),
        ("characters", pa.int32()),
        ("words", pa.int32()),
    ]
)
"""A row of the file each, in its order. Where `rule` is not null the row is set aside, and only
`row`, `rule`, `reason` and the starts of `text` and `label` are there.

`high` and `low` are the digest of the normalised, unmasked text: it decides the side. `same_high`
and `same_low` are that of the masked text, null where none is masked: rows that share it are the
same to a model.
`task` is null where a row is of no one task. `id` is the source's own, `id_hash` stands for it (0:
there is none). `given` is a code of `tasks.data.splits` when a column says the split.
"""


def table(rows: int, columns: Mapping[str, Any]) -> pa.Table:
    """These columns, and nulls for all others."""
    arrays = [
        pa.array(columns[field.name], field.type)
        if field.name in columns
        else pa.nulls(rows, field.type)
        for field in PARSED
    ]
    return pa.table(arrays, schema=PARSED)


def halves(digests: Iterable[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last 8 of each 16 bytes, as uint64."""
    halves = np.frombuffer(b"".join(digests), ">u8").astype(np.uint64).reshape(-1, 2)
    return halves[:, 0], halves[:, 1]


def id_hash(own_id: str | None) -> int:
    """64 bits that stand for an id. Of a million ids two agree by chance in 1 of 10^7 datasets."""
    if own_id is None:
        return 0
    digest = hashlib.blake2b(own_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") or 1
