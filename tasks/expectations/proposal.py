"""A suite proposed from the data of a good day: what held then, with room for other days."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.data.dataset import FOLDER, SPLITS, split_path
from tasks.expectations.classes import KIND, class_frame, learnt
from tasks.expectations.frames import row_frames
from tasks.expectations.rows import RowRule
from tasks.expectations.writing import entry_text
from tasks.stage.errors import BadInput
from tasks.stage.outputs import read_json
from tasks.task import Task

QUANTILES = (0.05, 0.5, 0.95)
SLACK = 2.0
"""Counts and lengths may halve or double before it is worth a word."""
LONGEST = 4.0
"""A text that many times longer than any of the good day is set aside."""
HEAD = """\
# What the data of this project must be like, proposed by `nightshift expect` from a good day.
# Every entry is yours: change a limit, a severity (stop, quarantine, warn), or delete it. What is
# not said here stays as the defaults have it; `nightshift expect --show` prints all of it.
"""
PATTERNS = (
    ("has a letter", "column_values_to_match_regex", r"[^\W\d_]"),
    ("no markup", "column_values_to_not_match_regex", r"</?[A-Za-z][^<>]*>"),
    ("no escaped characters", "column_values_to_not_match_regex", r"&(?:[a-z]+|#\d+);"),
    ("no web addresses", "column_values_to_not_match_regex", r"https?://|www\."),
    ("no replacement characters", "column_values_to_not_match_regex", r"\ufffd"),
    ("no control characters", "column_values_to_not_match_regex", r"[\x00-\x08\x0b-\x1f\x7f]"),
)
"""What may hold for every text, whatever its language."""


@dataclass(frozen=True)
class Proposed:
    """An entry, and the comment above it."""

    comment: str
    entry: dict[str, Any]


def propose(intake: Mapping[str, Any], validation: Mapping[str, Any], folder: Path = FOLDER) -> str:
    """The text of an `expectations.yaml` that the data in `folder` meet.

    `intake` is the content of data/intake.json and `validation` that of reports/validate.json, or
    empty. Raises BadInput when there is no dataset yet.
    """
    for name in SPLITS:
        if not split_path(name, folder).is_file():
            raise BadInput(f"{split_path(name, folder)} is missing: `nightshift run ingest` first")
    frames = row_frames(_rules(), folder=folder)
    proposed = [
        _of_rows(frames),
        *_of_classes(frames, learnt(intake.get("task", KIND), frames)),
        *_of_lengths(frames),
        *_of_patterns(frames),
        *_of_intake(intake),
        *_of_repetition(validation.get("tables") or {}),
    ]
    return "\n".join([HEAD, *(entry_text(one.entry, one.comment) for one in proposed)])


def _rules() -> list[RowRule]:
    return [RowRule(name, "text", expect, matches=regex) for name, expect, regex in PATTERNS]


def _of_rows(frames: Mapping[str, pd.DataFrame]) -> Proposed:
    rows = len(frames["train"])
    return Proposed(
        f"Training examples; there were {rows:,}.",
        {"name": "enough rows", "at_least": max(1, math.floor(down(rows / SLACK)))},
    )


def _of_classes(frames: Mapping[str, pd.DataFrame], task: Task) -> Iterator[Proposed]:
    """Of a task that has classes, and of their shares where these are limited."""
    found = {name: class_frame(frames, name, task.labels, task) for name in SPLITS}
    labels = sorted({str(label) for frame in found.values() for label in frame["label"]})
    if not labels:
        return
    classes = {name: class_frame(frames, name, labels, task) for name in SPLITS}
    shares = pd.concat([frame["share"] for frame in classes.values()])
    fewest = int(classes["train"]["rows"].min())
    yield Proposed("The classes there are.", {"name": "known labels", "values": labels})
    yield Proposed(
        f"Training examples of a class; the smallest had {fewest:,}.",
        {
            "name": "enough rows of each class",
            "at_least": max(1, math.floor(down(fewest / SLACK))) if fewest else 0,
        },
    )
    if shares.isna().all():
        return
    yield Proposed(
        f"The share of a class in a split; they were {shares.min():.3f} to {shares.max():.3f}.",
        {
            "name": "class balance",
            "at_least": down(shares.min() / SLACK),
            "at_most": min(1.0, up(1 - (1 - shares.max()) / SLACK)),
        },
    )


def _of_lengths(frames: Mapping[str, pd.DataFrame]) -> Iterator[Proposed]:
    quantiles = pd.DataFrame([frame["characters"].quantile(QUANTILES) for frame in frames.values()])
    low, high = quantiles.min(), quantiles.max()
    longest = max(int(frame["characters"].max()) for frame in frames.values())
    said = ", ".join(f"{low[q]:g} to {high[q]:g}" for q in QUANTILES)
    yield Proposed(
        f"Characters of a text: the 5th, 50th and 95th percentile of a split were {said}.",
        {
            "name": "usual lengths",
            "table": "rows",
            "column": "characters",
            "expect": "column_quantile_values_to_be_between",
            "with": {
                "quantile_ranges": {
                    "quantiles": list(QUANTILES),
                    "value_ranges": [
                        [math.floor(low[q] / SLACK), math.ceil(high[q] * SLACK)] for q in QUANTILES
                    ],
                }
            },
            "severity": "warn",
        },
    )
    yield Proposed(
        f"Much longer than any text of that day ({longest:,} characters): set aside.",
        {
            "name": "no longer than ever",
            "table": "rows",
            "column": "characters",
            "expect": "column_values_to_be_between",
            "at_most": math.ceil(up(longest * LONGEST)),
            "severity": "quarantine",
        },
    )


def _of_patterns(frames: Mapping[str, pd.DataFrame]) -> Iterator[Proposed]:
    for rule, (name, expect, regex) in zip(_rules(), PATTERNS, strict=True):
        if all(frame[rule.flag].all() for frame in frames.values()):
            entry = {"name": name, "table": "rows", "column": "text", "expect": expect}
            yield Proposed(
                "True of every text of that day; a row that breaks it is set aside.",
                {**entry, "matches": regex, "severity": "quarantine"},
            )


def _of_intake(intake: Mapping[str, Any]) -> Iterator[Proposed]:
    files = [file for file in intake.get("files", []) if file["rows"]]
    if not files:
        return
    worst = max(file["quarantined"] / file["rows"] for file in files)
    yield Proposed(
        f"The share of bad rows in a file; the worst had {worst:.2%}.",
        {"name": "few bad rows in a file", "at_most": min(1.0, max(0.01, up(worst * SLACK)))},
    )


def _of_repetition(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[Proposed]:
    """Of what the last validation measured; a share of nothing stays as the defaults have it."""
    shares = [record.get("share") for record in tables.get("repetition", [])]
    worst = max((share for share in shares if share is not None), default=0.0)
    if worst > 0:
        yield Proposed(
            f"The share of near duplicates of training texts; it was at most {worst:.2%}.",
            {"name": "few near duplicates", "at_most": min(1.0, max(0.01, up(worst * SLACK)))},
        )


def down(value: float) -> float:
    """The nearest number of two digits that is not above."""
    return _two_digits(value, ROUND_FLOOR)


def up(value: float) -> float:
    """The nearest number of two digits that is not below."""
    return _two_digits(value, ROUND_CEILING)


def _two_digits(value: float, rounding: str) -> float:
    exact = Decimal(value)
    return (
        float(exact.quantize(Decimal(1).scaleb(exact.adjusted() - 1), rounding)) if exact else 0.0
    )


def read_if_there(path: Path) -> dict[str, Any]:
    """The content of a JSON file; empty when there is none."""
    content: dict[str, Any] = read_json(path) if path.is_file() else {}
    return content
