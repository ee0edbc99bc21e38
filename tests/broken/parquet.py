"""Parquet files that are cut, damaged, of other types, or not Parquet at all."""

from __future__ import annotations

import io
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq

from tests.broken.case import (
    GOOD,
    Content,
    csv_of,
    kept,
    parquet_bytes,
    parquet_of,
    quarantine,
    stops,
)

WHOLE = parquet_of(compression="none", write_page_checksum=True)
BAD = "100 of 100 rows are bad"
TEXTS, LABELS = ([row[at] for row in GOOD] for at in (0, 1))


def rows(content: Content) -> dict[str, Content]:
    """The one file of a case."""
    return {"rows.parquet": content}


def damaged(at: int, length: int) -> bytes:
    """The good file with some bytes turned over, counted from the end when `at` is negative."""
    at %= len(WHOLE)
    flipped = bytes(255 - byte for byte in WHOLE[at : at + length])
    return WHOLE[:at] + flipped + WHOLE[at + length :]


def not_utf8() -> bytes:
    """A column that says it holds strings, with a byte that no UTF-8 has in its first row."""
    texts = [b"caf\xe9", *(text.encode() for text in TEXTS)]
    column = pa.array(texts, pa.binary())
    told = pa.Array.from_buffers(pa.string(), len(column), column.buffers())
    return parquet_bytes({"text": told, "label": ["a", *LABELS]})


def twice() -> bytes:
    """A table that has two columns of one name."""
    file = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array(TEXTS)] * 2, ["text", "text"]), file)
    return file.getvalue()


def repeated(text: str, times: int, store_schema: bool = True) -> bytes:
    """One text over and over: a few bytes in the file, gigabytes when it is laid out."""
    places = pa.repeat(pa.scalar(0, pa.int32()), times)
    columns = {
        name: pa.DictionaryArray.from_arrays(places, pa.array([value]))
        for name, value in (("text", text), ("label", "a"))
    }
    limit = 2 * len(text) + 2**20
    return parquet_bytes(
        columns, compression="zstd", dictionary_pagesize_limit=limit, store_schema=store_schema
    )


CASES = [
    stops("cut-off", rows(WHOLE[: len(WHOLE) // 2]), "rows.parquet is not a whole Parquet file"),
    stops("cut-at-the-end", rows(WHOLE[:-1]), "rows.parquet is not a whole Parquet file"),
    stops("magic-only", rows(b"PAR1"), "rows.parquet is not a whole Parquet file"),
    stops("magic-twice", rows(b"PAR1" * 3), "rows.parquet is not a whole Parquet file"),
    stops("damaged-page", rows(damaged(60, 40)), "rows.parquet is not a whole Parquet file"),
    stops("one-letter-changed", rows(damaged(WHOLE.index(b"proven"), 1)), "rows.parquet is not a"),
    stops("damaged-footer", rows(damaged(-120, 60)), "rows.parquet is not a whole Parquet file"),
    stops("footer-of-two-gigabytes", rows(WHOLE[:-8] + b"\xff\xff\xff\x7fPAR1"), "rows.parquet"),
    stops("encrypted", rows(WHOLE[:-4] + b"PARE"), "rows.parquet", "encrypted"),
    stops("empty", rows(b""), "rows.parquet is empty (0 bytes)"),
    stops("a-csv", rows(csv_of()), "rows.parquet", "text,label"),
    stops("named-csv", {"rows.csv": WHOLE}, "rows.csv", "is a Parquet file"),
    stops(
        "no-rows", rows(parquet_bytes({"text": pa.array([], pa.string()), "label": []})), "no rows"
    ),
    stops("no-columns", rows(parquet_bytes({})), "no column 'text'; its columns are none"),
    stops("doubled-column", rows(twice), "more than one column 'text'"),
    stops(
        "lists-as-texts",
        rows(parquet_bytes({"text": [[t] for t in TEXTS], "label": LABELS})),
        BAD,
        "text is no string",
        "row 1",
    ),
    stops(
        "structs-as-texts",
        rows(parquet_bytes({"text": [{"a": t} for t in TEXTS], "label": LABELS})),
        BAD,
        "text is no string",
        "row 1",
    ),
    stops(
        "bytes-as-texts",
        rows(parquet_bytes({"text": [t.encode() for t in TEXTS], "label": LABELS})),
        BAD,
        "text is no string",
        "type bytes",
    ),
    stops(
        "times-as-texts",
        rows(parquet_bytes({"text": [datetime(2026, 1, 1)] * 100, "label": LABELS})),
        BAD,
        "text is no string",
    ),
    stops(
        "dates-as-labels",
        rows(parquet_bytes({"text": TEXTS, "label": [date(2026, 1, 1)] * 100})),
        BAD,
        "label is no string",
        "type date",
    ),
    stops(
        "decimals-as-labels",
        rows(parquet_bytes({"text": TEXTS, "label": [Decimal("1.5")] * 100})),
        BAD,
        "label is no string",
    ),
    stops(
        "nothing-as-labels",
        rows(parquet_bytes({"text": TEXTS, "label": pa.nulls(100)})),
        BAD,
        "no label",
    ),
    quarantine("not-utf-8", rows(not_utf8), {1: "broken characters"}),
    quarantine("nulls", rows(parquet_of((None, "a"), ("x", None))), {1: "no text", 2: "no label"}),
    kept("large-strings", rows(parquet_of(("fine", "a"), text=pa.large_string())), "fine"),
    kept("views-of-strings", rows(parquet_of(("fine", "a"), text=pa.string_view())), "fine"),
    kept(
        "dictionaries",
        rows(
            parquet_of(
                ("fine", "a"),
                text=pa.dictionary(pa.int8(), pa.string()),
                label=pa.dictionary(pa.int8(), pa.string()),
            )
        ),
        "fine",
    ),
    kept(
        "numbers-as-labels",
        rows(parquet_bytes({"text": TEXTS, "label": [n % 2 for n in range(100)]})),
        labels=("0", "1"),
    ),
    kept("many-row-groups", rows(parquet_of(("fine", "a"), row_group_size=3)), "fine"),
    kept(
        "other-columns-nested",
        rows(
            lambda: parquet_bytes(
                {
                    "text": ["fine", *TEXTS],
                    "label": ["a", *LABELS],
                    "meta": [[{"deep": [n]}] for n in range(101)],
                }
            )
        ),
        "fine",
    ),
    stops(
        "a-bomb-of-rows",
        rows(lambda: repeated("a row as any other " * 20, 5_000_000)),
        "rows.parquet",
        "expands",
    ),
    stops(
        "a-bomb-of-texts",
        rows(lambda: repeated("x" * 8_000_000, 100_000, store_schema=False)),
        "rows.parquet",
        "expands",
    ),
    stops(
        "a-bomb-of-dictionaries",
        rows(lambda: repeated("x" * 8_000_000, 100_000)),
        "rows.parquet",
        "expands",
    ),
]
