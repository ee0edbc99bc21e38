"""What the store need not keep goes, and an old version is brought back to see that it can be.

`expire` removes old runs, `gc` what nothing needs any more, `drill` measures an old version again:
last, so that it would find out what the others had taken away. Each is one `nightshift` command
that works by hand too; docs/housekeeping.md says why nothing in use can go.

It is paused until a person switches it on: look first at what a dry run says (trigger it with
*apply* off, or `nightshift expire` and `nightshift gc`). Where `NIGHTSHIFT_MODELS` names several
models, each has a DAG of this kind for its part of the store.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import DAG, CronTriggerTimetable, Param

from dags.form import changes
from dags.notify import Notify
from dags.operators import ROOT, NightshiftOperator
from dags.places import Places
from dags.several import form_of, wanted
from tasks.handover.models import Model
from tasks.params.knobs import HOUSEKEEPING

if TYPE_CHECKING:
    from airflow.sdk import Context

DAG_ID = "weekly_housekeeping"
WEEK = CronTriggerTimetable("0 14 * * 0", timezone="UTC", run_immediately=timedelta(0))
"""Sunday afternoon: far from the nights, though a night at work would do it no harm."""
APPLY = Param(
    True,
    schema={"title": "apply", "type": "boolean", "description_md": "off: only say what would go"},
)


class HousekeepingOperator(NightshiftOperator):
    """A command that belongs to no run, with what was filled in for this time."""

    operator_extra_links = ()

    def _arguments(self, context: Context) -> list[str]:
        conf = {key: value for key, value in context["params"].items() if key != "apply"}
        settings = [part for change in changes(conf, ROOT) for part in ("--set", change)]
        return [*self.arguments, *settings]


class RemovalOperator(HousekeepingOperator):
    """One that removes things, unless *apply* is off."""

    def _arguments(self, context: Context) -> list[str]:
        return [*super()._arguments(context), *(["--apply"] if context["params"]["apply"] else [])]


PLACES = Places(ROOT, DAG_ID, ["expire", "gc", "drill"])


def weekly(model: Model) -> DAG:
    """The DAG of one model's store, with the knobs of its `params.yaml`."""
    with DAG(
        dag_id=model.dag_id(DAG_ID),
        description="Remove what need not be kept; bring an old version back and measure it.",
        doc_md=__doc__,
        schedule=WEEK,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=True,
        dagrun_timeout=timedelta(hours=12),
        params={"apply": APPLY, **form_of(model, HOUSEKEEPING)},
        default_args={
            "owner": "nightshift",
            "model": model,
            "retries": 3,
            "retry_delay": timedelta(minutes=5),
            "retry_exponential_backoff": 2,
            "max_retry_delay": timedelta(hours=1),
        },
        on_failure_callback=Notify(),
        tags=["nightshift"],
    ) as dag:
        expire, gc = (
            RemovalOperator(arguments=[name], **PLACES.task(name)) for name in ("expire", "gc")
        )
        drill = HousekeepingOperator(arguments=["drill"], **PLACES.task("drill"))
        expire >> gc >> drill
    return dag


for model in wanted(DAG_ID):
    dag = weekly(model)
