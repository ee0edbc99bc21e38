"""Rows of a Parquet file, streamed, within limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.data.columns import Columns, Row
from tasks.data.opening import LARGEST_EXPANSION, SMALL_BYTES, START_BYTES, check_kind
from tasks.stage.errors import BadInput

ROWS_A_BATCH = 1024
BATCH_BYTES = 2**25
BUFFER_BYTES = 2**20
"""How much of a column is in memory at a time, before it is unpacked."""

_MAGIC = b"PAR1"
_ENCRYPTED = b"PARE"
_SHOWN_BYTES = 20


def parquet_rows(path: Path, columns: Columns, name: str) -> Iterator[Row]:
    """The rows of a Parquet file, a few at a time.

    Raises BadInput for a file that is not whole or no Parquet at all, lacks a needed column, or
    holds `LARGEST_EXPANSION` times more than its size: a dictionary and a count can say "this
    book, a million times" in a few bytes.
    """
    _check_magic(path, name)
    number = laid_out = 0
    most = max(SMALL_BYTES, LARGEST_EXPANSION * path.stat().st_size)
    try:
        for batch in _batches(path, columns, name):
            laid_out += 8 * batch.num_rows + batch.nbytes
            if laid_out > most:
                raise BadInput(
                    f"{name} expands to more than {LARGEST_EXPANSION} times its size "
                    f"({laid_out / 1e6:,.0f} MB in {number + batch.num_rows:,} rows): no text "
                    "packs so well; write it again without the repetitions"
                )
            read = {column: _values(batch.column(column)) for column in batch.schema.names}
            empty = [None] * batch.num_rows
            for values in zip(*(read.get(c, empty) for c in columns.names), strict=True):
                number += 1
                yield Row(number, values)
    except (pa.ArrowException, OSError) as error:
        why = " ".join(str(error).split())[:200]
        raise BadInput(
            f"{name} is not a whole Parquet file ({why}): it may have been cut off while it was "
            "copied; write it again"
        ) from None


def _batches(path: Path, columns: Columns, name: str) -> Iterator[pa.RecordBatch]:
    """The wanted columns of the file, so few rows at a time that they fit into memory."""
    settings: dict[str, Any] = {"buffer_size": BUFFER_BYTES, "pre_buffer": False}
    with pq.ParquetFile(path, page_checksum_verification=True, **settings) as file:
        there = file.schema_arrow.names
        columns.check(there, name)
        wanted = [column for column in dict.fromkeys(columns.names) if column in there]
        strings = [column for column in wanted if _is_string(file.schema_arrow.field(column).type)]
        with pq.ParquetFile(path, read_dictionary=strings, **settings) as folded:
            for group in range(file.num_row_groups):
                rows = max(1, min(ROWS_A_BATCH, BATCH_BYTES // _longest(folded, group, strings)))
                yield from map(_laid_out, file.iter_batches(rows, [group], wanted))


def _laid_out(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same rows with every value in its place, also in columns kept as dictionaries."""
    columns = [
        column.dictionary_decode() if isinstance(column, pa.DictionaryArray) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


def _longest(folded: pq.ParquetFile, group: int, strings: Sequence[str]) -> int:
    """Bytes of the longest string of a row group that may stand for many rows, at least 1."""
    longest = 1
    for batch in folded.iter_batches(1, [group], strings) if strings else ():
        for column in batch.columns:
            if isinstance(column, pa.DictionaryArray):
                longest = max(longest, pc.max(pc.binary_length(column.dictionary)).as_py() or 1)
        break
    return longest


def _is_string(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _values(column: pa.Array) -> list[Any]:
    """Python values; bytes that are not UTF-8 become half characters, which no row may have."""
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        return [_value(each) for each in column]


def _value(scalar: pa.Scalar) -> Any:
    """The same of one value, also within lists and structs."""
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        if isinstance(scalar, pa.StructScalar):
            return {name: _value(part) for name, part in scalar.items()}
        if isinstance(scalar, pa.StringScalar):
            return scalar.as_buffer().to_pybytes().decode("utf-8", "surrogateescape")
        return [_value(part) for part in scalar.values]


def _check_magic(path: Path, name: str) -> None:
    with open(path, "rb") as file:
        start = file.read(START_BYTES)
        file.seek(-min(len(start), len(_MAGIC)), 2)
        end = file.read()
    if _ENCRYPTED in (start[: len(_MAGIC)], end):
        raise BadInput(f"{name} is encrypted: decrypt it first")
    if not start.startswith(_MAGIC):
        check_kind(start, name)
        raise BadInput(f"{name} is no Parquet file: it begins with {start[:_SHOWN_BYTES]!r}")
