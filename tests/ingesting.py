"""Files to ingest, the ingestion of them, and what came of it: what several tests need."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tasks.data.dataset import SPLITS, read_examples
from tasks.ingest import ingest
from tasks.params.base import check
from tasks.params.ingest import Ingest
from tasks.snapshot import pin_data
from tasks.stage.outputs import write_json

WORDS = ("night", "shift", "model", "small", "fast", "proven", "bucket", "stage")
OUTPUTS = ("dataset/train", "dataset/validation", "dataset/test", "unlabelled", "quarantine")


def example(number: int) -> tuple[str, str]:
    """A text of its own and one of two labels."""
    return f"{WORDS[number % 8]} {WORDS[number // 8 % 8]} {number}", "ab"[number % 2]


def write(path: str, rows: Sequence[Sequence[Any]], header: str = "text,label") -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])


def pin(**sources: str) -> None:
    pinned = [pin_data(role, uri, None).to_json() for role, uri in sources.items()]
    write_json("data/snapshot.json", {"sources": pinned})


def ingested(source: str = "rows.csv", **params: Any) -> dict[str, Any]:
    pin(all=source)
    return ingest(check(Ingest, {"source": source, "validation": 0.2, "test": 0.2, **params}))


def sides() -> dict[str, str]:
    """The split that every text came to."""
    return {str(text): split for split in SPLITS for text in read_examples(split).texts}


def quarantine() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table("data/quarantine.parquet").to_pylist()
    return rows


def train_rows() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table("data/dataset/train.parquet").to_pylist()
    return rows
