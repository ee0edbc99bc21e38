"""What stops an ingestion: too many bad rows, or nothing left to learn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from tasks.data.alike import check_alike
from tasks.data.dataset import SPLITS
from tasks.data.index import Index
from tasks.data.label_codes import SAYS_NOTHING
from tasks.data.parts import Part
from tasks.data.splits import CODES, TRAIN, Assignment
from tasks.params.ingest import Ingest
from tasks.stage.errors import BadInput
from tasks.task import KINDS

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
    """Raise BadInput when there is nothing to learn, of a task, or an empty split.

    That is no rows, one class or one value only, no class or entity in any row, or one class in
    two spellings.
    """
    if not len(rows):
        names = ", ".join(sorted({part.file.name for part in parts})[:3])
        read, bad = (sum(getattr(p.counts, key) for p in parts) for key in ("read", "quarantined"))
        raise BadInput(
            f"no rows: {names} {'has' if len(parts) == 1 else 'have'} {read:,} rows, {bad:,} of "
            "them bad"
        )
    for place, task in enumerate(section.tasks):
        _check_labels(rows, place, task, section)
    check_alike([*rows.classes], [*rows.classes.values()], section.label)
    for place, task in enumerate(section.tasks):
        _check_splits(rows, found, place, task, section)


def _check_labels(rows: Index, place: int, task: str, section: Ingest) -> None:
    of = f" of task {task!r}" if len(section.tasks) > 1 else ""
    own = rows.labels[rows.tasks == place]
    if not len(own):
        raise BadInput(
            f"no rows{of}: none of {len(rows):,} rows says so in {section.task_column!r}"
        )
    poor = _poor(own, section.tasks[task], rows.names)
    if poor:
        where, least = "all", "; takes at least two"
        if poor.startswith("no "):
            where, least = "any of the", ""
        raise BadInput(
            f"{poor} in {where} {len(own):,} rows{of} of column {section.label!r}{least}"
        )


def _check_splits(rows: Index, found: Assignment, place: int, task: str, section: Ingest) -> None:
    of = f" of task {task!r}" if len(section.tasks) > 1 else ""
    mine = rows.tasks == place
    sizes = {name: int((found.fate[mine] == CODES[name]).sum()) for name in SPLITS}
    for name in SPLITS:
        if not sizes[name]:
            raise BadInput(
                f"no rows{of} in {name} ({_listed(sizes)}, of {int(mine.sum()):,} rows; the others "
                f"are repeated or contradict each other): more data, or another {_knob(section)}"
            )
    poor = _poor(rows.labels[mine & (found.fate == TRAIN)], section.tasks[task], rows.names)
    if poor:
        what, _, which = poor.partition(":")
        raise BadInput(f"{what}{of} in train{':' * bool(which)}{which}, after splitting")


def _poor(labels: np.ndarray, kind: str, names: Sequence[str]) -> str:
    """Why nothing can be learned from labels of these codes; empty when something can."""
    task = KINDS[kind]
    if task.silent:
        return "" if (labels != SAYS_NOTHING).any() else f"no {task.unit}"
    if (labels != labels[0]).any():
        return ""
    which = f": {names[labels[0]]!r}" if task.classes else ""
    return f"one {task.unit} only{which}"


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
