"""What is read, and how: the files, which of their columns mean what, and a key for the outcome."""

from __future__ import annotations

import hashlib
import sys
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from tasks.data.formats import FORMATS


class RowRule(Protocol):
    """A rule of `expectations.yaml` that a single row can break."""

    @property
    def name(self) -> str:
        """How it is called there."""
        ...

    def check(
        self,
        texts: pa.Array,
        pairs: pa.Array | None,
        labels: pa.Array | None,
        names: Sequence[Collection[str]] | None,
    ) -> tuple[np.ndarray, list[str]]:
        """Which rows are bad (bool, one a row), and why each of them is.

        `names` are the classes that each label speaks of, where that is not the label itself.
        """
        ...


@dataclass(frozen=True)
class Reading:
    """Which columns mean what; `label`, `split` and `task` are None where there are none.

    `mask` names the kinds of personal data to mask, `rules` what rows must keep beside the rules
    of `tasks.data.rules`. `tasks` has the kind of each task by its name, which the column `task`
    says of a row where there are several; a task alone is called by its kind.
    """

    text: tuple[str, ...]
    label: str | None
    split: str | None
    max_characters: int
    mask: tuple[str, ...] = ()
    rules: tuple[RowRule, ...] = ()
    tasks: Mapping[str, str] = field(default_factory=lambda: {"classification": "classification"})
    task: str | None = None


@dataclass(frozen=True)
class DataFile:
    """One file to read: `name` as pinned, `role` the source's role, `date` its partition's.

    `sha256` is of its content, in hex.
    """

    path: Path
    name: str
    role: str
    date: str | None
    sha256: str


def parsed_key(file: DataFile, reading: Reading) -> str:
    """What decides how a file is parsed, as a hex digest: content, kind, settings, and our code.

    The code itself is hashed, so that no version number is forgotten when it changes.
    """
    ending = next(end for end in FORMATS if file.name.lower().endswith(end))
    digest = hashlib.sha256(repr((file.sha256, ending, reading)).encode())
    digest.update(f"{sys.version}{unicodedata.unidata_version}{pa.__version__}".encode())
    digest.update(_code(bool(reading.mask), bool(reading.rules)))
    return digest.hexdigest()


@cache
def _code(masked: bool, ruled: bool) -> bytes:
    """The modules that may have a say in what rows come to; what they can't change costs time."""
    rooms = ["data", "task", *["masking"] * masked, *["expectations"] * ruled]
    home = Path(__file__).parent.parent
    paths = [path for room in rooms for path in sorted((home / room).glob("*.py"))]
    return b"".join(path.read_bytes() for path in paths)
