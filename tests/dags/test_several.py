"""DAGs of several models in one installation."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.made import ROOT, environment

LOOK = """
import json, os, runpy, time
from airflow.sdk.definitions._internal.contextmanager import DagContext
DagContext.current_autoregister_module_name = "dags"  # as Airflow does before it imports a file
before = time.perf_counter()
for file in ("nightly_retraining", "weekly_housekeeping"):
    runpy.run_path(f"dags/{file}.py")
seconds = time.perf_counter() - before
found = {}
for dag, _ in DagContext.autoregistered_dags:
    (first,) = dag.roots
    found[dag.dag_id] = {
        "tasks": len(dag.tasks), "store": first.model.store, "fields": len(dag.params),
        "source": dag.params.get("ingest.source"),
        "days": dag.params.get("housekeeping.keep_days"),
        "copies": sum(len(task.params) for task in dag.tasks),
        "schedule": str(getattr(dag.timetable, "asset_condition", "")),
    }
print(json.dumps([seconds, found]))
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    for name in ("mood", "tickets"):
        folder = tmp_path / name
        folder.mkdir()
        params = {
            "ingest": {"source": f"s3://data/{name}.csv"},
            "housekeeping": {"keep_days": 7},
            "publish": {"name": name},
        }
        (folder / "params.yaml").write_text(yaml.safe_dump(params))
    return tmp_path


def parsed(fleet: Path, **more: str) -> tuple[float, dict[str, Any]]:
    variables = environment(
        NIGHTSHIFT_MODELS=str(fleet), NIGHTSHIFT_STORE="s3://team/store", **more
    )
    done = subprocess.run(
        [sys.executable, "-c", LOOK], cwd=ROOT, env=variables, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    seconds, found = json.loads(done.stdout.splitlines()[-1])
    return seconds, found


def test_each_model_has_both_dags_with_its_own_form_data_and_store(fleet: Path) -> None:
    _, found = parsed(fleet)
    assert set(found) == {
        "nightly_retraining-mood", "nightly_retraining-tickets",
        "weekly_housekeeping-mood", "weekly_housekeeping-tickets",
    }  # fmt: skip
    night = found["nightly_retraining-tickets"]
    assert night["tasks"] == 14
    assert night["store"] == "s3://team/store/tickets"
    assert night["source"] == "s3://data/tickets.csv"
    assert "nightshift://data/tickets" in night["schedule"]
    week = found["weekly_housekeeping-mood"]
    assert (week["store"], week["days"]) == ("s3://team/store/mood", 7)


def test_no_task_of_a_night_carries_the_form_a_second_time(fleet: Path) -> None:
    _, found = parsed(fleet)
    assert found["nightly_retraining-mood"]["fields"] > 50
    assert found["nightly_retraining-mood"]["copies"] == 0


def test_a_worker_makes_the_one_dag_that_it_is_to_run(fleet: Path) -> None:
    asked = "nightly_retraining-mood"
    _, found = parsed(fleet, _AIRFLOW_PARSING_CONTEXT_DAG_ID=asked)
    assert set(found) == {asked}


def test_a_broken_model_keeps_its_dag_and_the_others_their_nights(fleet: Path) -> None:
    (fleet / "mood" / "params.yaml").write_text("finetune: {epochs: many}\n")
    _, found = parsed(fleet)
    assert found["nightly_retraining-mood"]["fields"] == 0
    assert found["nightly_retraining-mood"]["tasks"] == 14
    assert found["nightly_retraining-tickets"]["fields"] > 50


def test_500_models_are_parsed_before_airflow_gives_up_on_the_file(tmp_path: Path) -> None:
    """It allows 30 s for the import of a file; two files have 500 DAGs each."""
    for number in range(50):
        (tmp_path / f"model-{number}").mkdir()
        (tmp_path / f"model-{number}" / "params.yaml").write_text(f"publish: {{name: m-{number}}}")
    seconds, found = parsed(tmp_path)
    assert len(found) == 100
    assert seconds / 2 * 10 < 30
