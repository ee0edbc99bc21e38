"""What the store need not keep goes, and an old version is brought back to see that it can be.

`expire` removes old runs, `gc` what nothing needs any more, `drill` measures an old version again:
last, so that it would find out what the others had taken away. Each is one `nightshift` command
that works by hand too; docs/housekeeping.md says why nothing in use can go.

It is paused until a person switches it on: look first at what a dry run says (trigger it with
*apply* off, or `nightshift expire` and `nightshift gc`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import DAG, CronTriggerTimetable, Param

from dags.form import changes, form
from dags.notify import Notify
from dags.operators import ROOT, NightshiftOperator
from dags.places import Places
from tasks.params.knobs import HOUSEKEEPING

if TYPE_CHECKING:
    from airflow.sdk import Context

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


PLACES = Places(ROOT, "weekly_housekeeping", ["expire", "gc", "drill"])

with DAG(
    dag_id="weekly_housekeeping",
    description="Remove what the store need not keep; bring an old version back and measure it.",
    doc_md=__doc__,
    schedule=WEEK,
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    dagrun_timeout=timedelta(hours=12),
    params={"apply": APPLY, **form(ROOT, HOUSEKEEPING)},
    default_args={
        "owner": "nightshift",
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
