from __future__ import annotations

import runpy
from typing import Any

import pytest

from dags.pods import pod
from tasks.handover.resources import Queue, Task, read_table
from tests.made import ROOT


def loaded(executor: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The DAG as a scheduler with that executor sees it, after the way through its database."""
    from airflow.serialization.serialized_objects import DagSerialization

    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    dag = runpy.run_path(str(ROOT / "dags" / "nightly_retraining.py"))["dag"]
    return DagSerialization.from_dict(DagSerialization.to_dict(dag))


def test_a_gpu_is_asked_for_by_its_device_and_on_its_machines() -> None:
    table = read_table(ROOT)
    task = Task(queue="train", cpu=8, memory=32, scratch=50, gpu=2, hours=10)
    spec = pod(task, table.queues["train"]).spec
    limits = spec.containers[0].resources.limits
    assert limits == {
        "cpu": "8", "memory": "32Gi", "ephemeral-storage": "50Gi", "nvidia.com/gpu": "2",
    }  # fmt: skip
    assert spec.containers[0].resources.requests == limits
    assert spec.node_selector == {"nightshift/machine": "train"}
    assert [each.effect for each in spec.tolerations] == ["NoSchedule"]


def test_who_asks_for_no_gpu_gets_none() -> None:
    task = Task(queue="cpu", cpu=1, memory=2, scratch=2, gpu=0, hours=1)
    queue = Queue(pool="any", account="publisher", accelerator="nvidia.com/gpu")
    spec = pod(task, queue).spec
    assert "nvidia.com/gpu" not in spec.containers[0].resources.limits
    assert spec.service_account_name == "nightshift-publisher"
    assert spec.node_selector is None


@pytest.mark.parametrize("executor", ["KubernetesExecutor", "CeleryExecutor,KubernetesExecutor"])
def test_on_kubernetes_every_task_brings_its_pod(
    executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = read_table(ROOT)
    dag = loaded(executor, monkeypatch)
    for name, task in table.dags["nightly_retraining"].items():
        brought = dag.get_task(name).executor_config["pod_override"]
        assert brought.to_dict() == pod(task, table.queues[task.queue]).to_dict()


@pytest.mark.parametrize("executor", ["LocalExecutor", "CeleryExecutor"])
def test_elsewhere_none_does(executor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any(task.executor_config for task in loaded(executor, monkeypatch).tasks)
