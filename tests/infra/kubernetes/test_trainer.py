"""What switches TrainJobs on: the API takes it, it grants no more than a launcher needs, and a host
of a TrainJob is a training task's pod in all that matters."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
from kubernetes.client import ApiClient

from dags.pods import launcher, pod
from infra.kubernetes.check import FOLDER, TRAINER, manifests, problems
from tasks.handover.resources import read_table
from tests.made import ROOT

MANIFESTS: dict[str, Any] = dict(manifests(TRAINER))
TABLE = read_table(ROOT)
ROW = TABLE.task("nightly_retraining", "finetune")


def of_kind(kind: str) -> Any:
    (found,) = [each for each in MANIFESTS.values() if each["kind"] == kind]
    return found


def job() -> Any:
    """The Job's spec that the runtime has."""
    (replicated,) = of_kind("TrainingRuntime")["spec"]["template"]["spec"]["replicatedJobs"]
    return replicated["template"]["spec"]


def as_airflow_makes_it(override: Any) -> Any:
    made = PodGenerator.construct_pod(
        dag_id="nightly_retraining", task_id="finetune", pod_id="night-1", try_number=1,
        kube_image="nightshift-stage:REVISION", date=None, args=["python"],
        pod_override_object=override,
        base_worker_pod=PodGenerator.deserialize_model_file(str(FOLDER / "pod-template.yaml")),
        namespace="nightshift", scheduler_job_id="1", run_id="night",
    )  # fmt: skip
    return ApiClient().sanitize_for_serialization(made)


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_api_takes_it(name: str) -> None:
    assert problems(MANIFESTS[name]) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda spec: spec.update(mlPolicyy={}), "spec.mlPolicyy: the API knows no such key"),
        (lambda spec: spec["mlPolicy"].update(numNodes="two"), "numNodes: Input should be a valid"),
        (lambda spec: spec["template"]["spec"].update(maxRestarts=0), "maxRestarts: the API knows"),
        (
            lambda spec: spec["template"]["spec"]["replicatedJobs"][0]["template"]["spec"][
                "template"
            ]["spec"].update(automountServiceAccountToken=True),
            "spec.automountServiceAccountToken: must be false",
        ),
    ],
)
def test_a_runtime_that_is_broken_on_purpose_is_refused(change: Any, told: str) -> None:
    broken = copy.deepcopy(of_kind("TrainingRuntime"))
    change(broken["spec"])
    assert told in "\n".join(problems(broken))


def test_it_is_off_until_an_overlay_names_it() -> None:
    component = yaml.safe_load((TRAINER / "kustomization.yaml").read_text())
    named = {*component["resources"], *(patch["path"] for patch in component["patches"])}
    assert named == {name.partition(":")[0] for name in MANIFESTS}
    assert of_kind("ConfigMap")["data"] == {"NIGHTSHIFT_TRAINER": "kubeflow"}
    base = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    assert "components" not in base
    assert "NIGHTSHIFT_TRAINER" not in (FOLDER / "settings.yaml").read_text()


def test_only_the_launchers_account_may_send_trainjobs() -> None:
    everything = [*MANIFESTS.values(), *(manifest for _, manifest in manifests())]
    bound = [each for each in everything if each["kind"].endswith("RoleBinding")]
    assert bound == [of_kind("RoleBinding")]
    assert [each for each in everything if each["kind"] == "ClusterRole"] == []
    account = of_kind("ServiceAccount")
    role = account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
    assert role == "arn:aws:iam::000000000000:role/nightshift-launcher"
    assert account["automountServiceAccountToken"] is False
    (subject,) = bound[0]["subjects"]
    assert (subject["name"], subject["namespace"]) == (account["metadata"]["name"], "nightshift")
    assert bound[0]["roleRef"]["name"] == of_kind("Role")["metadata"]["name"]
    granted = {
        (resource, verb)
        for rule in of_kind("Role")["rules"]
        for resource in rule["resources"] for verb in rule["verbs"]
    }  # fmt: skip
    assert granted == {
        ("trainjobs", "create"), ("trainjobs", "get"), ("trainjobs", "delete"),
        ("pods", "list"), ("pods/log", "get"),
    }  # fmt: skip


def test_a_launchers_pod_is_small_and_has_the_accounts_token() -> None:
    made = as_airflow_makes_it(launcher(TABLE.launcher))
    assert problems(made) == ["spec.automountServiceAccountToken: must be false"]
    spec = made["spec"]
    assert spec["automountServiceAccountToken"] is True
    assert spec["serviceAccountName"] == of_kind("ServiceAccount")["metadata"]["name"]
    assert "nodeSelector" not in spec
    assert spec["containers"][0]["resources"]["limits"] == TABLE.launcher.amounts
    assert TABLE.launcher.cpu < ROW.cpu
    labels = of_kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"]
    assert labels.items() <= made["metadata"]["labels"].items()


def test_a_host_is_what_a_training_tasks_pod_is() -> None:
    """But for what only Airflow's own process in it needs."""
    task = as_airflow_makes_it(pod(ROW, TABLE.queues[ROW.queue]))
    host, base = job()["template"], task["spec"]["containers"][0]
    node = host["spec"]["containers"][0]
    for key in ("serviceAccountName", "automountServiceAccountToken", "nodeSelector",
                "securityContext", "restartPolicy", "enableServiceLinks",
                "terminationGracePeriodSeconds"):  # fmt: skip
        assert host["spec"][key] == task["spec"][key], key
    assert host["spec"]["tolerations"] == task["spec"]["tolerations"]
    for key in ("image", "imagePullPolicy", "securityContext"):
        assert node[key] == base[key], key
    airflows = [each for each in base["volumeMounts"] if each["name"] == "settings"]
    assert [*node["volumeMounts"], *airflows] == [
        *(each for each in base["volumeMounts"] if each not in airflows), *airflows
    ]  # fmt: skip
    volumes = {each["name"]: each for each in task["spec"]["volumes"]}
    assert host["spec"]["volumes"] == [volumes["scratch"], volumes["memory"]]
    assert node["envFrom"] == [{"configMapRef": {"name": "nightshift"}}]
    labels = task["metadata"]["labels"]
    assert host["metadata"]["labels"].items() <= labels.items()
    assert host["metadata"]["annotations"].items() <= task["metadata"]["annotations"].items()


def test_it_ends_when_its_time_is_over_and_kubernetes_tries_nothing_again() -> None:
    assert job()["activeDeadlineSeconds"] == ROW.time.total_seconds()
    assert job()["backoffLimit"] == 0
    assert job()["completionMode"] == "Indexed"
    assert of_kind("TrainingRuntime")["spec"]["template"]["spec"]["failurePolicy"] == {
        "maxRestarts": 0
    }
