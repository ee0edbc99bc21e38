"""The tasks of a night as the DAG has them, without Airflow: what comes after what, and where.

Read from `dvc.yaml` and `infra/resources.yaml`, as the DAG is; a test holds it against that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from tasks.handover.graph import read_graph
from tasks.handover.resources import read_table

DAG = "nightly_retraining"
AFTER = ("gate", "publish", "approve", "promote", "announce", "cleanup")
"""What follows the graph, one after the other."""
SHIPPING = ("publish", "approve", "promote")
"""What is skipped when the gate refuses."""
WHATEVER_HAPPENED = ("announce", "cleanup")


@dataclass(frozen=True)
class Step:
    """A task: where it runs, what it waits for, and which of two that wait goes first."""

    name: str
    queue: str
    pool: str
    after: tuple[str, ...]
    weight: int
    """Airflow's `upstream` rule: itself and all tasks before it; the highest goes first."""


def begun_first(plan: Mapping[str, Step]) -> dict[str, Step]:
    """The same under Airflow's own rule, `downstream`: itself and all tasks after it."""
    after: dict[str, set[str]] = {name: set() for name in plan}
    for step in reversed(list(plan.values())):
        for before in step.after:
            after[before] |= {step.name} | after[step.name]
    return {name: replace(step, weight=1 + len(after[name])) for name, step in plan.items()}


def steps(root: Path) -> dict[str, Step]:
    """The tasks by name, in an order in which they could run."""
    graph, table = read_graph(root), read_table(root)
    after = {name: tuple(graph.before(name)) or ("prepare",) for name in graph.stages}
    last = tuple(name for name in graph.stages if not any(name in each for each in after.values()))
    after = {"prepare": (), **after, AFTER[0]: last}
    after |= {name: (before,) for before, name in pairwise(AFTER)}
    places = table.tasks(DAG, after)
    upstream: dict[str, set[str]] = {}
    for name, before in after.items():
        upstream[name] = set(before).union(*(upstream[each] for each in before))
    return {
        name: Step(
            name=name,
            queue=places[name].queue,
            pool=table.queues[places[name].queue].pool,
            after=before,
            weight=1 + len(upstream[name]),
        )
        for name, before in after.items()
    }
