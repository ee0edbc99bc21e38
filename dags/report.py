"""Where a run's report is to be seen."""

from __future__ import annotations

from urllib.parse import quote

from airflow.sdk import BaseOperatorLink
from airflow.sdk.types import TaskInstanceKey

PREFIX = "/nightshift"
"""Below which Airflow's own server serves the reports (infra/airflow/plugins)."""


def report_path(dag_id: str, run_id: str) -> str:
    """The path of a run's report page on Airflow's server."""
    return f"{PREFIX}/dags/{dag_id}/runs/{quote(run_id, safe='')}/reports/index.html"


class ReportLink(BaseOperatorLink):
    """The button "Report" on every task."""

    name = "Report"

    def get_link(self, operator: object, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002
        """The report of the run that the task is part of."""
        return report_path(ti_key.dag_id, ti_key.run_id)
