"""A real Airflow for whatever test needs one, started as people start it, on a tiny project.

Its store is a bucket of the real S3 server; what is pinned in the project's `params.yaml` makes a
night take a minute.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from infra.airflow.rest import Answer, Rest
from infra.s3 import Server
from tasks.handover.names import run_slug
from tasks.handover.package import FILES
from tests.made import ROOT, environment, opinions, write_csv
from tests.s3 import settings
from tests.statsd import Ear, metrics_on
from tests.waiting import working_below

DAG = "dags/nightly_retraining"
BUCKET = "nights"
SECONDS_TO_START = 180
SECONDS_TO_STOP = 40
SECONDS_FOR_A_NIGHT = 1500
"""A quick machine takes two minutes, a slow one five; a task whose worker was lost is begun again
after as long as Airflow waits for a sign of life."""
SECONDS_FOR_A_STACK = 5
SMALL: dict[str, dict[str, Any]] = {
    "snapshot": {"reference": None},
    "ingest": {"text": "review", "label": "verdict"},
    "finetune": {"epochs": 4, "batch": 16, "learning_rate": 3e-3, "max_length": 32, "threads": 1},
    "prune": {"max_drop": 30, "max_levels": 1, "layers": 0.5, "epochs": 1, "threads": 1},
    "export": {"fusion": "attention", "threads": 1, "min_agreement": 0.5},
    "benchmark": {"max_drop": 50, "rounds": 2, "texts": 10, "threads": 1},
    "gate": {"rounds": 2, "texts": 10, "threads": 1, "max_slowdown": None},
}


@dataclass(frozen=True)
class Running:
    """An Airflow at work: its API, its log-in, its project, and the store as an S3 client."""

    rest: Rest
    password: str
    project: Path
    s3: Any
    sent: list[str]
    """Its own metrics, a line of StatsD each."""

    def trigger(self, run: str, **conf: Any) -> Answer:
        """Start a run by REST; dotted keys are given as `finetune__epochs`."""
        dotted = {key.replace("__", "."): value for key, value in conf.items()}
        body = {"logical_date": None, "dag_run_id": run, "conf": dotted}
        return self.rest.post(f"{DAG}/dagRuns", body)

    def state(self, run: str) -> str:
        """The run's state in Airflow's words."""
        return str(self.rest.get(f"{DAG}/dagRuns/{run}").content["state"])

    def wait(self, run: str, seconds: float = SECONDS_FOR_A_NIGHT) -> str:
        """The state in which it ended."""
        self._wait(run, lambda: self.state(run) in ("success", "failed"), seconds)
        return self.state(run)

    def wait_for(self, run: str, task: str, state: str) -> None:
        """Until the task is in that state."""
        self._wait(run, lambda: self.tasks(run)[task] == state, SECONDS_FOR_A_NIGHT)

    def _wait(self, run: str, come: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not come():
            if time.monotonic() > end:
                tasks = f"{run} is still {self.state(run)} after {seconds} s: {self.tasks(run)}"
                pytest.fail(f"{tasks}\n{self._where_it_stands()}")
            time.sleep(1)

    def _where_it_stands(self) -> str:
        """The end of the newest logs, in which every process has left its stacks: it is ended."""
        for process in working_below(self.project):
            process.send_signal(signal.SIGABRT)
        time.sleep(SECONDS_FOR_A_STACK)
        logs = (self.project / ".nightshift/airflow/logs").rglob("*.log")
        newest = sorted(logs, key=lambda log: log.stat().st_mtime)[-4:]
        return "\n".join(f"{log}:\n{log.read_text(errors='replace')[-6000:]}" for log in newest)

    def tasks(self, run: str) -> dict[str, str]:
        """Every task's state."""
        found = self.rest.get(f"{DAG}/dagRuns/{run}/taskInstances").content["task_instances"]
        return {task["task_id"]: task["state"] for task in found}

    def task(self, run: str, task: str) -> dict[str, Any]:
        """One task's own page."""
        found: dict[str, Any] = self.rest.get(f"{DAG}/dagRuns/{run}/taskInstances/{task}").content
        return found

    def result(self, run: str, task: str) -> dict[str, Any]:
        """What a task has left for others to read."""
        path = f"{DAG}/dagRuns/{run}/taskInstances/{task}/xcomEntries/return_value"
        found: dict[str, Any] = self.rest.get(path).content["value"]
        return found

    def log(self, run: str, task: str, attempt: int = 1) -> str:
        """A task's log."""
        path = f"{DAG}/dagRuns/{run}/taskInstances/{task}/logs/{attempt}"
        return str(self.rest.get(path).content)

    def read(self, key: str) -> Any:
        """A record of the store."""
        content = self.s3.get_object(Bucket=BUCKET, Key=f"store/{key}")["Body"].read()
        return yaml.safe_load(content)

    def of_run(self, run: str, path: str) -> Any:
        """A record of a run's folder in the store."""
        return self.read(f"runs/{run_slug(run)}/{path}")


@pytest.fixture(scope="session")
def airflow(
    s3_server: Server, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """Airflow on a tiny project, for all tests of a session."""
    folder = tmp_path_factory.mktemp("airflow")
    with started(folder, make_project(folder / "project", tiny_model), s3_server.endpoint) as found:
        yield found


@contextmanager
def started(
    folder: Path, project: Path, endpoint: str, patience: float = SECONDS_TO_START, **more: str
) -> Iterator[Running]:
    """Airflow as `make airflow` starts it, in `project`, its store in a new bucket at `endpoint`,
    `more` in its environment; stopped with SIGTERM, and nothing of it may be left."""
    aws = settings(endpoint, folder)
    s3 = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=aws["AWS_REGION"],
        aws_access_key_id=aws["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=aws["AWS_SECRET_ACCESS_KEY"],
    )
    s3.create_bucket(Bucket=BUCKET)
    variables = {name: value for name, value in environment().items() if "AIRFLOW" not in name}
    variables |= {**aws, "NIGHTSHIFT_STORE": f"s3://{BUCKET}/store", "OMP_NUM_THREADS": "1"}
    variables |= {"PYTHONPATH": str(project), "NIGHTSHIFT_CACHE": str(folder / "cache")}
    variables["PYTHONFAULTHANDLER"] = "1"  # for what has to be said of a night that hangs
    port, ear = _free_port(), Ear()
    variables |= metrics_on(ear.port) | more
    with open(folder / "output", "w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "infra.airflow.up", "--port", str(port)],
            cwd=project, env=variables, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        password = _password(process, folder / "output", patience)
        rest = Rest(f"http://127.0.0.1:{port}", "admin", password)
        yield Running(rest, password, project, s3, ear.lines)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS_TO_STOP) == 0
    finally:
        process.kill()
        process.wait()
        ear.close()
    assert not [process.cmdline() for process in working_below(project)]


def make_project(folder: Path, model: Path) -> Path:
    """The code as it is here, the tiny model, and parameters for a night of a minute."""
    folder.mkdir()
    ignore = shutil.ignore_patterns("__pycache__")
    for room in ("tasks", "dags", "infra"):
        shutil.copytree(ROOT / room, folder / room, ignore=ignore)
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    for section, values in SMALL.items():
        params[section].update(values)
    data = folder / "mine"
    data.mkdir()
    write_csv(data / "first.csv", opinions(), ("review", "verdict"))
    params["ingest"]["source"], params["finetune"]["model"] = str(data), str(model)
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    return folder


def _password(process: subprocess.Popen[bytes], output: Path, patience: float) -> str:
    """What the block that it prints when it is ready says, as a person would read it."""
    end = time.monotonic() + patience
    while "stop " not in (text := output.read_text()):
        assert process.poll() is None, text
        assert time.monotonic() < end, text
        time.sleep(0.5)
    (line,) = (line for line in text.splitlines() if line.strip().startswith("password"))
    return line.split()[1]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
