"""Retrain, compress, judge and publish: every night, and whenever there is new data.

The stages and their edges are those of `dvc.yaml`; each task runs one `nightshift` command, which
works anywhere that reaches the store. What a run did is on the tab **Report** of its page.

Triggered by hand, the form shows every knob of `params.yaml` with its present value; what is
changed there holds for that run only and is kept with it.

Where `NIGHTSHIFT_MODELS` names several models, each has such a DAG: `nightly_retraining-NAME`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, CronTriggerTimetable

from dags.notify import Notify
from dags.operators import (
    ROOT,
    ApproveOperator,
    GateOperator,
    NightshiftOperator,
    PrepareOperator,
)
from dags.places import Places
from dags.several import form_of, wanted
from dags.trainer import by_train_job
from tasks.handover.graph import read_graph
from tasks.handover.models import Model
from tasks.params.base import PARAMS, load_section
from tasks.params.finetune import Finetune

DAG_ID = "nightly_retraining"
NEW_DATA = "nightshift://data"
"""The asset whose update says "there is new data, look now"; of several models `…/NAME`."""
NIGHT = CronTriggerTimetable("0 2 * * *", timezone="UTC", run_immediately=timedelta(0))
GRAPH = read_graph(ROOT)
AROUND = ("prepare", "gate", "publish", "approve", "promote", "announce", "cleanup")
"""The tasks that are no stages."""
PLACES = Places(ROOT, DAG_ID, [*GRAPH.stages, *AROUND])


def nightly(model: Model) -> DAG:
    """The DAG of one model, with the knobs of its `params.yaml`."""
    data = Asset("/".join(filter(None, (NEW_DATA, model.name))))
    with DAG(
        dag_id=model.dag_id(DAG_ID),
        description="Retrain, compress, judge and publish, every night and on new data.",
        doc_md=__doc__,
        schedule=AssetOrTimeSchedule(timetable=NIGHT, assets=[data]),
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,  # nothing runs before 02:00: no start date, see NIGHT
        dagrun_timeout=timedelta(hours=23),
        default_args={
            "owner": "nightshift",
            "model": model,
            "weight_rule": "upstream",  # many models: finish what was begun before beginning more
            "retries": 3,
            "retry_delay": timedelta(seconds=30),
            "retry_exponential_backoff": 2,
            "max_retry_delay": timedelta(minutes=15),
        },
        on_success_callback=Notify(),
        on_failure_callback=Notify(),
        tags=["nightshift"],
    ) as dag:
        fields = form_of(model)
        hosts = load_section(Finetune, model.folder / PARAMS).hosts if fields else 1
        # a TrainJob's pods know one store, and its name the run's id, which models share
        _tasks(hosts, train_job=model.name is None and by_train_job(hosts))
        # after the tasks, each of which would keep a copy: 14 times the form, in every DAG
        dag.params.update(fields)
    return dag


def _work(name: str, hosts: int, train_job: bool) -> dict[str, Any]:
    """A stage's command, and where it runs."""
    if train_job and name == "finetune":
        return {
            "arguments": ["trainjob", name, "--hosts", str(hosts)],
            **PLACES.launcher(name),
        }
    return {"arguments": ["stage", name], **PLACES.task(name)}


def _tasks(hosts: int, train_job: bool) -> None:
    """Every task and what comes after what. `hosts` machines train together: each has a task of
    its own, or all are one TrainJob."""
    prepare = PrepareOperator(hosts=hosts, arguments=["prepare"], **PLACES.task("prepare"))
    stages = {
        name: NightshiftOperator(doc_md=stage.description, **_work(name, hosts, train_job))
        for name, stage in GRAPH.stages.items()
    }
    others = [
        NightshiftOperator(
            arguments=["stage", "finetune", "--host", str(number)],
            **{**PLACES.task("finetune"), "task_id": f"finetune_host_{number}"},
        )
        for number in range(1, 1 if train_job else hosts)
    ]
    gate = GateOperator(arguments=["gate"], **PLACES.task("gate"))
    publish, promote, announce, cleanup = (
        NightshiftOperator(arguments=[name], **PLACES.task(name))
        for name in ("publish", "promote", "announce", "cleanup")
    )
    approve = ApproveOperator(
        subject="Promote what was published?",
        defaults=ApproveOperator.REJECT,
        response_timeout=PLACES.time("approve"),
        **PLACES.place("approve"),
    )

    for before, after in sorted(GRAPH.edges()):
        stages[before] >> [stages[after], *(others if after == "finetune" else [])]
    for stage in stages.values():
        if not stage.upstream_list:
            prepare >> stage
        if not stage.downstream_list:
            stage >> gate
    gate >> publish >> approve >> promote >> announce >> cleanup
    for last in (announce, cleanup):
        last.as_teardown(setups=prepare)


for model in wanted(DAG_ID):
    dag = nightly(model)
