"""The pod that a task gets in the end: template, scheduler and table put together by Airflow."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
from kubernetes.client import ApiClient

from dags.pods import pod
from infra.kubernetes.check import FOLDER, problems
from tasks.handover.resources import read_table
from tests.made import ROOT

DAG = "nightly_retraining"
TASKS = read_table(ROOT).dags[DAG]
IMAGE = "nightshift-stage:0123456"


def built(name: str) -> Any:
    """As the scheduler sends it to the API."""
    table = read_table(ROOT)
    task = table.dags[DAG][name]
    made = PodGenerator.construct_pod(
        dag_id=DAG, task_id=name, pod_id="night-1", try_number=1, kube_image=IMAGE, date=None,
        args=["python", "-m", "airflow.sdk.execution_time.execute_workload"],
        pod_override_object=pod(task, table.queues[task.queue]),
        base_worker_pod=PodGenerator.deserialize_model_file(str(FOLDER / "pod-template.yaml")),
        namespace="nightshift", scheduler_job_id="1", run_id="night",
    )  # fmt: skip
    return ApiClient().sanitize_for_serialization(made)


@pytest.mark.parametrize("name", TASKS)
def test_the_api_takes_the_pod_of_every_task(name: str) -> None:
    assert problems(built(name)) == []


@pytest.mark.parametrize("name", TASKS)
def test_it_has_what_the_table_says(name: str) -> None:
    table, task, spec = read_table(ROOT), TASKS[name], built(name)["spec"]
    (container,) = spec["containers"]
    assert container["resources"]["limits"] == {
        "cpu": str(task.cpu),
        "memory": f"{task.memory}Gi",
        "ephemeral-storage": f"{task.scratch}Gi",
    }
    assert container["resources"]["requests"] == container["resources"]["limits"]
    assert spec["serviceAccountName"] == f"nightshift-{table.queues[task.queue].account}"


def test_what_the_template_says_stays() -> None:
    made = built("finetune")
    (container,) = made["spec"]["containers"]
    assert container["image"] == IMAGE
    assert container["args"][0] == "python"
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {
        "/tmp", "/opt/airflow", "/var/lib/nightshift", "/opt/airflow/airflow.cfg", "/dev/shm",
    }  # fmt: skip
    assert made["metadata"]["labels"]["component"] == "worker"
    assert made["metadata"]["labels"]["nightshift/queue"] == "train"
    assert made["spec"]["nodeSelector"] == {"nightshift/machine": "train"}
    assert [each["key"] for each in made["spec"]["tolerations"]] == ["nightshift/machine"]


def test_it_holds_no_key_of_airflow() -> None:
    template = yaml.safe_load((FOLDER / "pod-template.yaml").read_text())
    (container,) = template["spec"]["containers"]
    assert [each["name"] for each in container["env"]] == [
        "AIRFLOW__CORE__EXECUTOR", "AIRFLOW__METRICS__STATSD_HOST",
    ]  # fmt: skip
    assert container["envFrom"] == [
        {"configMapRef": {"name": name}} for name in ("nightshift", "airflow-metrics")
    ]
    assert not [volume for volume in template["spec"]["volumes"] if "secret" in volume]
