"""Retrain, compress, judge and publish: every night, and whenever there is new data.

The stages and their edges are those of `dvc.yaml`; each task runs one `nightshift` command, which
works anywhere that reaches the store. What a run did is on the tab **Report** of its page.

Triggered by hand, the form shows every knob of `params.yaml` with its present value; what is
changed there holds for that run only and is kept with it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, CronTriggerTimetable

from dags.form import form
from dags.notify import Notify
from dags.operators import (
    ROOT,
    ApproveOperator,
    GateOperator,
    NightshiftOperator,
    PrepareOperator,
)
from dags.places import Places
from dags.trainer import by_train_job
from tasks.handover.graph import read_graph
from tasks.params.base import PARAMS, load_section
from tasks.params.finetune import Finetune

NEW_DATA = Asset("nightshift://data")
"""An update of it says "there is new data, look now"."""
NIGHT = CronTriggerTimetable("0 2 * * *", timezone="UTC", run_immediately=timedelta(0))
GRAPH = read_graph(ROOT)
AROUND = ("prepare", "gate", "publish", "approve", "promote", "announce", "cleanup")
"""The tasks that are no stages."""
HOSTS = load_section(Finetune, ROOT / PARAMS).hosts
"""How many machines train together: each has a task of its own, or all are one TrainJob."""
TRAIN_JOB = by_train_job(HOSTS)
PLACES = Places(ROOT, "nightly_retraining", [*GRAPH.stages, *AROUND])


def work(name: str) -> dict[str, Any]:
    """A stage's command, and where it runs."""
    if TRAIN_JOB and name == "finetune":
        return {
            "arguments": ["trainjob", name, "--hosts", str(HOSTS)],
            **PLACES.launcher(name),
        }
    return {"arguments": ["stage", name], **PLACES.task(name)}


with DAG(
    dag_id="nightly_retraining",
    description="Retrain, compress, judge and publish, every night and on new data.",
    doc_md=__doc__,
    schedule=AssetOrTimeSchedule(timetable=NIGHT, assets=[NEW_DATA]),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,  # nothing runs before the next 02:00: no start date, see NIGHT
    dagrun_timeout=timedelta(hours=23),
    params=form(ROOT),
    default_args={
        "owner": "nightshift",
        "retries": 3,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=15),
    },
    on_success_callback=Notify(),
    on_failure_callback=Notify(),
    tags=["nightshift"],
) as dag:
    prepare = PrepareOperator(hosts=HOSTS, arguments=["prepare"], **PLACES.task("prepare"))
    stages = {
        name: NightshiftOperator(doc_md=stage.description, **work(name))
        for name, stage in GRAPH.stages.items()
    }
    others = [
        NightshiftOperator(
            arguments=["stage", "finetune", "--host", str(number)],
            **{**PLACES.task("finetune"), "task_id": f"finetune_host_{number}"},
        )
        for number in range(1, 1 if TRAIN_JOB else HOSTS)
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
