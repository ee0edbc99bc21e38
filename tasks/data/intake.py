"""The account of an ingestion: where every row of every file went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tasks.data.parts import Part
from tasks.data.splits import (
    CONTRADICTION,
    DUPLICATE,
    LEAK,
    REPEATED,
    TEST,
    TRAIN,
    UNLABELLED,
    VALIDATION,
)

FATES = {
    "train": TRAIN,
    "validation": VALIDATION,
    "test": TEST,
    "unlabelled": UNLABELLED,
    "duplicates": DUPLICATE,
    "repeated": REPEATED,
    "leaks": LEAK,
    "contradictions": CONTRADICTION,
}
"""What can become of a row that broke no rule, under the name that the account has for it."""


def file_accounts(parts: Sequence[Part], fate: np.ndarray) -> list[dict[str, Any]]:
    """One record a file; `rows` (read) is the sum of all the counts after it."""
    accounts, at = [], 0
    for part in parts:
        counts = np.bincount(fate[at : at + part.counts.kept], minlength=len(FATES)).tolist()
        at += part.counts.kept
        file = {"name": part.file.name, "role": part.file.role, "date": part.file.date}
        kept = {name: counts[code] for name, code in FATES.items()}
        accounts.append(
            {**file, "rows": part.counts.read, **kept, "quarantined": part.counts.quarantined}
        )
    return accounts


def intake(
    parts: Sequence[Part],
    files: list[dict[str, Any]],
    kinds: Sequence[str],
    task: str | Mapping[str, str] = "classification",
) -> dict[str, Any]:
    """The whole account: files, rules broken, personal data masked (by kind), and the totals.

    `task` is its kind, or the kind of each by name; it is left out for classification.
    """
    rules: Counter[str] = Counter()
    masked: Counter[str] = Counter(dict.fromkeys(kinds, 0))
    for part in parts:
        rules.update(part.counts.broken)
        masked.update(part.counts.masked)
    names = ["rows", *FATES, "quarantined"]
    return {
        "files": files,
        "rules": dict(sorted(rules.items())),
        "mask": list(kinds),
        "masked": dict(sorted(masked.items())),
        "totals": {name: sum(file[name] for file in files) for name in names},
        **({} if task == "classification" else {"task": task}),
    }
