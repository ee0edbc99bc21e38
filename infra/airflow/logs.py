"""Logs of tasks in the store, where Airflow's page finds them wherever a task has run.

`AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS=infra.airflow.logs.CONFIG` switches it on, for the page and
for whatever runs tasks. A log is sent when its attempt has ended; what `expire` of the weekly
housekeeping removes is what is older than `housekeeping.keep_days`.
"""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path
from typing import Any

from airflow.config_templates.airflow_local_settings import DEFAULT_LOGGING_CONFIG as CONFIG
from airflow.configuration import conf

from tasks.housekeeping.retention import LOGS
from tasks.stage.errors import StageError
from tasks.store.store import Store, open_store

__all__ = ["CONFIG", "REMOTE_TASK_LOG", "LogsInStore"]

SECONDS_OF_PATIENCE = 30.0
"""A page must not wait longer for a store that is away, nor a worker for its next task."""


class LogsInStore:
    """What Airflow asks of a place for logs (`airflow.logging.remote.RemoteLogIO`).

    Paths are relative, as Airflow names them: `dag_id=…/run_id=…/task_id=…/attempt=1.log`. Where a
    store can't be reached Airflow says so, in the task's own log or on the page.
    """

    processors: tuple[Any, ...] = ()

    def upload(self, path: str | PathLike[str], ti: Any = None) -> None:  # noqa: ARG002
        """Send a log that lies below `[logging] base_log_folder`; one that is not there is none."""
        name = fspath(path)
        file = Path(conf.get_mandatory_value("logging", "base_log_folder")) / name
        if file.is_file():
            _store().upload(file, f"{LOGS}{name}")

    def read(
        self,
        relative_path: str,
        ti: Any = None,  # noqa: ARG002
    ) -> tuple[list[str], list[str]]:
        """Where an attempt's logs were found, and their content."""
        try:
            store = _store()
            keys = store.keys(f"{LOGS}{relative_path}")
            found = [each for each in map(store.read, keys) if each is not None]
        except StageError as error:
            return [f"the store has no answer: {error}"], []
        places = [f"{store.url}/{key}" for key in keys]
        return places, [each.content.decode(errors="replace") for each in found]


def _store() -> Store:
    return open_store(patience=SECONDS_OF_PATIENCE)


REMOTE_TASK_LOG = LogsInStore()
