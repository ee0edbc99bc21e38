"""Read what `snapshot` pinned, set bad rows aside, drop repetitions, split by hash."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tasks.data.checks import check_learnable, check_quarantine
from tasks.data.dataset import FOLDER, SPLITS, UNLABELLED_TEXTS, split_path
from tasks.data.index import Index, index
from tasks.data.intake import file_accounts, intake
from tasks.data.parts import Part, parsed
from tasks.data.reading import DataFile, Reading
from tasks.data.splits import CODES, UNLABELLED, Assignment, assign, assign_unlabelled
from tasks.data.summary import shown_rows, summary
from tasks.data.writing import QUARANTINE_SCHEMA, own_ids_stand, row_groups, send
from tasks.expectations.rows import row_rules
from tasks.params.ingest import Ingest
from tasks.sources.fetch import fetch_all
from tasks.sources.partitions import partition_date
from tasks.sources.resolve import resolve
from tasks.sources.source import Pinned
from tasks.stage.errors import BadInput
from tasks.stage.outputs import STATE, read_json, sha256, write_json
from tasks.stage.run import run_stage
from tasks.task import KINDS

SNAPSHOT = Path("data/snapshot.json")
QUARANTINE = Path("data/quarantine.parquet")
INTAKE = Path("data/intake.json")


def ingest(section: Ingest) -> dict[str, Any]:
    """Turn the pinned files into one dataset: train, validation and test, and what was left out.

    All rows are never in memory, only some numbers of each (`tasks.data.index`).
    """
    files = pinned_files()
    drafts = STATE / "drafts"
    drafts.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=drafts, prefix="parsed-") as scratch:
        wanted = [file for file in files if file.role != "unlabelled"]
        labelled = parsed(wanted, reading(section), Path(scratch))
        check_quarantine(labelled, section.max_quarantine)
        rows = index(labelled, section.tasks, bool(section.mask), section.split is not None)
        found = split(rows, section)
        check_learnable(labelled, rows, found, section)
        others = [file for file in files if file.role == "unlabelled"]
        extra = parsed(others, reading(section, labelled=False), Path(scratch))
        check_quarantine(extra, section.max_quarantine)
        return write(labelled, rows, found, extra, section)


def pinned_files() -> list[DataFile]:
    """Every pinned file, fetched and checked against its pin."""
    files: list[DataFile] = []
    for content in read_json(SNAPSHOT)["sources"]:
        pins = [Pinned.from_json(file) for file in content["files"]]
        fetched = fetch_all(resolve(content["uri"]), pins)
        for pinned, path in zip(pins, fetched, strict=True):
            day = partition_date(pinned.path)
            date = None if day is None else day.isoformat()
            digest = pinned.sha256 or sha256(path)
            files.append(DataFile(path, pinned.path, content["role"], date, digest))
    return files


def reading(section: Ingest, labelled: bool = True) -> Reading:
    """Which columns to read, of labelled sources or of unlabelled ones.

    Raises BadInput for a pair of texts where a task takes one.
    """
    text = (section.text,) if isinstance(section.text, str) else section.text
    column = section.split if labelled and isinstance(section.split, str) else None
    label = section.label if labelled else None
    task = section.task_column if labelled and len(section.tasks) > 1 else None
    for kind in section.tasks.values():
        if len(text) > 1 and not KINDS[kind].pairs:
            raise BadInput(f"ingest.text: got {list(text)}; {kind} takes one column")
    rules, mask = tuple(row_rules()), tuple(section.mask)
    return Reading(text, label, column, section.max_characters, mask, rules, section.tasks, task)


def split(rows: Index, section: Ingest) -> Assignment:
    """What becomes of every row."""
    shares = (section.salt, section.validation, section.test)
    texts = rows.texts if len(section.tasks) > 1 else None
    return assign(
        rows.same,
        rows.labels,
        rows.given,
        *shares,
        digests=rows.digests,
        texts=texts,
        starts=rows.starts,
    )


def write(
    labelled: list[Part], rows: Index, found: Assignment, extra: list[Part], section: Ingest
) -> dict[str, Any]:
    """All outputs, those without rows too, so that who reads them need not ask; the findings."""
    more = index(extra, section.tasks, bool(section.mask))
    starts = np.concatenate([rows.starts[:-1], len(rows) + more.starts])
    fates = assign_unlabelled(more.texts, rows.texts, starts)
    examples = {CODES[name]: split_path(name, FOLDER) for name in SPLITS}
    unlabelled = {UNLABELLED: UNLABELLED_TEXTS}
    own = own_ids_stand(rows.ids[np.isin(found.fate, [*examples])])
    own_extra = own_ids_stand(more.ids[fates == UNLABELLED])
    mask, tasks = section.mask, section.tasks
    with row_groups(QUARANTINE, QUARANTINE_SCHEMA) as aside:
        wanted = shown_rows(rows, found)
        sent = send(labelled, found.fate, examples, aside, own, mask, tasks, wanted)
        send(extra, fates, unlabelled, aside, own_extra, mask, tasks)
    files = [*file_accounts(labelled, found.fate), *file_accounts(extra, fates)]
    account = intake([*labelled, *extra], files, section.mask, section.task)
    write_json(INTAKE, account)
    return summary(labelled, extra, rows, found, sent, account)


if __name__ == "__main__":
    run_stage("ingest", Ingest, ingest)
