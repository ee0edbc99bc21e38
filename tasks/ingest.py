"""Read what `snapshot` pinned, set bad rows aside, drop repetitions, split by hash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.data.checks import check_learnable, check_quarantine
from tasks.data.dataset import FOLDER, SPLITS, split_path, write_table
from tasks.data.examples import split_tables, unlabelled_table
from tasks.data.gather import DataFile, Gathered, Reading, gather
from tasks.data.splits import Assignment, assign
from tasks.data.summary import summary
from tasks.params.ingest import Ingest
from tasks.sources.fetch import fetch_all
from tasks.sources.partitions import partition_date
from tasks.sources.resolve import resolve
from tasks.sources.source import Pinned
from tasks.stage.outputs import read_json
from tasks.stage.run import run_stage

SNAPSHOT = Path("data/snapshot.json")
UNLABELLED = Path("data/unlabelled.parquet")
QUARANTINE = Path("data/quarantine.parquet")


def ingest(section: Ingest) -> dict[str, Any]:
    """Turn the pinned files into one dataset: train, validation and test, and what was left out."""
    files = pinned_files()
    labelled = gather([file for file in files if file.role != "unlabelled"], reading(section))
    check_quarantine(labelled, section.max_quarantine)
    found = split(labelled, section)
    check_learnable(labelled, found, section)
    tables = split_tables(labelled, found)
    extra = gather([file for file in files if file.role == "unlabelled"], reading(section, False))
    check_quarantine(extra, section.max_quarantine)
    write(tables, unlabelled_table(extra, set(labelled.digests)), [labelled, extra])
    return summary(labelled, found, extra, tables)


def pinned_files() -> list[DataFile]:
    """Every pinned file, fetched and checked against its pin."""
    files: list[DataFile] = []
    for content in read_json(SNAPSHOT)["sources"]:
        pins = [Pinned.from_json(file) for file in content["files"]]
        fetched = fetch_all(resolve(content["uri"]), pins)
        for pinned, path in zip(pins, fetched, strict=True):
            day = partition_date(pinned.path)
            date = None if day is None else day.isoformat()
            files.append(DataFile(path, pinned.path, content["role"], date))
    return files


def reading(section: Ingest, labelled: bool = True) -> Reading:
    """Which columns to read, of labelled sources or of unlabelled ones."""
    text = (section.text,) if isinstance(section.text, str) else section.text
    if not labelled:
        return Reading(text, None, None, section.max_characters)
    column = section.split if isinstance(section.split, str) else None
    return Reading(text, section.label, column, section.max_characters)


def split(rows: Gathered, section: Ingest) -> Assignment:
    """What becomes of every row."""
    given = rows.given if section.split is not None else None
    return assign(rows.digests, rows.labels, given, section.salt, section.validation, section.test)


def write(tables: dict[str, pa.Table], unlabelled: pa.Table, read: list[Gathered]) -> None:
    """All five outputs; those without rows too, so that who reads them need not ask."""
    for name in SPLITS:
        write_table(tables[name], split_path(name, FOLDER))
    write_table(unlabelled, UNLABELLED)
    write_table(pa.concat_tables([rows.quarantine() for rows in read]), QUARANTINE)


if __name__ == "__main__":
    run_stage("ingest", Ingest, ingest)
