"""Hold the dataset against what is expected of it; `finetune` waits for the approval."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from tasks.data.audit import Batch, audit
from tasks.data.dataset import SPLITS, split_path
from tasks.data.expectations import of_classes, of_split, suite_hash
from tasks.data.frames import class_frame, split_frames
from tasks.params.validate import Validate
from tasks.stage.errors import BadInput
from tasks.stage.outputs import read_json, sha256, write_json
from tasks.stage.run import run_stage

REFERENCE = Path("data/reference.json")
APPROVED = Path("data/approved.json")
DOCUMENTS = Path("reports/data_docs")


def validate(section: Validate) -> dict[str, Any]:
    """Check rows and classes of every split; approve all of it or stop the run. Edits nothing."""
    APPROVED.unlink(missing_ok=True)
    frames = split_frames()
    labels, from_where = allowed_labels(section, frames["train"])
    batches = [
        *(Batch(name, "rows", frames[name], of_split(name, section, labels)) for name in SPLITS),
        *(
            Batch(name, "classes", class_frame(frames, name, labels), of_classes(name, section))
            for name in SPLITS
        ),
    ]
    outcomes = audit(batches, DOCUMENTS)
    found = findings(outcomes, frames, labels, from_where)
    stop_unless_met(outcomes, found)
    suite = suite_hash({batch.name: list(batch.expected) for batch in batches})
    write_json(APPROVED, approval(frames, suite))
    return found


def allowed_labels(section: Validate, train: pd.DataFrame) -> tuple[list[str], str]:
    """The classes allowed, and what allows them: parameters, the last release, or train itself."""
    if section.labels is not None:
        return sorted(section.labels), "validate.labels"
    reference = read_json(REFERENCE)["labels"]
    if reference is not None:
        return sorted(reference), "snapshot.reference"
    return sorted(train["label"].dropna().unique()), "train"


def approval(frames: dict[str, pd.DataFrame], suite: str) -> dict[str, Any]:
    """What passed, by content: `finetune` checks that it trains on exactly this."""
    return {
        "splits": {
            name: {"sha256": sha256(split_path(name)), "rows": len(frames[name])} for name in SPLITS
        },
        "labels": sorted(frames["train"]["label"].unique()),
        "suite": suite,
    }


def findings(
    outcomes: list[dict[str, Any]],
    frames: dict[str, pd.DataFrame],
    labels: list[str],
    from_where: str,
) -> dict[str, Any]:
    """Everything the report page shows of the validation."""
    return {
        "metrics": {
            "expectations": len(outcomes),
            "met": sum(outcome["ok"] for outcome in outcomes),
            **{name: len(frame) for name, frame in frames.items()},
        },
        "labels": labels,
        "labels_from": from_where,
        "expectations": outcomes,
    }


def stop_unless_met(outcomes: list[dict[str, Any]], found: dict[str, Any]) -> None:
    """Raise BadInput that names each expectation not met, with some of the rows."""
    failed = [outcome for outcome in outcomes if not outcome["ok"]]
    if not failed:
        return
    lines = [f"{len(failed)} of {len(outcomes)} expectations are not met (see {DOCUMENTS}):"]
    lines += [line for outcome in failed for line in _explained(outcome)]
    raise BadInput("\n".join(lines), found)


def _explained(outcome: dict[str, Any]) -> list[str]:
    limits = outcome["limit"]
    bounds = ", ".join(
        f"{word} {_short(limits[key])}"
        for key, word in (("min_value", "at least"), ("max_value", "at most"))
        if limits.get(key) is not None
    )
    if "value_set" in limits:
        bounds = f"takes {', '.join(map(repr, limits['value_set'][:10]))}"
    column = f" ({outcome['column']})" if outcome["column"] else ""
    head = f"  {outcome['split']}: {outcome['name']}{column}: {_counted(outcome)}"
    return [
        f"{head}; {bounds}" if bounds else head,
        *(
            f"    {example['id']}: {_short(example['value'])}: {example['start']}"
            for example in outcome["examples"]
        ),
    ]


def _counted(outcome: dict[str, Any]) -> str:
    count = outcome["unexpected"]
    if not count:
        return f"got {_short(outcome['observed'])}"
    one = {"rows": "row", "classes": "class"}
    return f"{count:,} {outcome['subject'] if count > 1 else one[outcome['subject']]}"


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else repr(value)


if __name__ == "__main__":
    run_stage("validate", Validate, validate)
