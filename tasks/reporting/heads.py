"""Several tasks, each with its own figure: the release beside what one would do otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.reporting.evidence import Evidence, mapping, records
from tasks.reporting.measured import contenders
from tasks.reporting.yardstick import Yardstick, other, task_in, yardstick_of
from tasks.task import MultiTask, Task

Score = Mapping[str, Any]


@dataclass(frozen=True)
class Head:
    """One of several tasks, as it came out on the test split."""

    name: str
    kind: str
    by: Yardstick
    baseline: Score
    release: Score
    simple: Score
    """Of the better of the simple models."""
    further: list[tuple[Yardstick, Any]]
    """The release by the task's other metrics."""


def heads(evidence: Evidence) -> list[Head]:
    """Each task's figures, in the order of their names; empty where there is one task alone."""
    report = evidence.stages["benchmark"].report
    task = task_in(evidence, report)
    found = contenders(evidence)
    chosen = next((each for each in found if each.kind == "chosen"), None)
    if not isinstance(task, MultiTask) or chosen is None:
        return []
    honest = [mapping(row.get("test")) for row in records(report.get("honest"))]
    baseline, release = (mapping(each.row.get("test")) for each in (found[0], chosen))
    return [
        _head(name, each, baseline, release, honest)
        for name, each in task.heads.items()
        if _own(release, name)
    ]


def further(report: Mapping[str, Any], task: Task) -> list[Yardstick]:
    """The other metrics of a task's scores, a column each; those of several tasks have a table."""
    if isinstance(task, MultiTask):
        return []
    rows = records(report.get("contenders")) or [mapping(report.get("candidate"))]
    first = mapping(rows[0].get("test")) or rows[0]
    return [other(task, name) for name in mapping(first.get("others")) if name != task.metric]


def _head(name: str, task: Task, baseline: Score, release: Score, honest: list[Any]) -> Head:
    own = _own(release, name)
    simple = [score for each in honest if (score := _own(each, name))]
    return Head(
        name=name,
        kind=task.kind,
        by=yardstick_of(task),
        baseline=_own(baseline, name),
        release=own,
        simple=max(simple, key=lambda score: float(score.get("figure") or 0), default={}),
        further=[
            (other(task, key), value)
            for key, value in mapping(own.get("others")).items()
            if key != task.metric
        ],
    )


def _own(score: Score, name: str) -> dict[str, Any]:
    return mapping(mapping(score.get("heads")).get(name))
