from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.sdk import DAG, Asset

from tasks.handover.graph import read_graph
from tasks.stage.errors import BadInput
from tests.made import ROOT, environment

HEAVY = [
    "torch", "transformers", "pandas", "dvc", "great_expectations", "onnx", "onnxruntime",
    "sklearn", "boto3", "botocore", "pyarrow", "numpy", "huggingface_hub", "kubernetes",
]  # fmt: skip


@pytest.fixture(scope="module")
def dag() -> DAG:
    from dags.nightly_retraining import dag

    return dag


def edges_of_dvc() -> set[tuple[str, str]]:
    """What dvc itself says, in the language of graphviz; a line an edge."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "dag", "--dot"],
        cwd=ROOT, env=environment(PATH=path), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(re.findall(r'"([^"]+)" -> "([^"]+)"', done.stdout))


def test_its_edges_are_those_of_dvc(dag: DAG) -> None:
    stages = set(read_graph(ROOT).stages)
    found = {
        (before, after)
        for before in stages
        for after in dag.get_task(before).downstream_task_ids
        if after in stages
    }
    expected = edges_of_dvc()
    assert len(expected) > 8
    assert found == expected


def test_prepare_comes_before_and_the_gate_after_every_stage(dag: DAG) -> None:
    for stage in read_graph(ROOT).stages:
        task = dag.get_task(stage)
        assert "prepare" in task.get_flat_relative_ids(upstream=True)
        assert "gate" in task.get_flat_relative_ids(upstream=False)
    after = [dag.get_task(name) for name in ("gate", "publish", "approve", "promote")]
    assert [task.downstream_task_ids for task in after] == [
        {"publish"}, {"approve"}, {"promote"}, {"announce"}
    ]  # fmt: skip


def with_three_hosts(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The DAG of a project whose finetune.hosts is 3, a line of JSON."""
    project = folder / "project"
    for name in ("dags", "tasks", "infra"):
        shutil.copytree(ROOT / name, project / name)
    shutil.copy(ROOT / "dvc.yaml", project)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["finetune"]["hosts"] = 3
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    code = """
import json
from dags.nightly_retraining import dag
print(json.dumps({t.task_id: {
    "place": [t.queue, t.pool, sorted(t.upstream_task_ids)],
    "arguments": getattr(t, "arguments", []),
    "account": t.executor_config and t.executor_config["pod_override"].spec.service_account_name,
} for t in dag.tasks}))
"""
    given = environment(PYTHONPATH=str(project), **variables)
    return subprocess.run(
        [sys.executable, "-c", code], cwd=project, env=given, capture_output=True, text=True
    )


def tasks_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_each_host_of_a_training_has_a_task_and_comes_when_host_0_does(tmp_path: Path) -> None:
    found = tasks_of(with_three_hosts(tmp_path))
    assert {name for name in found if name.startswith("finetune_")} == {
        "finetune_host_1", "finetune_host_2"
    }  # fmt: skip
    places = [found[name]["place"] for name in ("finetune", "finetune_host_1", "finetune_host_2")]
    assert places == [places[0]] * 3
    assert found["finetune"]["arguments"] == ["stage", "finetune"]
    assert found["finetune_host_2"]["arguments"] == ["stage", "finetune", "--host", "2"]


def test_as_a_trainjob_all_hosts_are_one_task_that_only_waits(tmp_path: Path) -> None:
    found = tasks_of(
        with_three_hosts(
            tmp_path, NIGHTSHIFT_TRAINER="kubeflow", AIRFLOW__CORE__EXECUTOR="KubernetesExecutor"
        )
    )
    assert [name for name in found if name.startswith("finetune")] == ["finetune"]
    assert found["finetune"]["arguments"] == ["trainjob", "finetune", "--hosts", "3"]
    assert found["finetune"]["account"] == "nightshift-launcher"
    before = ["ingest", "snapshot", "validate"]
    assert found["finetune"]["place"] == ["train", "nightshift_train", before]
    others = {task["account"] for name, task in found.items() if name != "finetune"}
    assert others == {"nightshift-worker", "nightshift-publisher"}


def test_one_host_needs_no_trainjob_and_another_trainer_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from dags.trainer import by_train_job

    monkeypatch.setenv("NIGHTSHIFT_TRAINER", "kubeflow")
    assert (by_train_job(1), by_train_job(2)) == (False, True)
    monkeypatch.delenv("NIGHTSHIFT_TRAINER")
    assert by_train_job(2) is False
    monkeypatch.setenv("NIGHTSHIFT_TRAINER", "ray")
    with pytest.raises(BadInput, match="NIGHTSHIFT_TRAINER: got 'ray'; takes kubeflow, or nothing"):
        by_train_job(2)


def test_what_was_prepared_is_announced_and_cleaned_up_whatever_happens(dag: DAG) -> None:
    assert dag.get_task("prepare").is_setup
    for name in ("announce", "cleanup"):
        task = dag.get_task(name)
        assert task.is_teardown
        assert not task.on_failure_fail_dagrun
        assert "prepare" in task.upstream_task_ids


def test_a_night_starts_at_two_and_when_there_is_new_data(dag: DAG) -> None:
    schedule: Any = dag.timetable
    assert schedule.timetable.expression == "0 2 * * *"
    assert Asset("nightshift://data") in schedule.asset_condition.objects
    assert dag.max_active_runs == 1
    assert dag.catchup is False


def test_switched_on_at_noon_it_waits_for_the_night(dag: DAG) -> None:
    """The scheduler's own timetable, after the way through the database."""
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.timetables.base import TimeRestriction

    stored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    info = stored.timetable.next_dagrun_info(
        last_automated_data_interval=None,
        restriction=TimeRestriction(earliest=None, latest=None, catchup=False),
    )
    assert dag.start_date is None
    assert info is not None
    assert info.run_after.timestamp() > time.time()


def test_big_tasks_go_to_big_machines(dag: DAG) -> None:
    places = {task.task_id: (task.queue, task.pool) for task in dag.tasks}
    big = {name for name, place in places.items() if place == ("train", "nightshift_train")}
    assert big == {"finetune", "prune"}
    shipping = {name for name, place in places.items() if place == ("publish", "nightshift_cpu")}
    assert shipping == {"publish", "promote"}
    small = set(places) - big - shipping
    assert {places[name] for name in small} == {("cpu", "nightshift_cpu")}


def test_every_task_ends_and_what_may_pass_is_tried_again_later_and_later(dag: DAG) -> None:
    assert dag.dagrun_timeout is not None
    for task in dag.tasks:
        limit: Any = task.execution_timeout or getattr(task, "response_timeout", None)
        assert timedelta(0) < limit < dag.dagrun_timeout
        assert task.retries == 3
        assert task.retry_exponential_backoff > 1


def test_loading_it_imports_nothing_heavy_and_takes_no_time() -> None:
    code = f"""
import json, sys, time
import airflow.sdk, airflow.providers.standard.operators.hitl, pydantic, yaml
before = time.process_time()
import dags.nightly_retraining, dags.weekly_housekeeping
seconds = time.process_time() - before
print(json.dumps([seconds, [name for name in {HEAVY} if name in sys.modules]]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    seconds, heavy = json.loads(done.stdout.splitlines()[-1])
    assert heavy == []
    assert seconds < 1


def test_of_many_nights_those_that_are_farthest_go_first(dag: DAG) -> None:
    """Airflow's own rule would begin all of them before it finishes one."""
    assert {task.weight_rule for task in dag.tasks} == {"upstream"}
