"""The battery: every case by its name, and a night of it pinned as `snapshot` pins one."""

from __future__ import annotations

from pathlib import Path

from tasks.params.base import check
from tasks.params.ingest import Ingest
from tasks.snapshot import pin_data
from tasks.stage.outputs import write_json
from tests.broken import (
    compressed,
    contents,
    encodings,
    json_lines,
    labels,
    parquet,
    places,
    separated,
)
from tests.broken.case import NIGHT, Case

ROOMS = {
    "encoding": encodings.CASES,
    "table": separated.CASES,
    "json": json_lines.CASES,
    "parquet": parquet.CASES,
    "compressed": compressed.CASES,
    "place": places.CASES,
    "content": contents.CASES,
    "label": labels.CASES,
}
BATTERY = {f"{room}-{case.name}": case for room, cases in ROOMS.items() for case in cases}


def pinned(case: Case) -> Ingest:
    """Pin what lies in the night; then what happens meanwhile. Returns how it is to be read."""
    section = check(Ingest, {"source": NIGHT, "validation": 0.2, "test": 0.2, **case.params})
    pin(NIGHT, section.unlabelled)
    if case.meanwhile:
        case.meanwhile(Path(NIGHT))
    return section


def pin(source: str, unlabelled: str | None = None) -> None:
    """Write `data/snapshot.json` for these sources."""
    sources = {"all": source, "unlabelled": unlabelled}
    found = [pin_data(role, uri, None).to_json() for role, uri in sources.items() if uri]
    write_json("data/snapshot.json", {"sources": found})
