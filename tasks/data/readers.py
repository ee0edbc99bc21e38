"""Rows from CSV, TSV, JSONL and Parquet files, streamed, each with its place in the file."""

from __future__ import annotations

import csv
import gzip
import json
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.data.formats import FORMATS, format_of
from tasks.stage.errors import BadInput

ROWS_A_BATCH = 4096
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: `number` is its line in a text file (where it begins), its row in a Parquet file.

    `values` are in the order of the columns asked for. `broken` says why the row could not be
    taken apart; `values` are None then.
    """

    number: int
    values: tuple[Any, ...]
    broken: str | None = None


@dataclass(frozen=True)
class Columns:
    """The columns to read: those that must be there, and those that may (None where not)."""

    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, in the order of `Row.values`."""
        return self.needed + self.optional

    def check(self, there: Sequence[str], name: str) -> None:
        """Raise BadInput that says which columns there are when a needed one is missing."""
        for column in self.needed:
            if column not in there:
                listed = ", ".join(map(repr, there)) or "none"
                raise BadInput(f"{name} has no column {column!r}; its columns are {listed}")
            if list(there).count(column) > 1:
                raise BadInput(f"{name} has more than one column {column!r}: rename one")


def read_rows(path: Path, columns: Columns, name: str | None = None) -> Iterator[Row]:
    """The rows of one file, told by `name`'s ending (default: the path's).

    Raises BadInput that names the file, and the line where there is one, when the file is empty,
    lacks a needed column, is not UTF-8, is cut off or is not what its name says.
    """
    name = name or str(path)
    kind = format_of(name)
    if kind is None:
        raise BadInput(f"{name} is of no known kind; known endings are {', '.join(FORMATS)}")
    if path.stat().st_size == 0:
        raise BadInput(f"{name} is empty (0 bytes): remove it or write it again")
    if kind == "parquet":
        return _parquet(path, columns, name)
    if kind == "jsonl":
        return _jsonl(path, columns, name)
    return _separated(path, columns, name, "\t" if kind == "tsv" else ",")


def _separated(path: Path, columns: Columns, name: str, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(sys.maxsize)
    table = csv.reader(_lines(path, name), delimiter=delimiter, strict=True)
    header = [field.strip() for field in _header(table, name)]
    columns.check(header, name)
    places = [header.index(column) if column in header else None for column in columns.names]
    nothing = (None,) * len(places)
    while True:
        number = table.line_num + 1
        try:
            fields = next(table, None)
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                raise BadInput(
                    f"{name}, line {number}: a quote opened in this row is never closed"
                ) from None
            yield Row(number, nothing, f"not {delimiter!r}-separated: {error}")
            continue
        if fields is None:
            return
        if len(fields) == len(header):
            yield Row(number, tuple(None if at is None else fields[at] for at in places))
        elif fields:
            yield Row(number, nothing, f"{len(fields)} fields, the header has {len(header)}")


def _header(table: Iterator[list[str]], name: str) -> list[str]:
    try:
        return next((fields for fields in table if fields), [])
    except csv.Error as error:
        raise BadInput(f"{name}, line 1: the header can't be read: {error}") from None


def _jsonl(path: Path, columns: Columns, name: str) -> Iterator[Row]:
    keys: dict[str, None] = {}
    missing = set(columns.needed)
    for number, line in enumerate(_lines(path, name), start=1):
        if not line.strip():
            continue
        try:
            content = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"{name}, line {number} is not JSON: {error}") from None
        if not isinstance(content, dict):
            raise BadInput(f"{name}, line {number} is not a JSON object with columns as keys")
        if missing:
            keys.update(dict.fromkeys(content))
            missing.difference_update(content)
        yield Row(number, tuple(content.get(column) for column in columns.names))
    if keys and missing:
        columns.check(list(keys), name)


def _parquet(path: Path, columns: Columns, name: str) -> Iterator[Row]:
    try:
        with pq.ParquetFile(path) as file:
            there = file.schema_arrow.names
            columns.check(there, name)
            wanted = [column for column in dict.fromkeys(columns.names) if column in there]
            number = 0
            for batch in file.iter_batches(batch_size=ROWS_A_BATCH, columns=wanted):
                lists = {column: batch.column(column).to_pylist() for column in wanted}
                empty = [None] * batch.num_rows
                for values in zip(*(lists.get(c, empty) for c in columns.names), strict=True):
                    number += 1
                    yield Row(number, values)
    except (pa.ArrowException, OSError) as error:
        why = " ".join(str(error).split())[:200]
        raise BadInput(
            f"{name} is not a whole Parquet file ({why}): it may have been cut off while it was "
            "copied; write it again"
        ) from None


def _lines(path: Path, name: str) -> Iterator[str]:
    """The lines of a UTF-8 file, with their ends; an optional byte order mark is left out."""
    number = 0
    try:
        with _opened(path, name) as file:
            for raw in file:
                number += 1
                yield (raw.removeprefix(_BOM) if number == 1 else raw).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(_not_utf8(name, number, error)) from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadInput(f"{name} is not a whole gzip file, after line {number}: {error}") from None


def _opened(path: Path, name: str) -> IO[bytes] | gzip.GzipFile:
    if name.lower().endswith(".gz"):
        return gzip.open(path, "rb")
    return open(path, "rb")


def _not_utf8(name: str, number: int, error: UnicodeDecodeError) -> str:
    byte = error.object[error.start]
    guess = "UTF-16" if number == 1 and error.object[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
    looks = f"; it looks like {guess}" if guess else ""
    return (
        f"{name}, line {number}: byte {error.start + 1} (0x{byte:02x}) is not UTF-8{looks}; "
        "convert the file to UTF-8 (for example with iconv)"
    )
