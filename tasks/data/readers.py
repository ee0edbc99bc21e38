"""Rows from CSV, TSV, JSONL and Parquet files, streamed, each with its place in the file."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks.data.columns import Columns, Row
from tasks.data.formats import FORMATS, format_of
from tasks.data.opening import LONGEST_LINE_BYTES, opened
from tasks.data.parquet import parquet_rows
from tasks.stage.errors import BadInput

__all__ = ["Columns", "Row", "read_rows"]

_BOM = b"\xef\xbb\xbf"


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
        return parquet_rows(path, columns, name)
    if kind == "jsonl":
        return _jsonl(path, columns, name)
    return _separated(path, columns, name, "\t" if kind == "tsv" else ",")


def _separated(path: Path, columns: Columns, name: str, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(LONGEST_LINE_BYTES)
    table = csv.reader(_lines(path, name), delimiter=delimiter, strict=True)
    first = _header(table, name)
    header = [field.strip() for field in first]
    columns.check(header, name, _other_separator(first, delimiter))
    places = [header.index(column) if column in header else None for column in columns.names]
    nothing = (None,) * len(places)
    while True:
        number = table.line_num + 1
        try:
            fields = next(table, None)
        except csv.Error as error:
            yield Row(number, nothing, _why_broken(error, f"{name}, line {number}", delimiter))
            continue
        if fields is None:
            return
        if len(fields) != len(header):
            if fields:
                yield Row(number, nothing, f"{len(fields)} fields, the header has {len(header)}")
        elif fields[-1] == first[-1] and [fields[0].lstrip("\ufeff"), *fields[1:]] == first:
            yield Row(number, nothing, "the header once more")
        else:
            yield Row(number, tuple(None if at is None else fields[at] for at in places))


def _header(table: Iterator[list[str]], name: str) -> list[str]:
    try:
        return next((fields for fields in table if fields), [])
    except csv.Error as error:
        why = _LONE_CR if "new-line" in str(error) else f"the header can't be read: {error}"
        raise BadInput(f"{name}, line 1: {why}") from None


_LONE_CR = "its lines end with a lone CR, as on old Macs: convert them to line feeds"


def _why_broken(error: csv.Error, where: str, delimiter: str) -> str:
    """What is wrong with one row. Raises BadInput when the rows after it can't be told any more."""
    said = str(error)
    if "unexpected end of data" in said:
        raise BadInput(f"{where}: a quote opened in this row is never closed") from None
    if "field limit" in said:
        raise BadInput(
            f"{where}: a field is longer than {LONGEST_LINE_BYTES // 2**20} MB: is a quote in "
            "this row never closed?"
        ) from None
    if "new-line" in said:
        return "a lone CR (carriage return) within the row"
    return f"not {delimiter!r}-separated: {said}"


def _other_separator(header: Sequence[str], delimiter: str) -> str:
    """What else seems to separate the columns, when the header is one field."""
    for other in ",;\t|":
        if len(header) == 1 and other in header[0]:
            return f"; they look separated by {other!r}: write the file with {delimiter!r}"
    return ""


def _jsonl(path: Path, columns: Columns, name: str) -> Iterator[Row]:
    keys: dict[str, None] = {}
    missing = set(columns.needed)
    quoted = [json.dumps(column, ensure_ascii=False) for column in columns.names]
    for number, line in enumerate(_lines(path, name), start=1):
        if not line.strip():
            continue
        content = _object(line, name, number)
        if missing:
            keys.update(dict.fromkeys(content))
            missing.difference_update(content)
        values = tuple(content.get(column) for column in columns.names)
        if max(map(line.count, quoted)) > 1 and (twice := _twice(line, columns.names)) is not None:
            yield Row(number, (None,) * len(values), f"the key {twice!r} stands twice")
        else:
            yield Row(number, values)
    if keys and missing:
        columns.check(list(keys), name)


def _object(line: str, name: str, number: int) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except RecursionError:
        why = "is nested too deeply"
    except json.JSONDecodeError as error:
        why = f"is not JSON: {error.msg}, character {error.pos + 1}"
    except ValueError as error:  # a number of thousands of digits
        why = f"can't be read: {error}"
    else:
        if isinstance(content, dict):
            return content
        why = "is not a JSON object with columns as keys"
    raise BadInput(f"{name}, line {number} {why}: takes one object a line")


def _twice(line: str, columns: Sequence[str]) -> str | None:
    """A column that the line gives two values for: nobody can say which is meant."""
    keys = [key for key, _ in json.loads(line, object_pairs_hook=list)]
    return next((column for column in columns if keys.count(column) > 1), None)


def _lines(path: Path, name: str) -> Iterator[str]:
    """The lines of a UTF-8 file, with their ends; an optional byte order mark is left out."""
    number = 0
    try:
        with io.TextIOWrapper(opened(path, name), "utf-8-sig", newline="\n") as file:
            for line in file:
                number += 1
                yield line
    except UnicodeDecodeError:
        raise BadInput(_first_not_utf8(path, name)) from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadInput(f"{name} is not a whole gzip file, after line {number}: {error}") from None


def _first_not_utf8(path: Path, name: str) -> str:
    """Where the file stops being UTF-8: read once more, since a decoder of blocks can't tell."""
    with opened(path, name) as file:
        for number, line in enumerate(file, start=1):
            try:
                line.removeprefix(_BOM).decode("utf-8")
            except UnicodeDecodeError as error:
                return _not_utf8(name, number, error)
    return f"{name} is not UTF-8; it changed while it was read"


def _not_utf8(name: str, number: int, error: UnicodeDecodeError) -> str:
    byte = error.object[error.start]
    return (
        f"{name}, line {number}: byte {error.start + 1} (0x{byte:02x}) is not UTF-8; "
        "convert the file to UTF-8 (for example with iconv)"
    )
