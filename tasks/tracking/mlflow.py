"""MLflow, through the REST API of its tracking server, which needs no package.

https://mlflow.org/docs/latest/rest-api.html. Name, password and token come from the environment
variables that MLflow itself reads.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from tasks.tracking.backend import Opening

SECONDS_TO_CONNECT, SECONDS_TO_ANSWER = 3.0, 10.0
PARAMETERS_AT_ONCE = 100  # the API's limit


class MLflow:
    """A run of the experiment that is called like the model."""

    def __init__(self, opening: Opening, known: str | None) -> None:
        self._address = opening.target.rstrip("/")
        self._session = _session()
        self.run = known or self._create(opening)

    def _create(self, opening: Opening) -> str:
        found = self._call(
            "runs/create",
            experiment_id=self._experiment(opening.project),
            run_name=opening.name,
            start_time=_now(),
            tags=[{"key": "stage", "value": opening.stage}],
        )
        run = str(found["run"]["info"]["run_id"])
        said = [{"key": key, "value": value} for key, value in opening.parameters.items()]
        for at in range(0, len(said), PARAMETERS_AT_ONCE):
            self._call("runs/log-batch", run_id=run, params=said[at : at + PARAMETERS_AT_ONCE])
        return run

    def _experiment(self, name: str) -> str:
        answer = self._session.get(
            f"{self._address}/api/2.0/mlflow/experiments/get-by-name",
            params={"experiment_name": name},
            timeout=(SECONDS_TO_CONNECT, SECONDS_TO_ANSWER),
        )
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return str(self._call("experiments/create", name=name)["experiment_id"])
        answer.raise_for_status()
        return str(answer.json()["experiment"]["experiment_id"])

    def log(self, step: int, values: Mapping[str, float]) -> None:
        now = _now()
        metrics = [
            {"key": name, "value": value, "timestamp": now, "step": step}
            for name, value in values.items()
        ]
        self._call("runs/log-batch", run_id=self.run, metrics=metrics)

    def close(self, ended: bool, /) -> None:
        if ended:
            self._call("runs/update", run_id=self.run, status="FINISHED", end_time=_now())

    def _call(self, what: str, **content: Any) -> dict[str, Any]:
        answer = self._session.post(
            f"{self._address}/api/2.0/mlflow/{what}",
            json=content,
            timeout=(SECONDS_TO_CONNECT, SECONDS_TO_ANSWER),
        )
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


def _session() -> requests.Session:
    session = requests.Session()
    again = Retry(
        2, backoff_factor=0.5, status_forcelist=(429, 502, 503, 504), allowed_methods=None
    )
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=again))
    name = os.environ.get("MLFLOW_TRACKING_USERNAME")
    if name:
        session.auth = (name, os.environ.get("MLFLOW_TRACKING_PASSWORD", ""))
    elif token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
        session.headers["Authorization"] = f"Bearer {token}"
    return session


def _now() -> int:
    """Milliseconds since 1970."""
    return int(1000 * time.time())
