"""Where the tasks of a DAG run and what they may take, by `infra/resources.yaml`."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from typing import Any

from dags.pods import launcher, on_kubernetes, pod
from tasks.handover.resources import read_table


class Places:
    """The rows of one DAG, as arguments of its operators.

    Raises BadInput when the table lacks one of the tasks `names`, or has another one.
    """

    def __init__(self, root: Path, dag: str, names: Collection[str]) -> None:
        self._table = read_table(root)
        self._tasks = self._table.tasks(dag, names)

    def time(self, name: str) -> timedelta:
        """How long a task may take."""
        return self._tasks[name].time

    def place(self, name: str) -> dict[str, Any]:
        """A task's name, queue, pool and, on Kubernetes, pod."""
        task = self._tasks[name]
        queue = self._table.queues[task.queue]
        return {
            "task_id": name,
            "queue": task.queue,
            "pool": queue.pool,
            "executor_config": {"pod_override": pod(task, queue)} if on_kubernetes() else {},
        }

    def task(self, name: str) -> dict[str, Any]:
        """The same of a task that is ended when its time is over."""
        return {**self.place(name), "execution_timeout": self.time(name)}

    def launcher(self, name: str) -> dict[str, Any]:
        """The same of a task that is done by a TrainJob, and itself only waits for it."""
        pods = {"pod_override": launcher(self._table.launcher)} if on_kubernetes() else {}
        return {**self.task(name), "executor_config": pods}
