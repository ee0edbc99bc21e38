"""The graph as a Kubeflow pipeline: the stages and edges of `dvc.yaml`, a pod for each.

A pod runs one `nightshift` command, as a task of the DAG does; what it may take stands in
`infra/resources.yaml`, as for all. Kubeflow's own caching is off: DVC knows better what has
changed. Needs Kubeflow's SDK (the extra `kubeflow`), whose dependencies are older than ours: it
wants an environment of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

from tasks.handover.graph import Graph, read_graph
from tasks.handover.resources import Queue, Table, Task, read_table
from tasks.kubeflow.step import step
from tasks.params.knobs import Knob, as_yaml, knobs
from tasks.stage.errors import BadInput

DAG = "nightly_retraining"
"""Whose rows of the table of resources hold."""
AROUND = ("prepare", "gate", "publish", "approve", "promote", "announce", "cleanup")
TYPES: dict[str, type] = {"string": str, "integer": int, "number": float, "boolean": bool}
KIND = Parameter.POSITIONAL_OR_KEYWORD
RETRIES = 2
"""Of a pod that is lost; what may pass is tried again inside it."""


def write_pipeline(root: Path, image: str, store: str, target: Path) -> None:
    """Compile the project in `root` to the pipeline file `target`, YAML as Kubeflow takes it.

    `image` is the one that holds the stages; `store` the default of the pipeline's parameter.
    Raises BadInput when the SDK is not there, or the table lacks a task.
    """
    dsl, compiler = _sdk()
    graph, table = read_graph(root), read_table(root)
    tasks = table.tasks(DAG, [*graph.stages, *AROUND])
    component = dsl.component(step, base_image=image, install_kfp_package=False)
    plan = _Plan(dsl, component, graph, table, tasks)
    found = _pipeline(plan, list(knobs(root)), store)
    compiler.Compiler().compile(found, str(target))


def _sdk() -> tuple[Any, Any]:
    try:
        from kfp import compiler, dsl
    except ImportError as error:
        raise BadInput(
            f"Kubeflow's SDK is not here ({error}): install nightshift[kubeflow] in an environment "
            "of its own"
        ) from None
    return dsl, compiler


@dataclass(frozen=True)
class _Plan:
    """Makes the tasks, while a pipeline is traced."""

    dsl: Any
    component: Any
    graph: Graph
    table: Table
    tasks: dict[str, Task]

    def task(
        self, name: str, run: str, store: Any, after: Iterable[Any] = (), settings: str = "",
        types: Mapping[str, str] = {},
    ) -> Any:  # fmt: skip
        """A pod for one command; a stage's is `stage NAME`."""
        command = ["stage", name] if name in self.graph.stages else [name]
        made = self.component(
            command=command, run=run, store=store, settings=settings, types=dict(types)
        )
        made.set_display_name(name).set_caching_options(False).set_retry(RETRIES, "60s", 2.0)
        row = self.tasks[name]
        _give(made, row, self.table.queues[row.queue])
        return made.after(*after)


def _give(made: Any, task: Task, queue: Queue) -> None:
    """What the table says: requests are limits, as on Airflow's pods."""
    from kfp import kubernetes

    made.set_cpu_request(str(task.cpu)).set_cpu_limit(str(task.cpu))
    made.set_memory_request(f"{task.memory}Gi").set_memory_limit(f"{task.memory}Gi")
    if task.gpu and queue.accelerator:
        made.set_accelerator_type(queue.accelerator).set_accelerator_limit(task.gpu)
    kubernetes.set_timeout(made, 3600 * task.hours)
    for key, value in queue.node_selector.items():
        kubernetes.add_node_selector(made, key, value)
    for each in queue.tolerations:
        kubernetes.add_toleration(made, **each.model_dump(exclude_none=True))


def _pipeline(plan: _Plan, fields: list[Knob], store: str) -> Any:
    """The pipeline, with an input a parameter of `params.yaml` and `store`."""
    dsl = plan.dsl
    types = {knob.key: _type(knob) for knob in fields}

    def nightly_retraining(store: Any, *values: Any) -> None:
        run = f"kubeflow-{dsl.PIPELINE_JOB_ID_PLACEHOLDER}"
        settings = "\n".join(
            f"{knob.key}={value}" for knob, value in zip(fields, values, strict=True)
        )
        with dsl.ExitHandler(plan.task("announce", run, store)):
            began = plan.task("prepare", run, store, settings=settings, types=types)
            done: dict[str, Any] = {}
            for name in plan.graph.stages:
                before = [done[each] for each in plan.graph.before(name)] or [began]
                done[name] = plan.task(name, run, store, before)
            judged = plan.task("gate", run, store, list(done.values()))
            with dsl.If(judged.output == "blessed"):
                published = plan.task("publish", run, store)
                with dsl.If(began.output == "auto"):
                    plan.task("promote", run, store, [published])

    inputs = [_input(knob) for knob in fields]
    place = Parameter("store", KIND, default=store, annotation=str)
    nightly_retraining.__signature__ = Signature([place, *inputs])  # type: ignore[attr-defined]
    return dsl.pipeline(name="nightly-retraining", description=__doc__)(nightly_retraining)


def _type(knob: Knob) -> str:
    """How `step` is to read the text that Kubeflow makes of a value."""
    if "string" in knob.types:
        return "text"
    return "integer" if knob.types == ["integer"] else "other"


def _input(knob: Knob) -> Parameter:
    """An input of the parameter's type; one that may be null is text, and empty for null."""
    kind = str if "null" in knob.types else TYPES[knob.types[0]]
    default = knob.value
    if kind is str and not isinstance(default, str):
        default = "" if default is None else as_yaml(default)
    name = knob.key.replace(".", "_")
    return Parameter(name, KIND, default=default, annotation=kind)
