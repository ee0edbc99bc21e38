"""What every task may take: `infra/resources.yaml`, typed and checked."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from tasks.params.base import read
from tasks.stage.errors import BadInput

FILE = Path("infra/resources.yaml")

Account = Literal["worker", "publisher", "housekeeper"]
"""What a task may do to the store: a worker writes what a run makes, a publisher `registry/`; a
housekeeper removes what need not be kept."""


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Toleration(_Row):
    """Lets a pod onto machines that are kept for its kind, in the API's own words."""

    key: str
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class Queue(_Row):
    """A kind of machine, and what its tasks may do to the store."""

    pool: str
    account: Account
    accelerator: str | None = None
    node_selector: dict[str, str] = {}
    tolerations: list[Toleration] = []


class Size(_Row):
    """Cores, GiB of memory and of disk."""

    cpu: Annotated[int, Field(gt=0)]
    memory: Annotated[int, Field(gt=0)]
    scratch: Annotated[int, Field(gt=0)]

    @property
    def amounts(self) -> dict[str, str]:
        """The same in the words of the Kubernetes API."""
        return {
            "cpu": str(self.cpu),
            "memory": f"{self.memory}Gi",
            "ephemeral-storage": f"{self.scratch}Gi",
        }


class Task(Size):
    """What one task may take: a size, devices, hours."""

    queue: str
    gpu: Annotated[int, Field(ge=0)]
    hours: Annotated[int, Field(gt=0)]

    def amounts_on(self, queue: Queue) -> dict[str, str]:
        """Its amounts with its devices, which are the queue's."""
        devices = {queue.accelerator: str(self.gpu)} if queue.accelerator and self.gpu else {}
        return {**self.amounts, **devices}

    @property
    def time(self) -> timedelta:
        """How long it may take."""
        return timedelta(hours=self.hours)


class Table(_Row):
    """The whole file: slots by pool, queues by name, the launcher, tasks by DAG and name."""

    pools: dict[str, Annotated[int, Field(gt=0)]]
    queues: dict[str, Queue]
    launcher: Size
    dags: dict[str, dict[str, Task]]

    def task(self, dag: str, name: str) -> Task:
        """One task of a DAG; raises BadInput where there is none."""
        try:
            return self.dags[dag][name]
        except KeyError:
            raise BadInput(f"{FILE}: dags.{dag}.{name} is missing: say what it may take") from None

    def tasks(self, dag: str, names: Collection[str]) -> dict[str, Task]:
        """The tasks of a DAG that has just those `names`; raises BadInput where they differ."""
        found = self.dags.get(dag, {})
        for name in names:
            self.task(dag, name)
        for name in found:
            if name not in names:
                raise BadInput(f"{FILE}: dags.{dag}.{name}: no such task; {', '.join(names)} are")
        return dict(found)

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        for name, queue in self.queues.items():
            if queue.pool not in self.pools:
                raise ValueError(f"queues.{name}.pool: no pool {queue.pool!r} in pools")
        for dag, tasks in self.dags.items():
            for name, task in tasks.items():
                place = f"dags.{dag}.{name}"
                if task.queue not in self.queues:
                    raise ValueError(f"{place}.queue: no queue {task.queue!r} in queues")
                if task.gpu and not self.queues[task.queue].accelerator:
                    raise ValueError(f"{place}.gpu: queue {task.queue} names no accelerator")
        return self


def read_table(root: Path) -> Table:
    """The table of the project in `root`; raises BadInput, a line a problem, naming the key."""
    try:
        return Table.model_validate(read(root / FILE))
    except ValidationError as error:
        lines = [f"{FILE}: {_told(problem)}" for problem in error.errors()]
        raise BadInput("\n".join(lines)) from None


def _told(problem: ErrorDetails) -> str:
    if problem["type"] == "extra_forbidden":
        problem = {**problem, "msg": "unknown key"}
    said = problem["msg"].removeprefix("Value error, ")
    return ": ".join(filter(None, (".".join(map(str, problem["loc"])), said)))
