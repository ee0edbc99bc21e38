"""Kinds of task: what the graph can learn. A new kind is a class here and a line in KINDS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.stage.errors import BadInput
from tasks.task.answers import Pieces, Prediction
from tasks.task.base import Shaping, Task
from tasks.task.classification import Classification
from tasks.task.entities import Entities
from tasks.task.multi_label import MultiLabel
from tasks.task.multi_task import MultiTask
from tasks.task.regression import Regression

__all__ = [
    "KINDS", "Classification", "MultiTask", "Pieces", "Prediction", "Shaping", "Task", "task_of",
]  # fmt: skip

KINDS: dict[str, type[Task]] = {
    kind.kind: kind for kind in (Classification, MultiLabel, Regression, Entities)
}


def task_of(description: Mapping[str, Any], where: str = "task") -> Task:
    """The task that `Task.describe` described; raises BadInput naming what it does not know."""
    kind = description.get("kind")
    if kind == MultiTask.kind:
        heads = description["heads"].items()
        return MultiTask.of_heads({name: task_of(each, where) for name, each in heads})
    if kind not in KINDS:
        raise BadInput(f"{where}: kind: got {kind!r}; takes {', '.join([*KINDS, MultiTask.kind])}")
    content = {key: value for key, value in description.items() if key != "kind"}
    return KINDS[kind](**{**content, "labels": tuple(content.get("labels", ()))})
