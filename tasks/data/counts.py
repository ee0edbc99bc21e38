"""What came of one file's rows, in numbers, kept with them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pyarrow.parquet as pq

_KEY = b"nightshift"


@dataclass
class Counts:
    """What came of a file's rows. `broken` has the rules in the order in which rows broke them.

    `examples` are the first rows of each; `masked` counts personal data by kind.
    """

    read: int = 0
    kept: int = 0
    stripped_labels: int = 0
    masked: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, Any]] = field(default_factory=list)

    @property
    def quarantined(self) -> int:
        """How many rows were set aside."""
        return self.broken.total()

    def as_metadata(self) -> dict[bytes, bytes]:
        """For the footer of the Parquet file that holds the rows."""
        return {_KEY: json.dumps(vars(self)).encode()}

    @classmethod
    def noted_in(cls, path: Path) -> Self:
        """The counts that `as_metadata` left in a Parquet file."""
        noted = json.loads(pq.read_metadata(path).metadata[_KEY])
        noted |= {name: Counter(noted[name]) for name in ("masked", "broken")}
        return cls(**noted)
