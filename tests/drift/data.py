"""Small datasets as ingest leaves them, and what the tests of drift make of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tasks.data.dataset import SCHEMA, SPLITS, split_path, write_table
from tasks.drift.table import Judged
from tasks.sources.pretrained import pin_model
from tasks.stage.outputs import write_json
from tests.made import BAD, FRAMES, GOOD, THINGS

Row = dict[str, Any]


def rows(count: int, date: str | None, seed: int = 0, source: str = "reviews.csv") -> list[Row]:
    """Opinions of a night, drawn at random; each is good or bad as its text says."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        good = bool(random.random() < 0.5)
        word = random.choice(GOOD if good else BAD)
        thing, frame = random.choice(THINGS), str(random.choice(FRAMES))
        name = source if date is None else f"date={date}/{source}"
        found.append(
            {
                "id": f"{source}-{date}-{number}",
                "text": frame.format(thing=thing, word=word),
                "label": "good" if good else "bad",
                "source": name,
                "date": date,
            }
        )
    return found


def write_dataset(content: list[Row]) -> list[Path]:
    """Three splits of it, in the current folder: eight rows of ten to train, one each to others."""
    for number, split in enumerate(SPLITS):
        part = [
            row
            for at, row in enumerate(content)
            if (at % 10 < 8, at % 10 == 8, at % 10 == 9)[number]
        ]
        write_table(pa.Table.from_pylist(part, SCHEMA), split_path(split))
    return [split_path(split) for split in SPLITS]


def record(found: Judged, name: str) -> Row:
    """A record of a table, by its id."""
    return next(row for row in records(found) if row["id"] == name)


def records(found: Judged) -> list[Row]:
    """All records of a table."""
    return [
        {str(key): value for key, value in row.items()} for row in found.table.to_dict("records")
    ]


def pin_base(model: Path) -> Path:
    """`models/base.json` for a model, in the current folder."""
    base = Path("models/base.json")
    write_json(base, pin_model(str(model)))
    return base
