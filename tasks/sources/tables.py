"""Tables that samples are written as, and the places in them that only the content decides."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

FIRST_NIGHT = date(2026, 1, 1)
SHARE_OF_FIRST_NIGHT = 0.6
NIGHTS_AFTER = 28


def read_table(path: Path) -> list[list[str]]:
    """The header and the rows of a CSV or JSONL file; lists of tokens with spaces between them."""
    with open(path, encoding="utf-8", newline="") as file:
        if path.suffix == ".csv":
            return list(csv.reader(file))
        rows = [json.loads(line) for line in file]
    header = list(rows[0]) if rows else []
    return [header, *([_cell(row[column]) for column in header] for row in rows)]


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """UTF-8, lines end with a line feed."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """UTF-8, one object a line."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")


def write_nights(
    folder: Path, name: str, header: Sequence[str], rows: Iterable[tuple[date, Sequence[str]]]
) -> None:
    """`date=YYYY-MM-DD/NAME` below `folder`, a CSV a night."""
    nights: dict[date, list[Sequence[str]]] = {}
    for night, row in rows:
        nights.setdefault(night, []).append(row)
    for night, own in sorted(nights.items()):
        partition = folder / f"date={night.isoformat()}"
        partition.mkdir()
        write_csv(partition / name, header, own)


def night_of(text: str) -> date:
    """About 60 % on the first night; the others spread evenly over the 28 that follow."""
    place = (place_of(text) - SHARE_OF_FIRST_NIGHT) / (1 - SHARE_OF_FIRST_NIGHT)
    return FIRST_NIGHT + timedelta(days=0 if place < 0 else 1 + int(place * NIGHTS_AFTER))


def place_of(text: str) -> float:
    """A number from 0 to 1 that only the text decides."""
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _cell(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)
