"""A real night of several tiny models at once: an Airflow, an S3 server, every request noted.

Each model has its own DAG, source (in the bucket) and store; all stages run. What comes out is a
`Measured`: when each task was queued, began and ended as Airflow's REST API tells it, the requests
of each task by verb and room, the rows that the night left in Airflow's database.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from infra.s3 import Server
from tasks.measuring.machine import describe_cpu
from tests.fleet.measured import Measured, Request, Span
from tests.made import ROOT, make_tiny_model, opinions, write_csv
from tests.running_airflow import BUCKET, SMALL, Running, make_project, started
from tests.s3 import KEYS

RUN = "night"
NOTED = "requests.jsonl"
Size = tuple[int, int]
"""Objects, bytes."""
COUNTING = Path(__file__).parent / "counting" / "sitecustomize.py"
PARALLELISM = 2
"""Tasks at once, in the whole installation: one a core of the machine that this was written on."""
SMALLER: dict[str, dict[str, Any]] = {
    "validate": {"sample": 50, "label_errors": 100},
    "finetune": {"epochs": 2},
    "prune": {"augment": 0, "probe": 32},
    "benchmark": {"texts": 5},
    "gate": {"texts": 5},
}
"""Over `SMALL`: no stage is left out, each has less to do."""
SECONDS_BETWEEN_LOOKS = 5.0


def measure(folder: Path, count: int, limit: float) -> tuple[Measured, Measured]:
    """A night of one model alone, then one of `count` models at once, in `folder`.

    Raises TimeoutError when they take longer than `limit` seconds, and RuntimeError when one fails.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    alone, together = ["alone"], [f"model-{number:02}" for number in range(count)]
    project = make_project(folder / "project", make_tiny_model(folder / "tiny"))
    shutil.copy(COUNTING, project)
    make_models(project, alone + together, folder / "tiny")
    settings = {
        "NIGHTSHIFT_MODELS": str(project / "fleet"),
        "COUNT_REQUESTS": str(folder / NOTED),
        "AIRFLOW__CORE__PARALLELISM": str(PARALLELISM),
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
    }
    keys = (KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"])
    end = time.monotonic() + limit
    with (
        Server(folder / "s3", keys) as server,
        started(folder, project, server.endpoint, limit, **settings) as airflow,
    ):
        deliver(airflow, alone + together, folder)
        first = night(airflow, alone, folder, end)
        return first, night(airflow, together, folder, end)


def night(airflow: Running, names: list[str], folder: Path, end: float) -> Measured:
    """All of `names` at once, and what came of it."""
    database = airflow.project / ".nightshift" / "airflow" / "airflow.db"
    noted = folder / NOTED
    noted.unlink(missing_ok=True)
    before, stored = rows(database), objects(airflow)
    begun = trigger(airflow, names)
    wait(airflow, names, end)
    spans = spans_of(airflow, names)
    promoted = {span.model for span in spans if span.task == "promote"}
    if refused := sorted(set(names) - promoted):
        raise RuntimeError(f"the gate refused {refused}: their nights are no whole ones")
    return Measured(
        about=about(len(names)),
        begun=begun,
        spans=spans,
        requests=requests(noted, spans),
        received=received(noted),
        stored=grown(stored, objects(airflow)),
        rows={name: n - before.get(name, 0) for name, n in rows(database).items()},
    )


def grown(before: dict[str, Size], after: dict[str, Size]) -> dict[str, Size]:
    """Objects and bytes that have come, by room."""
    none = (0, 0)
    return {
        room: (size[0] - before.get(room, none)[0], size[1] - before.get(room, none)[1])
        for room, size in after.items()
    }


def about(count: int) -> dict[str, Any]:
    """Where and of what it was measured."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    )
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": commit.stdout.strip(),
        "machine": f"{os.cpu_count()} cores, {describe_cpu()['cpu']}",
        "airflow": version("apache-airflow"),
        "models": count,
        "parallelism": PARALLELISM,
    }


def make_models(project: Path, names: list[str], tiny: Path) -> None:
    """A folder a model, with all its parameters."""
    for name in names:
        params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        for changes in (SMALL, SMALLER):
            for section, values in changes.items():
                params[section].update(values)
        params["ingest"]["source"] = f"s3://{BUCKET}/sources/{name}/"
        params["finetune"]["model"], params["publish"]["name"] = str(tiny), name
        home = project / "fleet" / name
        home.mkdir(parents=True)
        (home / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")


def deliver(airflow: Running, names: list[str], folder: Path) -> None:
    """Each model's labelled texts, in the bucket."""
    file = write_csv(folder / "opinions.csv", opinions(), ("review", "verdict"))
    for name in names:
        airflow.s3.upload_file(str(file), BUCKET, f"sources/{name}/opinions.csv")


def dag_of(name: str) -> str:
    """A model's DAG."""
    return f"nightly_retraining-{name}"


def trigger(airflow: Running, names: list[str]) -> float:
    """Start all of them, one REST call after the other; when the first was asked for."""
    begun = time.time()
    for name in names:
        body: dict[str, Any] = {"logical_date": None, "dag_run_id": RUN, "conf": {}}
        answer = airflow.rest.post(f"dags/{dag_of(name)}/dagRuns", body)
        assert answer.ok, answer
    return begun


def wait(airflow: Running, names: list[str], end: float) -> None:
    """Until every run has ended, or `time.monotonic` is at `end`."""
    left = set(names)
    while left:
        if time.monotonic() > end:
            raise TimeoutError(f"{len(left)} of {len(names)} nights are not over")
        time.sleep(SECONDS_BETWEEN_LOOKS)
        for name in sorted(left):
            state = airflow.rest.get(f"dags/{dag_of(name)}/dagRuns/{RUN}").content["state"]
            if state == "failed":
                raise RuntimeError(f"{name}: {states(airflow, name)}")
            if state != "success":
                break  # they end about in the order in which they began
            print(f"{name} is over, {len(left) - 1} to go", flush=True)
            left.discard(name)


def states(airflow: Running, name: str) -> dict[str, str]:
    """Every task's state."""
    path = f"dags/{dag_of(name)}/dagRuns/{RUN}/taskInstances"
    return {
        task["task_id"]: task["state"] for task in airflow.rest.get(path).content["task_instances"]
    }


def spans_of(airflow: Running, names: list[str]) -> list[Span]:
    """Every task that ran, in seconds since 1970; a skipped one has no beginning, and no span."""
    found = []
    for name in names:
        path = f"dags/{dag_of(name)}/dagRuns/{RUN}/taskInstances"
        for task in airflow.rest.get(path).content["task_instances"]:
            if task["start_date"] and task["queued_when"]:
                queued, began, ended = (
                    moment(task[key]) for key in ("queued_when", "start_date", "end_date")
                )
                tries = task["try_number"]
                found.append(Span(name, task["task_id"], queued, began, ended, tries))
    return sorted(found, key=lambda span: span.began)


def moment(text: str) -> float:
    """A time of the REST API in seconds since 1970."""
    return datetime.fromisoformat(text).timestamp()


def requests(noted: Path, spans: list[Span]) -> list[Request]:
    """The requests by task. A model's tasks come one after the other, so the time tells which."""
    counts: Counter[tuple[str, str, str]] = Counter()
    sizes: Counter[tuple[str, str, str]] = Counter()
    for line in lines(noted):
        if line["verb"] == "answer" or line.get("bucket") != BUCKET:
            continue
        room, model = place(line["key"])
        task = next(
            (s.task for s in spans if s.model == model and s.began <= line["at"] <= s.ended),
            "outside",
        )
        counts[task, line["verb"], room] += 1
        sizes[task, line["verb"], room] += line["bytes"]
    return [Request(*key, count=n, bytes=sizes[key]) for key, n in sorted(counts.items())]


def place(key: str) -> tuple[str, str]:
    """The room and the model that a key (or a listing's prefix) belongs to."""
    first, _, rest = key.partition("/")
    name, _, below = rest.partition("/")
    return ("source", name) if first == "sources" else (below.partition("/")[0] or "store", name)


def received(noted: Path) -> int:
    """Bytes that came back, all tasks together."""
    return sum(line["bytes"] for line in lines(noted) if line["verb"] == "answer")


def lines(noted: Path) -> list[dict[str, Any]]:
    """What was noted."""
    return [json.loads(line) for line in noted.read_text(encoding="utf-8").splitlines()]


def objects(airflow: Running) -> dict[str, Size]:
    """What is in the bucket, by room."""
    found: dict[str, Size] = {}
    for page in airflow.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for each in page.get("Contents", []):
            room, _ = place(each["Key"])
            count, size = found.get(room, (0, 0))
            found[room] = (count + 1, size + each["Size"])
    return found


def rows(database: Path) -> dict[str, int]:
    """How many rows each table of Airflow's database has."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        query = "select name from sqlite_master where type = 'table'"
        names = [name for (name,) in connection.execute(query)]
        return {
            name: connection.execute(f'select count(*) from "{name}"').fetchone()[0]
            for name in names
        }
