"""What a dataset must be like: every expectation under a name, ready for Great Expectations.

Each is an object with a name of its own, so that a severity, a baseline or another batch can be
added to it without touching the others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tasks.data.dataset import SCHEMA
from tasks.data.frames import DERIVED
from tasks.data.great import gxe
from tasks.params.validate import Validate


@dataclass(frozen=True)
class Expected:
    """One expectation: `name` for people and reports, `rule` for Great Expectations."""

    name: str
    rule: gxe.Expectation


def of_split(split: str, section: Validate, labels: Sequence[str]) -> list[Expected]:
    """What holds for the rows of one split (a frame of `split_frames`)."""
    smallest = section.min_rows if split == "train" else 1
    return [
        Expected("columns", gxe.ExpectTableColumnsToMatchOrderedList(column_list=_columns())),
        Expected("enough rows", gxe.ExpectTableRowCountToBeBetween(min_value=smallest)),
        *(
            Expected(f"{column} is there", gxe.ExpectColumnValuesToNotBeNull(column=column))
            for column in ("id", "text", "label", "task", "source")
        ),
        Expected("ids are unique", gxe.ExpectColumnValuesToBeUnique(column="id")),
        Expected("no duplicates", gxe.ExpectColumnValuesToBeUnique(column="digest")),
        Expected("in no other split", gxe.ExpectColumnValuesToBeNull(column="also_in")),
        Expected(
            "known labels",
            gxe.ExpectColumnValuesToBeInSet(column="label", value_set=sorted(labels)),
        ),
        Expected(
            "long enough",
            gxe.ExpectColumnValuesToBeBetween(
                column="characters", min_value=section.min_characters
            ),
        ),
        Expected(
            "median length",
            gxe.ExpectColumnMedianToBeBetween(
                column="characters", max_value=section.max_median_characters
            ),
        ),
    ]


def of_classes(split: str, section: Validate) -> list[Expected]:
    """What holds for the classes of one split (a frame of `class_frame`)."""
    share = gxe.ExpectColumnValuesToBeBetween(
        column="share", min_value=section.min_class_share, max_value=section.max_class_share
    )
    if split == "train":
        rows = gxe.ExpectColumnValuesToBeBetween(
            column="rows", min_value=section.min_rows_per_class
        )
        return [Expected("enough rows of each class", rows), Expected("class balance", share)]
    shift = gxe.ExpectColumnValuesToBeBetween(column="shift", max_value=section.max_label_shift)
    return [Expected("class balance", share), Expected("same balance as train", shift)]


def suite_hash(suites: dict[str, list[Expected]]) -> str:
    """The sha256 of everything that is expected, whatever the data."""
    content = {
        batch: [[expected.name, limit(expected.rule)] for expected in suite]
        for batch, suite in suites.items()
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def limit(rule: gxe.Expectation) -> dict[str, Any]:
    """The type of an expectation and the limits it sets, as plain JSON."""
    configuration = rule.configuration
    return {"type": configuration.type, **configuration.kwargs}


def _columns() -> list[str]:
    return [*SCHEMA.names, *DERIVED]
