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
from tasks.handover.graph import read_graph

NEW_DATA = Asset("nightshift://data")
"""An update of it says "there is new data, look now"."""
NIGHT = CronTriggerTimetable("0 2 * * *", timezone="UTC", run_immediately=timedelta(0))
ON_BIG_MACHINES = {"finetune", "prune"}
BIG: dict[str, Any] = {
    "queue": "train",
    "pool": "nightshift_train",
    "execution_timeout": timedelta(hours=10),
}
SMALL: dict[str, Any] = {
    "queue": "cpu",
    "pool": "nightshift_cpu",
    "execution_timeout": timedelta(hours=3),
}
TIME_TO_APPROVE = timedelta(hours=20)
"""Shorter than a day: a question that nobody answers must not hold up the next night."""

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
    graph = read_graph(ROOT)
    prepare = PrepareOperator(task_id="prepare", arguments=["prepare"], **SMALL)
    stages = {
        name: NightshiftOperator(
            task_id=name,
            arguments=["stage", name],
            doc_md=stage.description,
            **(BIG if name in ON_BIG_MACHINES else SMALL),
        )
        for name, stage in graph.stages.items()
    }
    gate = GateOperator(task_id="gate", arguments=["gate"], **SMALL)
    publish, promote, announce, cleanup = (
        NightshiftOperator(task_id=name, arguments=[name], **SMALL)
        for name in ("publish", "promote", "announce", "cleanup")
    )
    approve = ApproveOperator(
        task_id="approve",
        subject="Promote what was published?",
        defaults=ApproveOperator.REJECT,
        response_timeout=TIME_TO_APPROVE,
        queue="cpu",
        pool="nightshift_cpu",
    )

    for before, after in sorted(graph.edges()):
        stages[before] >> stages[after]
    for stage in stages.values():
        if not stage.upstream_list:
            prepare >> stage
        if not stage.downstream_list:
            stage >> gate
    gate >> publish >> approve >> promote >> announce >> cleanup
    for task in (announce, cleanup):
        task.as_teardown(setups=prepare)
