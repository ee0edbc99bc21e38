"""What stops an ingestion: too many bad rows, or nothing left to learn from."""

from __future__ import annotations

from collections import Counter

from tasks.data.dataset import SPLITS
from tasks.data.gather import Gathered
from tasks.data.splits import CODES, Assignment
from tasks.params.ingest import Ingest
from tasks.stage.errors import BadInput


def check_quarantine(rows: Gathered, largest_share: float) -> None:
    """Raise BadInput when more than that share of the rows read were set aside."""
    count = len(rows.quarantined)
    if count <= largest_share * rows.rows_read:
        return
    rule, times = rows.rules_broken().most_common(1)[0]
    file, number, _, reason, *_ = next(bad for bad in rows.quarantined if bad[2] == rule)
    message = (
        f"{count:,} of {rows.rows_read:,} rows are bad ({count / rows.rows_read:.1%}; "
        f"ingest.max_quarantine allows {largest_share:.1%}). Most often: {rule}, {times:,} times, "
        f"first in {file}, row {number}: {reason}"
    )
    metrics = {"rows_read": rows.rows_read, "quarantined": count}
    raise BadInput(message, {"metrics": metrics, "quarantine": quarantine_examples(rows)})


def check_learnable(rows: Gathered, found: Assignment, section: Ingest) -> None:
    """Raise BadInput when there are no rows, one class only, or an empty split."""
    if not rows.labels:
        names = ", ".join(sorted({file.name for file in rows.sources})[:3])
        raise BadInput(
            f"no rows: {names} {'has' if len(rows.sources) == 1 else 'have'} "
            f"{rows.rows_read:,} rows, {len(rows.quarantined):,} of them bad"
        )
    classes = sorted(set(rows.labels))
    if len(classes) == 1:
        raise BadInput(
            f"one class only: {classes[0]!r} in all {len(rows.labels):,} rows of column "
            f"{section.label!r}; takes at least two"
        )
    sizes = {name: found.count(CODES[name]) for name in SPLITS}
    for name in SPLITS:
        if not sizes[name]:
            raise BadInput(
                f"no rows in {name} ({_listed(sizes)}, of {len(rows.labels):,} rows; the others "
                f"are repeated or contradict each other): more data, or another {_knob(section)}"
            )
    kept = Counter(label for label, fate in zip(rows.labels, found.fate, strict=True) if fate == 0)
    if len(kept) < 2:
        raise BadInput(f"one class only in train: {next(iter(kept))!r}, after splitting")


def quarantine_examples(rows: Gathered, each: int = 3) -> list[dict[str, object]]:
    """A few rows of every rule broken, the first in file order."""
    shown: Counter[str] = Counter()
    examples: list[dict[str, object]] = []
    for file, number, rule, reason, text, label in rows.quarantined:
        if shown[rule] < each:
            shown[rule] += 1
            content = {"file": file, "row": number, "rule": rule, "reason": reason}
            examples.append({**content, "text": text, "label": label})
    return examples


def _listed(sizes: dict[str, int]) -> str:
    return ", ".join(f"{size:,} in {name}" for name, size in sizes.items())


def _knob(section: Ingest) -> str:
    return "ingest.split" if section.split is not None else "ingest.validation and ingest.test"
