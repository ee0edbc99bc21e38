"""What stops an ingestion: too many bad rows, or nothing left to learn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from tasks.data.alike import check_alike
from tasks.data.dataset import SPLITS
from tasks.data.index import Index
from tasks.data.parts import Part
from tasks.data.splits import CODES, TRAIN, Assignment
from tasks.params.ingest import Ingest
from tasks.stage.errors import BadInput

EXAMPLES_A_RULE = 3


def check_quarantine(parts: Sequence[Part], largest_share: float) -> None:
    """Raise BadInput when more than that share of the rows read were set aside."""
    count = sum(part.counts.quarantined for part in parts)
    read = sum(part.counts.read for part in parts)
    if count <= largest_share * read:
        return
    rule, times = rules_broken(parts).most_common(1)[0]
    first = next(example for example in quarantine_examples(parts) if example["rule"] == rule)
    message = (
        f"{count:,} of {read:,} rows are bad ({count / read:.1%}; "
        f"ingest.max_quarantine allows {largest_share:.1%}). Most often: {rule}, {times:,} times, "
        f"first in {first['file']}, row {first['row']}: {first['reason']}"
    )
    metrics = {"rows_read": read, "quarantined": count}
    raise BadInput(message, {"metrics": metrics, "quarantine": quarantine_examples(parts)})


def check_learnable(parts: Sequence[Part], rows: Index, found: Assignment, section: Ingest) -> None:
    """Raise BadInput when there are no rows, one class only or one in two, or an empty split."""
    if not len(rows):
        names = ", ".join(sorted({part.file.name for part in parts})[:3])
        read, bad = (sum(getattr(p.counts, key) for p in parts) for key in ("read", "quarantined"))
        raise BadInput(
            f"no rows: {names} {'has' if len(parts) == 1 else 'have'} {read:,} rows, {bad:,} of "
            "them bad"
        )
    if len(rows.names) == 1:
        raise BadInput(
            f"one class only: {rows.names[0]!r} in all {len(rows):,} rows of column "
            f"{section.label!r}; takes at least two"
        )
    check_alike(rows.names, np.bincount(rows.labels).tolist(), section.label)
    sizes = {name: found.count(CODES[name]) for name in SPLITS}
    for name in SPLITS:
        if not sizes[name]:
            raise BadInput(
                f"no rows in {name} ({_listed(sizes)}, of {len(rows):,} rows; the others "
                f"are repeated or contradict each other): more data, or another {_knob(section)}"
            )
    kept = np.unique(rows.labels[found.fate == TRAIN])
    if len(kept) < 2:
        raise BadInput(f"one class only in train: {rows.names[kept[0]]!r}, after splitting")


def rules_broken(parts: Sequence[Part]) -> Counter[str]:
    """How many rows each rule set aside."""
    return sum((part.counts.broken for part in parts), Counter())


def quarantine_examples(parts: Sequence[Part]) -> list[dict[str, object]]:
    """A few rows of every rule broken, the first in file order."""
    shown: Counter[str] = Counter()
    examples: list[dict[str, object]] = []
    for part in parts:
        for example in part.counts.examples:
            shown[example["rule"]] += 1
            if shown[example["rule"]] <= EXAMPLES_A_RULE:
                examples.append({"file": part.file.name, **example})
    return examples


def _listed(sizes: dict[str, int]) -> str:
    return ", ".join(f"{size:,} in {name}" for name, size in sizes.items())


def _knob(section: Ingest) -> str:
    return "ingest.split" if section.split is not None else "ingest.validation and ingest.test"
