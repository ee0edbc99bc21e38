"""How many tasks a second a real scheduler dispatches, and what it takes to know 500 models.

The DAGs, the database, the scheduler and the DAG processor are real; the executor has every task
over at once, so that no worker is what it waits for. All nights are asked for while the pools have
no slot, and then the slots are given: a burst as large as there are models.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from infra.s3 import Server
from tests.fleet.measure import about, dag_of, moment
from tests.fleet.measured import Burst
from tests.made import make_tiny_model
from tests.running_airflow import Running, make_project, started
from tests.s3 import KEYS

EXECUTOR = Path(__file__).parent / "counting" / "instantly.py"
RUN = "burst"
POOLS = ("nightshift_cpu", "nightshift_train")
WIDE = 10_000
"""Slots, and tasks at once: no limit."""
SECONDS_BETWEEN_LOOKS = 5.0
PAGE = 100


def measure(folder: Path, models: int, limit: float, **settings: str) -> Burst:
    """The burst of so many models, in `folder`. `settings` go to Airflow, as a database's address.

    Raises TimeoutError after `limit` seconds.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = [f"model-{number:03}" for number in range(models)]
    project = make_project(folder / "project", make_tiny_model(folder / "tiny"))
    shutil.copy(EXECUTOR, project)
    for name in names:
        home = project / "fleet" / name
        home.mkdir(parents=True)
        (home / "params.yaml").write_text(yaml.safe_dump({"publish": {"name": name}}))
    more = {
        "NIGHTSHIFT_MODELS": str(project / "fleet"),
        "AIRFLOW__CORE__EXECUTOR": "instantly.Instantly",
        "AIRFLOW__CORE__PARALLELISM": str(WIDE),
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
        **settings,
    }
    keys = (KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"])
    began = time.monotonic()
    with (
        Server(folder / "s3", keys) as server,
        started(folder, project, server.endpoint, limit, **more) as airflow,
    ):
        parsed = time.monotonic() - began
        slots(airflow, 0)
        for name in names:
            body: dict[str, Any] = {"logical_date": None, "dag_run_id": RUN, "conf": {}}
            answer = airflow.rest.post(f"dags/{dag_of(name)}/dagRuns", body)
            assert answer.ok, answer
        wait(airflow, lambda: count(airflow, "scheduled") == models, limit)
        begun = time.time()
        slots(airflow, WIDE)
        wait(airflow, lambda: count(airflow, "success", "dagRuns") == models, limit)
        queued = moments(airflow)
    facts = {**about(models), "parallelism": WIDE}
    return summary(facts, parsed, [when - begun for when in queued])


def summary(about: dict[str, Any], parsed: float, queued: Sequence[float]) -> Burst:
    """From the seconds at which each task went out."""
    found = sorted(queued)
    half = len(found) // 2
    return Burst(
        about=about,
        parsed=round(parsed, 1),
        rate=round(half / found[half - 1], 1),
        whole=round(len(found) / found[-1], 1),
        seconds=round(found[-1], 1),
        tasks=len(found),
    )


def slots(airflow: Running, number: int) -> None:
    """Give each pool so many."""
    for pool in POOLS:
        body = {"pool": pool, "slots": number, "include_deferred": False}
        answer = airflow.rest.patch(f"pools/{pool}", body)
        assert answer.ok, answer


def wait(airflow: Running, over: Callable[[], bool], limit: float) -> None:
    """Until it is; raises TimeoutError after `limit` seconds."""
    end = time.monotonic() + limit
    while not over():
        if time.monotonic() > end:
            raise TimeoutError(f"not over after {limit:.0f} s")
        time.sleep(SECONDS_BETWEEN_LOOKS)


def count(airflow: Running, state: str, of: str = "dagRuns/~/taskInstances") -> int:
    """Tasks (or runs) that are in a state."""
    found: int = airflow.rest.get(f"dags/~/{of}?state={state}&limit=1").content["total_entries"]
    return found


def moments(airflow: Running) -> list[float]:
    """When each task was dispatched, in seconds since 1970."""
    found: list[float] = []
    path, total = "dags/~/dagRuns/~/taskInstances?state=success&order_by=id", 1
    while len(found) < total:
        page = airflow.rest.get(f"{path}&limit={PAGE}&offset={len(found)}").content
        total = page["total_entries"]
        found += [moment(task["queued_when"]) for task in page["task_instances"]]
    return found
