"""The file formats that examples may come in, told by a name's ending."""

from __future__ import annotations

FORMATS = {
    ".csv": "csv",
    ".csv.gz": "csv",
    ".tsv": "tsv",
    ".tsv.gz": "tsv",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}


def format_of(name: str) -> str | None:
    """`csv`, `tsv`, `jsonl` or `parquet`; None for a name that ends otherwise."""
    lowered = name.lower()
    return next((kind for end, kind in FORMATS.items() if lowered.endswith(end)), None)
