"""Hold the dataset against what is expected of it; `finetune` waits for the approval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.data.dataset import SPLITS, split_path
from tasks.drift.agreement import agreement_table
from tasks.drift.portrait import portrait_of
from tasks.drift.profile import embedded, newest_of, profile_of
from tasks.drift.table import drift_table
from tasks.expectations.audit import Judged, audit, plain
from tasks.expectations.classes import (
    KIND,
    class_frame,
    learnt,
    task_frame,
    tell_labels,
    without_classes,
)
from tasks.expectations.documents import write_documents
from tasks.expectations.entries import EXPECTATIONS, Entry
from tasks.expectations.frames import intake_frame, row_frames
from tasks.expectations.suite import flags, read_suite, suite_hash, whole_texts
from tasks.expectations.tables import Table
from tasks.expectations.wording import explained, verdict
from tasks.params.validate import Validate
from tasks.quality.giveaways import giveaways_table
from tasks.quality.label_errors import Suspects, suspects_table, write_suspects
from tasks.quality.near_duplicates import repetition_table
from tasks.stage.errors import BadInput
from tasks.stage.outputs import read_json, sha256, write_json
from tasks.stage.run import run_stage
from tasks.task import Task

REFERENCE = Path("data/reference.json")
INTAKE = Path("data/intake.json")
APPROVED = Path("data/approved.json")
PROFILE = Path("data/profile.json")
SUSPECTS = Path("data/suspects.csv")
DOCUMENTS = Path("reports/data_docs")

SHOWN_RECORDS = 50
"""Records of a table that the report keeps."""


def validate(section: Validate) -> dict[str, Any]:
    """Judge the dataset by tables made of it; approve all of it or stop the run. Edits nothing."""
    APPROVED.unlink(missing_ok=True)
    suite, reference = read_suite(), read_json(REFERENCE)
    frames = row_frames(flags(suite), whole_texts(suite))
    task = learnt(read_json(INTAKE).get("task", KIND), frames)
    labels, from_where = known_labels(suite, reference, task)
    told = suite if task.classes else tell_labels(frames, suite, labels, task)
    compared, examined = compare(section, reference, task), examine(section, task)
    tables = [*dataset_tables(frames, labels, task), *examined.tables, *compared.tables]
    judged = audit(tables, told, labels)
    write_documents(judged, DOCUMENTS)
    found = findings(judged, frames, labels, from_where)
    found["tables"] = examined.records | compared.records
    stop_unless_met(judged, found)
    expected = [entry for entry in suite if entry.table in {table.name for table in tables}]
    write_json(APPROVED, approval(frames, suite_hash(expected, labels), task))
    return found


@dataclass(frozen=True)
class Measured:
    """Tables to judge, and records for the report, by name."""

    tables: list[Table]
    records: dict[str, list[dict[str, Any]]]


def dataset_tables(
    frames: Mapping[str, pd.DataFrame], labels: Sequence[str], task: Task
) -> list[Table]:
    """Rows and classes of each split, and what became of the rows of each file.

    Of tasks that are more than a choice of one class there is a table of the tasks, too.
    """
    why = without_classes(task)
    classes = {name: class_frame(frames, name, labels, task) for name in SPLITS}
    tasks = {} if task.classes else {name: task_frame(frames, name, task) for name in SPLITS}
    return [
        *(Table("rows", frames[name], name, why, split_path(name)) for name in SPLITS),
        *(Table("classes", frame, name, why) for name, frame in classes.items()),
        *(Table("tasks", frame, name) for name, frame in tasks.items()),
        Table("intake", intake_frame(read_json(INTAKE))),
    ]


def compare(section: Validate, reference: Mapping[str, Any], task: Task) -> Measured:
    """The data against those of the version in production, and its answers against new labels.

    What they are like is left for the next version to be compared with.
    """
    portrait = portrait_of([split_path(name) for name in SPLITS], newest_of(reference), task)
    vectors = embedded(portrait, section.sample)
    write_json(PROFILE, profile_of(portrait, vectors, task))
    found = {
        "drift": drift_table(portrait, vectors, reference, task),
        "agreement": agreement_table(portrait.latest, reference, task=task),
    }
    return Measured(
        [Table(name, one.table, notes=one.not_judged) for name, one in found.items()],
        {name: shown(one.table.tail(SHOWN_RECORDS)) for name, one in found.items()},
    )


def examine(section: Validate, task: Task) -> Measured:
    """What repeats, what gives a label away; which labels are likely wrong, each one listed."""
    repetition, giveaways = repetition_table(), giveaways_table(task=task)
    suspects = suspects_of(section.label_errors, task)
    write_suspects(SUSPECTS, suspects.rows)
    return Measured(
        [
            Table("repetition", repetition.table, notes=repetition.not_judged),
            Table("giveaways", giveaways.table, notes=giveaways.not_judged),
            Table("suspects", suspects.table, notes=suspects.not_judged),
        ],
        {
            "repetition": shown(repetition.table),
            "pairs": [plain(pair) for pair in repetition.pairs[:SHOWN_RECORDS]],
            "giveaways": shown(giveaways.table),
            "suspects": suspects.records(),
        },
    )


def suspects_of(most: int, task: Task) -> Suspects:
    """Of that many training examples, those whose label is likely wrong."""
    if most:
        return suspects_table(most, task=task)
    return Suspects(pd.DataFrame(), [], ("validate.label_errors is 0: no label was looked at",))


def shown(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table's first records as plain JSON, texts cut."""
    return [plain(record) for record in table.head(SHOWN_RECORDS).to_dict("records")]


def known_labels(
    suite: Sequence[Entry], reference: Mapping[str, Any], task: Task
) -> tuple[list[str], str]:
    """The classes, and what names them: expectations.yaml, the last release, or train itself.

    A task whose labels are numbers has none, and a release of another kind of task names none.
    """
    if all(head.numeric for head in task.members().values()):
        return [], "train"
    own = next((entry.values for entry in suite if entry.name == "known labels"), None)
    if isinstance(own, list):
        return sorted(map(str, own)), str(EXPECTATIONS)
    if reference["labels"] is not None and reference.get("task", task.kind) == task.kind:
        return sorted(reference["labels"]), "snapshot.reference"
    return sorted(task.labels), "train"


def approval(frames: Mapping[str, pd.DataFrame], suite: str, task: Task) -> dict[str, Any]:
    """What passed, by content, and the task it teaches: `finetune` trains on exactly this."""
    return {
        "splits": {
            name: {"sha256": sha256(split_path(name)), "rows": len(frames[name])} for name in SPLITS
        },
        "labels": list(task.labels),
        "suite": suite,
        "task": task.describe(),
    }


def findings(
    judged: Sequence[Judged],
    frames: Mapping[str, pd.DataFrame],
    labels: Sequence[str],
    from_where: str,
) -> dict[str, Any]:
    """Everything the report page shows of the validation."""
    verdicts = [verdict(one) for one in judged]
    return {
        "metrics": {
            "expectations": len(judged),
            "met": verdicts.count("met"),
            "warned": verdicts.count("warned"),
            "not_judged": verdicts.count("not judged"),
            **{name: len(frame) for name, frame in frames.items()},
        },
        "labels": labels,
        "labels_from": from_where,
        "expectations": [one.outcome() for one in judged],
    }


def stop_unless_met(judged: Sequence[Judged], found: dict[str, Any]) -> None:
    """Raise BadInput that names each expectation not met, with some of the records."""
    failed = [one for one in judged if one.stops]
    if failed:
        head = f"{len(failed)} of {len(judged)} expectations are not met (see {DOCUMENTS}):"
        raise BadInput("\n".join([head, *explained(failed)]), found)


if __name__ == "__main__":
    run_stage("validate", Validate, validate)
